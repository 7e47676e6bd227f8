# SPDX-License-Identifier: GPL-2.0-only
# kalloc_watch on a kernel without some or all of its probes.

watch=/sys/kernel/debug/kalloc/watch
section() { echo "@@ $1"; }
# Prints the status of a command, and its output.
try() { out=$("$@" 2>&1); echo "$? $out"; }
put() { try sh -c "echo $* >$watch"; }

section parameter; try modprobe kalloc_watch modules=kalloc_watched
lsmod | grep -q '^kalloc_watch ' || modprobe kalloc_watch
section module; put remove kalloc_watched; put add kalloc_watched
section function; put add x alloc_fs_context
section all; put add all; put remove all
section loaded; try modprobe kalloc_watched leak=13; try rmmod kalloc_watched
section planted; sleep 1; grep '^# probes' $watch; grep '"module":"kalloc_watched"' $watch.json
section unload; try rmmod kalloc_watch
lsmod | grep '^kalloc_watch'
exit 0
