# SPDX-License-Identifier: GPL-2.0-only
# Runs upstream's drivers. The kernel traces every allocation, independently of kalloc.
T=/sys/kernel/tracing
CONFIG=/sys/kernel/config
mount -t tracefs tracefs $T 2>/dev/null
modprobe kalloc || exit

# The calls of the functions that allocate or resize, to which the linker or a type has redirected
# the driver. The kernel has no probes in its own functions for Rust. The first word on the stack is
# the return address. All other calls are events of kmalloc.
CALLS=""
probe()
{
	CALLS="$CALLS $1"
	echo "p:kalloc/$1 $2 size=%si:u64 ip=\$stack0:x64" >>$T/kprobe_events || exit
}
probe k __wrap_rust_helper_krealloc_node_align
probe kv __wrap_rust_helper_kvrealloc_node_align
probe v __wrap_rust_helper_vrealloc_node_align
probe pages __wrap_rust_helper_alloc_pages
probe typed "$(awk '$3 ~ /^kalloc_helper_krealloc_/ { print $3 }' /proc/kallsyms)"
KMALLOC="hist:keys=call_site.sym:vals=bytes_alloc:size=8192"
SIZES="hist:keys=ip.sym,size:size=8192"

# begin: forgets what was traced, and traces.
begin()
{
	echo "$KMALLOC" >$T/events/kmem/kmalloc/trigger
	for call in $CALLS; do echo "$SIZES" >$T/events/kalloc/$call/trigger; done
}

# shown NAME: shows what was traced and counted, while the driver is loaded, and its blocks.
shown()
{
	echo "@@ kmalloc $1"
	cat $T/events/kmem/kmalloc/hist
	for call in $CALLS; do
		echo "@@ $call $1"
		cat $T/events/kalloc/$call/hist
	done
	echo "@@ sites $1"
	cat /sys/kernel/debug/kalloc/sites.json
	echo "!$KMALLOC" >$T/events/kmem/kmalloc/trigger
	for call in $CALLS; do echo "!$SIZES" >$T/events/kalloc/$call/trigger; done
}

insmod configfs.ko && mount -t configfs none $CONFIG || exit

begin
insmod rnull_mod.ko || exit
echo "@@ work rnull_mod"
for disk in 0 1 2 3; do
	mkdir $CONFIG/rnull/disk$disk && echo $((disk % 2)) >$CONFIG/rnull/disk$disk/irqmode || exit
	echo 64 >$CONFIG/rnull/disk$disk/size && echo 1 >$CONFIG/rnull/disk$disk/power || exit
	dd if=/dev/zero of=/dev/disk$disk bs=64k count=200 2>&1 | head -1
	dd if=/dev/disk$disk of=/dev/null bs=64k count=200 2>&1 | head -1
	echo 0 >$CONFIG/rnull/disk$disk/power && rmdir $CONFIG/rnull/disk$disk || exit
done
shown rnull_mod
rmmod rnull_mod || exit

for sample in minimal misc_device configfs debugfs debugfs_scoped driver_pci driver_faux driver_platform; do
	begin
	insmod rust_$sample.ko || continue
	echo "@@ work rust_$sample"
	case $sample in
	misc_device) for turn in 1 2 3; do echo >/dev/rust-misc-device; cat /dev/rust-misc-device; done ;;
	configfs) mkdir $CONFIG/rust_configfs/one && echo hello >$CONFIG/rust_configfs/one/bar
		rmdir $CONFIG/rust_configfs/one ;;
	debugfs_scoped) echo "one 1 2 3" >/sys/kernel/debug/rust_scoped_debugfs/control/create
		echo one >/sys/kernel/debug/rust_scoped_debugfs/control/remove ;;
	esac 2>&1
	shown rust_$sample
	rmmod rust_$sample || exit
done
umount $CONFIG && rmmod configfs || exit

# Upstream's binder is never unloaded: it would leave its file system registered.
begin
insmod rust_binder.ko && mkdir /binder && mount -t binder binder /binder || exit
echo "@@ work rust_binder"
binder_transactions /binder/binder 3 400
umount /binder
# The deferred work of the last process.
sleep 1
shown rust_binder
