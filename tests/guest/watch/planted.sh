# SPDX-License-Identifier: GPL-2.0-only
# A watched module with a known number of allocations, and the commands of the watch list.

watch=/sys/kernel/debug/kalloc/watch
section() { echo "@@ $1"; }
# Prints the status of a command, and its output.
try() { out=$("$@" 2>&1); echo "$? $out"; }
put() { echo "$*" | dd of=$watch bs=4096 2>/run/dd; status=$?; grep -h error /run/dd; return $status; }
sites() { cat $watch.json; }

# Waits until kalloc_watched has arrived in memory, and its parameter waits.
arrived() { until grep -q '^kalloc_watched .*Loading' /proc/modules; do sleep 0.1; done; sleep 0.3; }

section refused
try modprobe kalloc_watch order=9
try modprobe kalloc_watch order=25
try modprobe kalloc_watch sites=100
try modprobe kalloc_watch modules=a/b

section load; try modprobe kalloc_watch modules=kalloc_watched
section mode; stat -c '%a %u' /proc/kallocwatch $watch $watch.json
section idle; cat $watch; cat /proc/kallocwatch

try modprobe kalloc_watched leak=13
section loaded; sites
section table; cat /proc/kallocwatch
rmmod kalloc_watched; sleep 1
section unloaded; sites

# The module returns, at another address if another module takes its place.
modprobe kalloc_exercise; modprobe kalloc_watched leak=4; rmmod kalloc_watched kalloc_exercise; sleep 1
section reloaded; sites

section by-function; try put group function; cat /proc/kallocwatch
section by-module; try put group module; cat /proc/kallocwatch
section ungrouped; try put group site; cat /proc/kallocwatch

section commands
for command in '' nonsense 'add' 'add a/b' 'add kalloc_watched' 'add x 1 2' 'add x 0x10 0x20' 'add x 0x20' 'add x no_such_function' \
               'remove other' 'group colour' 'clear now' 'add a b c d'; do
    try put "$command"
done
section removed; try put remove kalloc_watched; cat $watch; sites

# Code of a module is no built-in code.
section module-code; modprobe kalloc_watched
code=$(awk '$3 ~ /^watched_(leak|rcu)$/ { print "0x" $1 }' /proc/kallsyms | sort)
try put add x watched_leak; try put add x watched_leak watched_rcu; try put add x $code
rmmod kalloc_watched

# A module that is added while it is loaded, before it is in sysfs. The probes are there already.
put add mounts alloc_fs_context
modprobe kalloc_watched pause=3000 leak=3 &
arrived
section coming; try put add kalloc_watched
wait; sites; rmmod kalloc_watched; put clear

# A probe is freed while a function that it has entered runs: for less and for more time than the
# probe's owner waits.
for pause in 3000 8000; do
    section reuse-$pause; modprobe kalloc_probe_reuse
    modprobe kalloc_watched pause=$pause &
    arrived; rmmod kalloc_probe_reuse
    wait; rmmod kalloc_watched; dmesg | grep -E 'kalloc(_probe_reuse)?: ' | tail -n 2
done

# Built-in code by a function, and by two.
section built-in; try put add dentries __d_alloc
try put add mounts alloc_fs_context alloc_fs_context
mkdir -p /run/t; for n in 1 2 3; do mount -t tmpfs none /run/t; : >/run/t/a$n; umount /run/t; done
sites; cat $watch
try put clear; cat $watch

# A module that is already loaded.
modprobe kalloc_exercise
section late; try put add kalloc_exercise; cat $watch
echo kbox count=10 size=64 >/sys/kernel/debug/kalloc/exercise; sites
rmmod kalloc_exercise; put clear

# Blocks that are older than the watch.
modprobe kalloc_watched leak=5
section older; try put add kalloc_watched; rmmod kalloc_watched; sites; put clear

# The same numbers as the module's own.
put add kalloc_exercise; modprobe kalloc_exercise
section own-watch; sites
section own-info; cat /sys/kernel/debug/kalloc/sites.json
rmmod kalloc_exercise; put clear

section all; try put add all
for n in 1 2 3 4 5; do sh -c ls >/dev/null; done
modprobe kalloc_watched; rmmod kalloc_watched; sleep 1
cat $watch; sites | wc -l
section all-sites; sites; put clear

section seek
put add kalloc_watched; modprobe kalloc_watched; rmmod kalloc_watched
cat /proc/kallocwatch >/run/whole
for bs in 1 7 100 4096; do dd if=/proc/kallocwatch bs=$bs 2>/dev/null | cmp - /run/whole && echo same; done
section nobody
echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
for file in /proc/kallocwatch $watch $watch.json; do try su -s /bin/sh nobody -c "cat $file"; done

# A table that is too small.
rmmod kalloc_watch
section full; modprobe kalloc_watch order=10 modules=kalloc_watched
modprobe kalloc_watched leak=20000; cat $watch; sites | grep watched_leak; rmmod kalloc_watched
sites | grep watched_leak
rmmod kalloc_watch

# Four processors allocate, a module is loaded again and again, readers and commands run, and the
# table is too small.
section stress; modprobe kalloc_watch order=10 modules=all; modprobe kalloc_exercise
exercise=/sys/kernel/debug/kalloc/exercise
for n in 1 2 3; do (for m in 1 2 3 4; do echo all count=1500 size=300 >$exercise; done 2>/dev/null) & done
(for n in $(seq 1 12); do cat /proc/kallocwatch $watch.json >/dev/null; put group function; put group site; done) &
for n in $(seq 1 12); do modprobe kalloc_watched leak=20; rmmod kalloc_watched; done
wait; rmmod kalloc_exercise
for n in $(seq 1 3); do put add kalloc_kv; put remove kalloc_kv; done
sleep 1; tail -n 1 $watch
sites | grep -c '"kalloc_watched/watched_leak'
sites | grep watched_leak

# In lockdown, which does not end.
rmmod kalloc_watch
modprobe kalloc_watch modules=kalloc_watched
modprobe kalloc_watched leak=6; rmmod kalloc_watched
mount -t securityfs none /sys/kernel/security
echo integrity >/sys/kernel/security/lockdown
section lockdown; grep watched_leak /proc/kallocwatch
try cat $watch; try sh -c "echo clear >$watch"; grep watched_leak $watch.json

section unload; try rmmod kalloc_watch
ls /proc/kallocwatch $watch 2>&1 | wc -l
