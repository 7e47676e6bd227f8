# SPDX-License-Identifier: GPL-2.0-only
# Runs upstream's drivers. The kernel traces every allocation, independently of kalloc.
T=/sys/kernel/tracing
CONFIG=/sys/kernel/config
mount -t tracefs tracefs $T 2>/dev/null
modprobe kalloc || exit

# The tracepoints, and the size that each has.
EVENTS="kmem/kmalloc:bytes_req kmem/kmem_cache_alloc:bytes_req kmem/mm_page_alloc:order vmalloc/alloc_vmap_area:size"

# each COMMAND: runs the command for each tracepoint, with its name and its histogram.
each()
{
	for event in $EVENTS; do
		$1 ${event%:*} "hist:keys=common_stacktrace,${event#*:}:size=32768"
	done
}

# begin: forgets what was traced, and traces.
begin()
{
	each trace
}
trace()
{
	echo "$2" >$T/events/$1/trigger || exit
}

# shown NAME: shows what was traced and counted, while the driver is loaded, and its blocks.
shown()
{
	NAME=$1
	each histogram
	echo "@@ sites $NAME"
	cat /sys/kernel/debug/kalloc/sites.json
	each untrace
}
histogram()
{
	echo "@@ ${1#*/} $NAME"
	cat $T/events/$1/hist
}
untrace()
{
	echo "!$2" >$T/events/$1/trigger
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
