#!/.vm/busybox sh
# SPDX-License-Identifier: GPL-2.0
# The guest's first process: mounts what a command expects, runs the command with its
# output going to ports of its own, and tells the host its status.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 USER=root SHELL=/bin/sh
box=/.vm/busybox

$box mkdir -p /proc /sys /dev /tmp /run /root
$box mount -t proc proc /proc
$box mount -t sysfs sys /sys
$box mount -t devtmpfs dev /dev
$box ln -s /proc/self/fd /dev/fd
for fd in 0:stdin 1:stdout 2:stderr; do $box ln -s "fd/${fd%:*}" "/dev/${fd#*:}"; done
$box mkdir -p /dev/pts /dev/shm
$box mount -t devpts -o mode=620,ptmxmode=666 pts /dev/pts
$box chmod 1777 /tmp
$box mount -t tmpfs -o mode=1777 shm /dev/shm
$box mount -t debugfs debug /sys/kernel/debug
$box test -d /sys/fs/cgroup && $box mount -t cgroup2 cgroup /sys/fs/cgroup
$box test -d /sys/class/net/lo && $box ip link set lo up
$box hostname kalloc
# The ports are named by their order: output, errors, status. They come when the host has
# answered, which may be after us; a name opened too early would become a plain file.
for port in /dev/vport0p1 /dev/vport0p2 /dev/vport0p3; do
    until $box test -c $port && (: >$port) 2>/dev/null; do $box usleep 10000; done
done
exec 3>/dev/vport0p3
cd /

# A line in the kernel's log: what comes before the first one is the boot's.
mark() { echo "<6>kalloc-vm: $1" >/dev/kmsg; }

end() {
    mark "end"
    echo "exit $1" >&3
    # The host ends the guest when it has this line; nothing is left to do.
    while :; do $box sleep 60; done
}

mark "start"
echo ready >&3

if [ -e /.vm/terminal ]; then
    eval "$($box cat /.vm/terminal)"
    export TERM
    $box setsid -c sh -c "$box stty rows $LINES cols $COLUMNS; exec sh -l" </dev/hvc0 >/dev/hvc0 2>&1 3>&-
    end $?
fi

# A port can be opened once only; a pipe also through /dev/stdout and /dev/stderr.
$box mkfifo /run/out /run/err
$box cat /run/out >/dev/vport0p1 & out=$!
$box cat /run/err >/dev/vport0p2 & err=$!
$box setsid sh -c "$($box cat /.vm/command)" </dev/null >/run/out 2>/run/err 3>&- &
command=$!
wait $command
status=$?
# Whatever the command left running still holds the pipes.
for process in /proc/[0-9]*; do
    case ${process#/proc/} in
    1 | "$out" | "$err") ;;
    *) kill -KILL "${process#/proc/}" 2>/dev/null ;;
    esac
done
wait "$out" "$err"
end $status
