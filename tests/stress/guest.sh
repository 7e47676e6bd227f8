# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the guest of a soak runs: rounds of kalloc_stress.ko, each with readers of all files, modules that
# come and go, processors that do, and processes that eat all memory. Each prints a line of what was done;
# "wrong" is what scripts/kalloc_env/soak.py fails on. Variables: rounds, seconds, loads, ops, eaters, lost.
# shellcheck disable=SC2154 # Set by whoever runs this.
folder=/sys/kernel/debug/kalloc

# Only the eater is to be killed: neither we nor who takes what we print.
for process in /proc/[0-9]*; do echo -1000 >"$process/oom_score_adj"; done 2>/dev/null
echo 0 >/proc/sys/vm/oom_dump_tasks
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/small
echo 24M >/sys/fs/cgroup/small/memory.max

# Something to do as long as a round lasts, and a line for each time that it was done.
while_busy() {
	while [ -e /tmp/busy ]; do "$@" && echo >>"/tmp/$1"; done
}

reads() {
	cat $folder/sites >>/tmp/sites
	for file in /proc/kallocinfo "$folder"/*; do cat "$file" >/tmp/text; done 2>/dev/null
	awk '/^stress/ && (NF != 16 || $2 > $3 || $2 > 1200) { print "wrong:", $0 }' /proc/kallocinfo
}

# The cache is there only while there is load.
sheaves() {
	cat /sys/kernel/slab/stress_rcu/sheaf_capacity >>/tmp/sheaf
	usleep 20000
}

loads() {
	modprobe "kalloc_$1" && rmmod "kalloc_$1"
}

plugs() {
	for cpu in /sys/devices/system/cpu/cpu*[13579]; do echo 0 >"$cpu/online"; done
	sleep 0.3
	for cpu in /sys/devices/system/cpu/cpu*[13579]; do echo 1 >"$cpu/online"; done
}

# Takes memory without end: in a small group, or all there is.
eats() {
	for procs in /sys/fs/cgroup/small/cgroup.procs /sys/fs/cgroup/cgroup.procs; do
		sh -c "echo \$\$ >$procs; echo 1000 >/proc/self/oom_score_adj; exec tail /dev/zero"
		sleep 0.2
	done
	true
}

# Pages in use that no list of the kernel's has, in slabs that nobody can reclaim, and in vmalloc areas, with all
# that can be had back had back. What a processor has at hand is free; stacks that debug kernels keep,
# in pools of four pages, are counted by them.
pages() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done 2>/dev/null
	# shellcheck disable=SC2002 # It may not be there.
	cat /sys/kernel/debug/stackdepot/stats 2>/dev/null | awk '/^ +count:/ { hand += $2 }
		/^pools:/ { stacks = 4 * $2 }
		/^[A-Z]/ { sub(":", "", $1); kib[$1] = $2 }
		END {
			lists = kib["Active"] + kib["Inactive"] + kib["Unevictable"]
			named = kib["Slab"] + kib["PageTables"] + kib["SecPageTables"] + kib["Percpu"] + kib["VmallocUsed"]
			rest = (kib["MemTotal"] - kib["MemFree"] - lists - named) / 4 - hand - stacks
			print int(rest), int(kib["SUnreclaim"] / 4), int(kib["VmallocUsed"] / 4 - kib["KernelStack"] / 4)
		}' /proc/zoneinfo /proc/meminfo -
}

# Objects of kmalloc's caches.
objects() {
	awk '/^(dma-)?kmalloc-/ { sum += $2 } END { print sum }' /proc/slabinfo
}

ours() {
	ls -d /proc/kallocinfo $folder /sys/module/kalloc* /sys/kernel/slab/stress_* /sys/kernel/slab/exercise_* \
		/sys/kernel/slab/map_* /sys/kernel/slab/kv_* 2>/dev/null
	grep -E "^(stress|exercise|map|kv)_" /proc/slabinfo
	grep "\[kalloc" /proc/vmallocinfo
}

round() {
	modprobe kalloc sample_ms=50
	: >/tmp/sites
	for what in reads loads plugs eats; do : >/tmp/$what; done
	touch /tmp/busy
	while_busy reads & jobs=$!
	while_busy sheaves 2>/dev/null & jobs="$jobs $!"
	for module in exercise map kv; do while_busy loads $module 2>/dev/null & jobs="$jobs $!"; done
	while_busy plugs 2>/dev/null & jobs="$jobs $!"
	if [ "$eaters" = 1 ]; then while_busy eats 2>/dev/null & jobs="$jobs $!"; fi
	# shellcheck disable=SC2086 # Words.
	modprobe kalloc_stress ops=$ops workers=8 seed="$1" || echo "wrong: kalloc_stress does not load"
	done=$(dmesg | sed -n 's/.*kalloc_stress: \([0-9]*\) operations by .*/\1/p' | tail -n 1)
	reads
	faults=$(awk '/^stress_/ { sum += $7 + $8 + $9 } END { print sum + 0 }' $folder/sites)
	rm /tmp/busy
	# shellcheck disable=SC2086 # Words.
	wait $jobs
	# Blocks in the slots, and in the hands of workers; half of what is freed while a row is read.
	awk 'NR == 1 { for (i = 2; i <= NF; i++) column[$i] = i - 1 }
		/^#/ { next }
		$1 !~ /^stress_/ { next }
		{
			live = $column["live"]; allocs = $column["allocs"]; frees = $column["frees"]
			if (live != allocs - frees || live < 0 || live > 1024 + 12 * 9 + 64 ||
			    allocs < last[$1] || frees < freed[$1] ||
			    $column["live_allocated"] < $column["live_bytes"] || $column["peak"] < live)
				print "wrong:", $0
			last[$1] = allocs; freed[$1] = frees; seen++
		}
		END { if (!seen) print "wrong: no rows" }' /tmp/sites
	rmmod kalloc_stress kalloc || echo "wrong: modules stay"
	ours | sed 's/^/wrong: left: /'
	echo "round $1 ops $((done)) loads $(wc -l </tmp/loads) plugs $(wc -l </tmp/plugs) reads $(wc -l </tmp/reads)" \
		"kills $(awk '/^oom_kill / { print $2 }' /proc/vmstat) faults $faults"
	# That lost pages are noticed is seen by having some lost, in a pipe that nobody reads.
	# shellcheck disable=SC2216
	if [ "$lost" -gt 0 ]; then { head -c $((lost * 4096)) /dev/zero; sleep 100000; } | sleep 100000 & fi
}

# The first round fills what the kernel keeps.
start=$(date +%s) number=0 loaded=0
while [ $number -lt "$rounds" ] || [ $loaded -lt "$loads" ] || [ $(($(date +%s) - start)) -lt "$seconds" ]; do
	round $number
	number=$((number + 1)) loaded=$((loaded + $(wc -l </tmp/loads)))
	echo "pages $(pages) objects $(objects)"
done
echo "sheaf $(sort -u /tmp/sheaf)"
