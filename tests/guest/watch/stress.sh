# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Four processors allocate and free while modules are loaded and unloaded, the watch list changes,
# and readers run. Variable: blocks.
# shellcheck disable=SC2154 # The caller sets it.

watch=/sys/kernel/debug/kalloc/watch
section() { echo "@@ $1"; }
put() { echo "$*" >$watch; }

# Repeats an operation as long as the load runs.
while_busy() {
    while [ -e /run/busy ]; do "$@"; done
}
reload() { modprobe kalloc_watched leak=20 && rmmod kalloc_watched && echo reload >>/run/did; }
change() { put add dentries __d_alloc && put remove dentries && put group function && put group site && echo change >>/run/did; }
reads() { cat /proc/kallocwatch $watch $watch.json >/dev/null && echo read >>/run/did; }

# Runs the load, with these operations meanwhile. Its unloading waits for its threads.
load() {
    : >/run/busy; : >/run/did
    modprobe kalloc_watch_stress blocks=$((blocks)) || exit 1
    for operation in "$@"; do while_busy "$operation" & done
    dmesg -c >/run/dmesg
    rmmod kalloc_watch_stress
    rm /run/busy; wait
    dmesg | grep -o 'kalloc_watch_stress: stress.*'
    sort /run/did | uniq -c
    cat $watch; cat $watch.json
}

section roomy
modprobe kalloc_watch modules=kalloc_watch_stress,kalloc_watched || exit 1
load reload change reads
rmmod kalloc_watch

section full
modprobe kalloc_watch order=10 modules=kalloc_watch_stress,kalloc_watched || exit 1
load reload change reads
rmmod kalloc_watch

# kalloc_watch is unloaded while its probes run.
section unloads
again() {
    modprobe kalloc_watch modules=kalloc_watch_stress || exit 1
    sleep 0.2; rmmod kalloc_watch && echo unload >>/run/did
}
load again
section left; lsmod | grep kalloc_watch || true
