#!/bin/busybox sh
# shellcheck shell=sh disable=SC2154 # The variable `modules` is that of the kernel's command line.
# SPDX-License-Identifier: GPL-2.0-only
# The first process of a User-Mode Linux guest, whose root directory is the host's. The kernel's parameter `modules`
# names the build directory. Loads all of its modules in their order, unloads them in the opposite order, and ends the
# guest.
set -u
mount() { /bin/busybox mount "$@"; }
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debug /sys/kernel/debug
status=0 loaded=
while read -r module; do
    /bin/busybox insmod "$modules/${module%.o}.ko" || status=1
    loaded="${module%.o} $loaded"
done <"$modules/modules.order"
/bin/busybox cat /proc/kallocinfo
for module in $loaded; do
    /bin/busybox rmmod "${module##*/}" || status=1
done
[ $status -ne 0 ] || echo "kalloc: all modules were loaded and unloaded"
/bin/busybox poweroff -f
