# SPDX-License-Identifier: GPL-2.0-only
# The work of test_watch.py: unmodified modules of the distribution, watched from their loading to
# their unloading, next to ftrace's histograms of the same tracepoints.

watch=/sys/kernel/debug/kalloc/watch tracing=/sys/kernel/tracing
section() { echo "@@ $1"; }

# The functions that allocate without a tracepoint: events at their returns, with the caller. Resizes
# and bulk allocations of slab objects are left out: these modules do not call them. The
# last argument of vmalloc's inner function is the caller of kvmalloc(). __probe_ret_ip and the
# result are those of the whole call.
functions="alloc_pages folio_alloc __folio_alloc alloc_pages_node get_free_pages get_zeroed_page alloc_pages_exact
    vmalloc vzalloc __vmalloc vmalloc_node vzalloc_node vmalloc_user vmalloc_32 vmalloc_32_user vmalloc_huge_node
    vcalloc __vcalloc vmalloc_array __vmalloc_array pcpu_alloc alloc_pages_bulk __vmalloc_node_range"
trace_functions() {
    for name in $functions; do
        grep -q " ${name}_noprof$" /proc/kallsyms || continue
        caller=
        [ $name = __vmalloc_node_range ] && caller=' caller=$arg9:x64'
        echo "f:oracle/$name ${name}_noprof%return r=\$retval:u64$caller" >>$tracing/dynamic_events || exit 1
    done
}

# Begins new histograms: an unloaded module's addresses are used again.
arm() {
    for event in kmem/kmalloc kmem/kmem_cache_alloc $(cd $tracing/events && ls -d oracle/*/); do
        event=${event%/} key=__probe_ret_ip sum=hitcount when=' if r != 0'
        case $event in
            kmem/*) key=call_site when= ;;
            */__vmalloc_node_range) key=caller ;;
            */alloc_pages_bulk) sum=r ;;
        esac
        hist="hist:keys=$key.hex:vals=$sum:size=8192$when"
        echo "!$hist" >$tracing/events/$event/trigger 2>/dev/null
        echo "$hist" >$tracing/events/$event/trigger || exit 1
    done
}

# Shows the histograms.
histograms() {
    section "$1-oracle"
    cat $tracing/events/kmem/kmalloc/hist $tracing/events/kmem/kmem_cache_alloc/hist $tracing/events/oracle/*/hist
}

# Shows the counters of a module's sites, ftrace's histograms, and the addresses of its code.
show() {
    section "$1-sites"; grep "\"module\":\"$1\"" $watch.json
    histograms "$1"
    section "$1-code"; grep "^$1 " $watch
    for file in .text .init.text; do
        echo "$file $(cat /sys/module/"$1"/sections/$file 2>/dev/null)"
    done
}

# Unloads modules, and shows the counters of the first one afterwards.
unload() {
    modprobe -r "$@" || echo "$* stays loaded"
    # RCU callbacks free the last blocks.
    sleep 0.5
    section "$1-unloaded"; grep "\"module\":\"$1\"" $watch.json
}

# Creates, reads, renames and removes files in a directory.
files() {
    for n in $(seq 1 12); do
        mkdir -p "$1/d$n"
        head -c $((n * 3000)) /dev/zero >"$1/d$n/f"
        ln -s f "$1/d$n/l"
        setfattr -n user.kalloc -v "$n" "$1/d$n/f" 2>/dev/null
    done
    sync
    cat "$1"/d*/f >/dev/null
    for n in $(seq 1 6); do mv "$1/d$n/f" "$1/d$n/g"; done
    for n in $(seq 3 9); do rm -r "$1/d$n"; done
    sync
}

depmod
mount -t tracefs tracefs $tracing
trace_functions
modprobe kalloc_watch modules=brd,null_blk,zram,veth,overlay,squashfs,nf_conntrack,nf_tables,xfs,btrfs sites=4096 || exit 1

arm
modprobe null_blk nr_devices=2 gb=1
dd if=/dev/nullb0 of=/dev/null bs=64k count=100 2>/dev/null
show null_blk; unload null_blk

arm
modprobe zram
echo 64M >/sys/block/zram0/disksize
mkfs.ext4 -q /dev/zram0; mount /dev/zram0 /mnt; files /mnt; umount /mnt
echo 1 >/sys/block/zram0/reset
show zram; unload zram

arm
for n in 1 2 3 4 5; do ip link add veth$n type veth peer name peer$n; ip link set veth$n up; ip link del veth$n; done
show veth; unload veth

arm
mkdir -p /run/o; mount -t tmpfs tmpfs /run/o; mkdir /run/o/lower /run/o/upper /run/o/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/o/upper,workdir=/run/o/work /mnt
cat /mnt/passwd >/dev/null; echo >>/mnt/passwd; files /mnt; umount /mnt
show overlay; unload overlay

arm
modprobe loop
mksquashfs /etc /run/o/etc.squashfs -quiet -no-progress
mount -o loop /run/o/etc.squashfs /mnt
find /mnt -type f -name "*.conf" -exec cat {} + >/dev/null 2>&1; umount /mnt
show squashfs; unload squashfs

arm
nft -f - <<'END'
table inet kalloc {
    set addresses { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.0.0/16 } }
    map ports { type inet_service : verdict; elements = { 22 : accept, 80 : drop } }
    chain input { type filter hook input priority 0; ip saddr @addresses drop; ct state established accept; tcp dport vmap @ports; counter; }
}
END
ip link set lo up
for n in 1 2 3; do ping -c 1 -W 1 127.0.0.1 >/dev/null; done
nft list ruleset >/dev/null; nft flush ruleset
show nf_tables
show nf_conntrack
unload nf_tables nft_ct nft_chain_filter 2>/dev/null
rmmod nft_ct nf_tables 2>/dev/null
for module in $(lsmod | awk '/^nf|^nft/ {print $1}'); do rmmod "$module" 2>/dev/null; done
unload nf_conntrack
section nf_tables-unloaded; grep '"module":"nf_tables"' $watch.json

arm
modprobe brd rd_nr=1 rd_size=10000
dd if=/dev/zero of=/dev/ram0 bs=1M count=4 conv=fsync 2>/dev/null
show brd; unload brd
section idle; cat $watch

modprobe brd rd_nr=2 rd_size=400000
mkfs.xfs -q /dev/ram0
arm
mount /dev/ram0 /mnt; files /mnt; umount /mnt
show xfs; unload xfs

mkfs.btrfs -q /dev/ram1
arm
mount /dev/ram1 /mnt; files /mnt; umount /mnt
show btrfs; unload btrfs


# Built-in code, by the addresses of its first and its last function.
end=$(awk '$3 == "_etext" { print $1 }' /proc/kallsyms)
awk -v end="$end" '$2 ~ /[tT]/ && $3 ~ /^ext4_[^.]*$/ && $1 < end' /proc/kallsyms | sort >/run/symbols
first=$(head -n 1 /run/symbols | cut -c 1-16) last=$(tail -n 1 /run/symbols | cut -c 1-16)
section ext4-symbols; awk -v first="$first" -v last="$last" '$2 ~ /[tT]/ && $1 >= first && $1 <= last' /proc/kallsyms
mkfs.ext4 -q /dev/ram0
echo "add ext4 0x$first 0x$last" >$watch
arm
mount /dev/ram0 /mnt; files /mnt; umount /mnt
# RCU callbacks free the last blocks.
sleep 1
histograms ext4
section ext4-sites; grep '"module":"vmlinux"' $watch.json
echo clear >$watch
rmmod brd
section list; cat $watch
section unload; rmmod kalloc_watch && rmmod kalloc; echo $?
