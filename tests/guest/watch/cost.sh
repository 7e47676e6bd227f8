# SPDX-License-Identifier: GPL-2.0-only
# The cost of allocations, in instructions: without a watch, with one of other code, and with one of
# the measured code; and that of a load on the whole kernel.

watch=/sys/kernel/debug/kalloc/watch
# Prints the results of the measuring module.
measure() {
    modprobe kalloc_watch_cost
    (cd /sys/module/kalloc_watch_cost/parameters && echo "$1 $(cat kmalloc_pair) $(cat page_alloc) $(cat page_free)")
    rmmod kalloc_watch_cost
}

now() { awk '{ printf "%d", $1 * 100 }' /proc/uptime; }

# Prints the hundredths of a second of a load of forks and of files in a tmpfs.
load() {
    mkdir -p /run/load; mount -t tmpfs none /run/load
    start=$(now)
    for n in $(seq 1 600); do
        /bin/sh -c :
        mkdir /run/load/d$n; for m in 1 2 3 4 5; do echo $n >/run/load/d$n/f$m; done
    done
    rm -r /run/load/*
    end=$(now)
    umount /run/load
    echo "$1 $((end - start))"
}

modprobe kalloc_exercise
measure none; load load-none; load load-none
modprobe kalloc_watch modules=no_such_module sites=8192
measure off
echo add kalloc_exercise >$watch; measure other
echo add kalloc_watch_cost >$watch; measure own
echo clear >$watch; measure off
echo add all >$watch; load load-all; load load-all
tail -n 1 $watch
