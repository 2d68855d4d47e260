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
exec /usr/local/bin/tailscaled "$@"
