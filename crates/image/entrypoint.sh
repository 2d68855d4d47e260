#!/bin/sh
# The container's entrypoint: enables forwarding, then replaces itself with tailscaled and its arguments.
#
# Errors are reported and never keep the daemon from starting. The script uses only built-in commands of the shell,
# because the image may have no other program.
set -u

say() {
    echo "entrypoint: $*" >&2
}

# Enables a kernel setting if it exists and is off.
turn_on() {
    file=/proc/sys/$2
    if [ ! -e "$file" ]; then
        say "$1: this kernel has no such switch"
        return
    fi
    value=
    read -r value <"$file" || true
    if [ "$value" != 0 ]; then
        return
    fi
    if (echo 1 >"$file") 2>/dev/null; then
        say "$1: off, turned on"
    else
        say "$1: off, and can't be turned on from here; subnet routes and the exit node will not work"
    fi
}

# Logs in with an auth key once the daemon answers. The key comes from a file on the router and may end with a line
# break; the flags are words.
log_in() {
    # shellcheck disable=SC2086
    set -- $UP_FLAGS --auth-key=$AUTH_KEY
    unset AUTH_KEY UP_FLAGS
    (
        if ! "$helper" wait 60; then
            say "AUTH_KEY: the daemon does not answer; not logged in"
        elif tailscale up --timeout=60s "$@"; then
            say "AUTH_KEY: logged in"
        else
            say "AUTH_KEY: not logged in"
        fi
    ) &
}

# Lowers `memory` to a number of MiB.
at_most() {
    if [ -z "$memory" ] || [ "$1" -lt "$memory" ]; then
        memory=$1
    fi
}

# Lowers it to a number of bytes. mksh counts with 32 bits, so the last digits of a long number are cut off as text;
# `max`, or a terabyte and more, does not limit.
at_most_bytes() {
    case $1 in
        '' | 0* | *[!0-9]* | ?????????????*) ;;
        ??????????*)
            thousands=${1%???}
            # shellcheck disable=SC2017
            at_most $((thousands / 131072 * 125 + thousands % 131072 * 125 / 131072))
            ;;
        *) at_most $(($1 / 1048576)) ;;
    esac
}

# Lowers `memory` to the limits of a control group and of those that contain it.
at_most_group() {
    group=$2
    while :; do
        for file in $3; do
            bytes=
            { read -r bytes <"$1$group/$file"; } 2>/dev/null || true
            at_most_bytes "$bytes"
        done
        case $group in
            */*) group=${group%/*} ;;
            *) return ;;
        esac
    done
}

# Keeps the heap below a share of the memory: Go's collector runs more often then. The rest is for the program itself, the
# kernel's buffers and the command line. MEMORY_LIMIT is the container's memory in MiB, from the script.
limit_heap() {
    memory=
    case ${MEMORY_LIMIT:-} in
        '' | 0* | *[!0-9]* | ???????*) ;;
        *) at_most "$MEMORY_LIMIT" ;;
    esac
    if [ -r /proc/self/cgroup ]; then
        while IFS=: read -r _ kinds group; do
            case ,$kinds, in
                ,,) at_most_group /sys/fs/cgroup "$group" 'memory.max memory.high' ;;
                *,memory,*) at_most_group /sys/fs/cgroup/memory "$group" memory.limit_in_bytes ;;
            esac
        done </proc/self/cgroup
    fi
    if [ -r /proc/meminfo ]; then
        while read -r name size _; do
            case $name$size in
                MemTotal:0* | MemTotal:*[!0-9]* | MemTotal:??????????*) ;;
                MemTotal:?*) at_most $((size / 1024)) ;;
            esac
        done </proc/meminfo
    fi
    if [ -z "$memory" ]; then
        say "GOMEMLIMIT: not set: the size of the memory is not known"
    elif [ "$memory" -lt 48 ]; then
        say "GOMEMLIMIT: not set: $memory MiB of memory are too few for the daemon under load with any limit"
    else
        export GOMEMLIMIT=$((memory * 6 / 8))MiB
        say "GOMEMLIMIT: $GOMEMLIMIT of $memory MiB of memory"
    fi
}

helper=/usr/local/bin/node-helper
turn_on net.ipv4.ip_forward net/ipv4/ip_forward
turn_on net.ipv6.conf.all.forwarding net/ipv6/conf/all/forwarding
# An update: the old container's state is copied before the daemon starts, and a file informs the router that the new
# node works. ADOPT has the slot of the old state and the name of this update. Without the copy the daemon is not started:
# it would be another node, and the router goes back to the old container.
if [ -n "${ADOPT:-}" ] && [ -d "/var/lib/tailscale-${ADOPT%% *}" ]; then
    "$helper" adopt "/var/lib/tailscale-${ADOPT%% *}" /var/lib/tailscale "${ADOPT#* }" || exit 1
    "$helper" ready 600 /var/lib/tailscale/ready &
fi
# RouterOS 7.22 and later: according to reports, the kernel uses only the main routing table, to which tailscaled adds
# no routes. MAIN_ROUTES lists the networks whose routes the helper keeps there.
# Installations of earlier versions have `yes`.
if [ "${MAIN_ROUTES:-}" = yes ]; then
    MAIN_ROUTES='100.64.0.0/10 fd7a:115c:a1e0::/48'
fi
if [ -n "${MAIN_ROUTES:-}" ]; then
    # shellcheck disable=SC2086
    "$helper" routes $MAIN_ROUTES &
fi
if [ -n "${AUTH_KEY:-}" ]; then
    UP_FLAGS=${UP_FLAGS:-}
    log_in
fi
if [ -z "${GOMEMLIMIT+set}" ]; then
    limit_heap
fi
exec /usr/local/bin/tailscaled "$@"
