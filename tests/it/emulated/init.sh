#!/bin/busybox sh
# The first process of an emulated machine. Runs programs as Go linked them and as execpack packed
# them, and prints each step with a line before and after it; tests/it/emulated.rs reads that.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
dmesg -n 1
ip link set lo up

step() {
	echo "<<< $1"
	name=$1
	shift
	"$@" 2>&1
	echo ">>> $name $?"
}

# The daemon without a network: it waits for a login.
start() {
	tailscaled --tun=userspace-networking --no-logs-no-support --state=mem: --statedir=/tmp/state --socket=/tmp/socket \
		--port=0 >/tmp/log 2>&1 &
	daemon=$!
}

status() { tailscale --socket=/tmp/socket status --json; }

# Waits for the daemon's answer; its log if there is none.
answer() {
	for attempt in $(seq 60); do
		status >/tmp/status 2>/tmp/errors && grep BackendState /tmp/status && return 0
		kill -0 "$daemon" 2>/tmp/errors || break
		sleep 1
	done
	cat /tmp/log /tmp/errors
	return 1
}

end() {
	kill "$@" "$daemon"
	wait "$daemon"
	rm -f /tmp/socket
}

# Kilobytes that only a process has, and that it shares.
memory() {
	awk '/^Private_[CD]/ { private += $2 } /^Shared_[CD]/ { shared += $2 } END { print private, shared }' "/proc/$1/smaps_rollup"
}

# Memory of the command line and the daemon. A stopped daemon does not answer, so the command line waits.
both() {
	kill -STOP "$daemon"
	tailscale --socket=/tmp/socket status >/dev/null 2>&1 &
	asking=$!
	sleep 20
	memory "$asking"
	memory "$daemon"
	kill "$asking"
	kill -CONT "$daemon"
}

step kernel uname -r
for case in $(cat /cases); do
	step "linked $case" /linked "$case"
	step "packed $case" /packed "$case"
done
PROCESS='a variable' step 'linked process' /process.linked 'an argument'
PROCESS='a variable' step 'packed process' /process.packed 'an argument'
# Two processes of one file: the memory that each maps its program from.
sleep 10000 | /process.packed wait >/tmp/first &
until grep waiting /tmp/first >/tmp/found; do sleep 1; done
shared() {
	grep -m 1 memfd /tmp/first
	/process.packed >/tmp/second
	grep -m 1 memfd /tmp/second
	true
}
step 'shared copy' shared
step 'old calls' /restrict old-calls -- /packed recover
step 'fixed code' /restrict fixed-code -- /packed recover
step 'little memory' /restrict memory=2000000 -- /packed recover

# The image's entrypoint in a control group of version 2.
groups=/sys/fs/cgroup
mount -t cgroup2 groups "$groups"
step controllers cat "$groups/cgroup.controllers"
echo +memory >"$groups/cgroup.subtree_control"
mkdir -p "$groups/small" /usr/local/bin
echo 96M >"$groups/small/memory.max"
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "daemon: $GOMEMLIMIT"\n' >/usr/local/bin/tailscaled
chmod +x /usr/local/bin/tailscaled
# shellcheck disable=SC2016
limited() { sh -c 'echo $$ >"$0/cgroup.procs" && exec sh /entrypoint.sh' "$groups/small"; }
step entrypoint limited

step version tailscaled --version
start
step daemon answer
step status status
end -TERM
for kind in unpacked upx bin; do
	[ -x "/$kind/tailscaled" ] || continue
	PATH="/$kind:/bin"
	start
	step "$kind daemon" answer
	step "$kind time" time tailscale --socket=/tmp/socket status --json
	step "$kind memory" both
	end -KILL
done
PATH=/bin
for round in 1 2 3 4 5; do
	start
	step "restart $round" answer
	end -KILL
done
# The file system of programs is memory too: half of the machine's is not enough for Go on MIPS.
echo 90 >/proc/sys/vm/overcommit_ratio
echo 2 >/proc/sys/vm/overcommit_memory
start
step 'strict overcommit' answer
end -TERM
echo 0 >/proc/sys/vm/overcommit_memory
echo 'the machine is done'
poweroff -f
