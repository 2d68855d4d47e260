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

# RouterOS 7.22 and later: according to reports, the kernel uses only the main table, to which tailscaled adds no
# routes. MAIN_ROUTES=yes adds the tailnet's routes to it when the device is up. This requires a shell with `ip`.
add_main_routes() {
    if ! command -v ip >/dev/null; then
        say "MAIN_ROUTES: there is no ip in this image; \`image: { shell: busybox }\` brings it"
        return
    fi
    (
        until ip link show dev tailscale0 2>/dev/null | grep -q 'UP'; do
            sleep 1
        done
        for route in '-4 100.64.0.0/10' '-6 fd7a:115c:a1e0::/48'; do
            # The family and the range are two words.
            # shellcheck disable=SC2086
            set -- $route
            if ip "$1" route add "$2" dev tailscale0 2>/dev/null; then
                say "route $2: added to the main table"
            else
                say "route $2: not added; it is there, or this kernel does not take it"
            fi
        done
    ) &
}

turn_on net.ipv4.ip_forward net/ipv4/ip_forward
turn_on net.ipv6.conf.all.forwarding net/ipv6/conf/all/forwarding
if [ "${MAIN_ROUTES:-no}" = yes ]; then
    add_main_routes
fi
exec /usr/local/bin/tailscaled "$@"
