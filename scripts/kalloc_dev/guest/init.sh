#!/.vm/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# The guest's first process: mounts the file systems, runs the command with its output on separate
# ports, and sends its status to the host.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 USER=root SHELL=/bin/sh
# This shell has built-in commands, and starts a program for few of them. A userland may lack these programs.
mount() { /.vm/busybox mount "$@"; }
ip() { /.vm/busybox ip "$@"; }
hostname() { /.vm/busybox hostname "$@"; }
setsid() { /.vm/busybox setsid "$@"; }
stty() { /.vm/busybox stty "$@"; }
usleep() { /.vm/busybox usleep "$@"; }
mkfifo() { /.vm/busybox mkfifo "$@"; }
dd() { /.vm/busybox dd "$@"; }

mkdir -p /proc /sys /dev /tmp /run /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ln -s /proc/self/fd /dev/fd
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${fd%:*}" "/dev/${fd#*:}"; done
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 pts /dev/pts
chmod 1777 /tmp
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t debugfs debug /sys/kernel/debug
test -d /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup
test -d /sys/class/net/lo && ip link set lo up
hostname kalloc
# The ports are named by their order: output, errors, status, input. They appear when the host has
# answered, maybe later than this script. A name that is opened too early would become a plain file.
for port in /dev/vport0p1 /dev/vport0p2 /dev/vport0p3; do
    until test -c $port && (: >$port) 2>/dev/null; do usleep 10000; done
done
exec 3>/dev/vport0p3
cd /

# Writes a line to the kernel's log: the lines before the first one belong to the boot.
mark() { echo "<6>kalloc-vm: $1" >/dev/kmsg; }

end() {
    mark "end"
    echo "exit $1" >&3
    # The host ends the guest after this line.
    while :; do sleep 60; done
}

mark "start"
echo ready >&3

# Reads a line of the input port. A read fails until the host is connected.
hear() {
    until read -r "$@"; do usleep 10000; done
}

# Copies the input port: each piece follows its length.
feed() {
    length=
    while hear length && [ "$length" != 0 ]; do
        dd bs="$length" count=1 iflag=fullblock 2>/dev/null
    done
}

# Sets the size of the terminal, each time that the host sends it.
resize() {
    lines='' columns=''
    while hear lines columns; do stty -F /dev/hvc0 rows "$lines" cols "$columns"; done
}

if [ -e /.vm/terminal ]; then
    eval "$(cat /.vm/terminal)"
    export TERM
    # A terminal that nobody has open forgets its size.
    resize </dev/vport0p4 3>&- 4</dev/hvc0 &
    setsid -c /bin/sh -l </dev/hvc0 >/dev/hvc0 2>&1 3>&-
    end $?
fi

# A port can be opened only once; a pipe also through /dev/stdout and /dev/stderr.
mkfifo /run/in /run/out /run/err
# The mark tells the host that all output has arrived. It is opened before the command can remove it.
cat /run/out - </.vm/mark >/dev/vport0p1 & out=$!
cat /run/err - </.vm/mark >/dev/vport0p2 & err=$!
input=/dev/null
if [ -e /.vm/listens ]; then
    input=/run/in
    feed </dev/vport0p4 >/run/in 3>&- &
fi
# The command may be longer than an argument.
setsid /bin/sh -c '. /.vm/command' <$input >/run/out 2>/run/err 3>&- &
command=$!
wait $command
status=$?
# Processes that the command left behind still hold the pipes.
for process in /proc/[0-9]*; do
    case ${process#/proc/} in
    1 | "$out" | "$err") ;;
    *) kill -KILL "${process#/proc/}" 2>/dev/null ;;
    esac
done
wait "$out" "$err"
end $status
