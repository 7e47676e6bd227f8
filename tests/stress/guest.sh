# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the guest of a soak runs: rounds of kalloc_stress.ko, each with readers of all files, modules that
# come, are used by processes, and go, processors that do, and processes that eat all memory. Each prints a
# line of what was done; "wrong" is what scripts/kalloc_dev/test/soak.py fails on. Variables: rounds, seconds, loads, ops, eaters, lost.
# shellcheck disable=SC2154 # Set by whoever runs this.
folder=/sys/kernel/debug/kalloc

# Only the eater is to be killed: neither we nor who takes what we print.
for process in /proc/[0-9]*; do echo -1000 >"$process/oom_score_adj"; done 2>/dev/null
echo 0 >/proc/sys/vm/oom_dump_tasks
# It is given all that it asks for, and soon.
echo 1 >/proc/sys/vm/overcommit_memory
{ echo always >/sys/kernel/mm/transparent_hugepage/enabled; } 2>/dev/null
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/small /sys/fs/cgroup/keys
echo 24M >/sys/fs/cgroup/small/memory.max
echo 8M >/sys/fs/cgroup/keys/memory.max
nodes=$(cat /sys/devices/system/node/online)
[ "$nodes" = 0-1 ] || echo "wrong: the nodes are $nodes"

# Something to do as long as a round lasts; what was done has a line each.
while_busy() {
	while [ -e /tmp/busy ]; do "$@"; done
}

did() {
	echo "$1" >>/tmp/did
}

read_all() {
	for file in "$@"; do cat "$file" >/dev/null && did "read:${file##*/}"; done
}

reads() {
	cat $folder/sites >>/tmp/sites
	read_all /proc/kalloc* "$folder"/[!c]*
	awk '/^stress/ && (NF != 16 || $2 > $3 || $2 > 1200) { print "wrong:", $0 }' /proc/kallocinfo
}

# The cache is there only while there is load.
sheaves() {
	cat /sys/kernel/slab/stress_rcu/sheaf_capacity >>/tmp/sheaf
	usleep 20000
}

# What processes do with a module: read its files, give it commands, keep keys in it. Of memory there may be
# none; in the group that is for keys, there is not enough.
uses() {
	case $1 in
	# What it takes seconds to measure, not each time.
	compare)
		read_all $folder/layout
		[ $((number % 4)) -gt 0 ] || read_all $folder/compare
		;;
	map) read_all /dev/kalloc_map ;;
	exercise)
		commands "all count=20 keep=3" & commands "all count=3 size=16000" &
		read_all $folder/exercise
		wait
		echo free >$folder/exercise
		;;
	kv)
		keys / 32 & keys /keys 128 &
		read_all /proc/kalloc_kv
		wait
		;;
	esac
}

commands() {
	if said=$({ echo "$1" >$folder/exercise; } 2>&1); then
		did command
	elif [ "${said%Cannot allocate memory}" = "$said" ]; then
		echo "wrong: $said"
	fi
}

keys() {
	sh -c "echo \$\$ >/sys/fs/cgroup$1/cgroup.procs; exec kv_life $2"
	case $1:$? in
	/:0 | /:12) did keys ;;
	/keys:12) did limit ;;
	*) echo "wrong: keys: status $?" ;;
	esac
}

# What its modules' sites have live when a module has been used, is lost.
loads() {
	modprobe "kalloc_$1" || return
	uses "$1"
	awk -v module="kalloc_$1" '$16 == module && $4 { print "wrong: live:", $0 }' $folder/sites
	until rmmod "kalloc_$1"; do usleep 10000; done
	did "load:$1"
}

plugs() {
	last=$(cat /sys/devices/system/cpu/present)
	for state in 0 1; do
		for cpu in /sys/devices/system/cpu/cpu*[13579]; do echo $state >"$cpu/online"; done
		online=$(cat /sys/devices/system/cpu/online)
		case $state:$online in
		0:"$(seq -s , 0 2 "${last#0-}")" | 1:"$last") ;;
		*) echo "wrong: the processors are $online" ;;
		esac
		[ $state = 1 ] || sleep 0.3
	done
	did plug
}

# Takes memory without end: in a group, or all there is.
eats() {
	sh -c "echo \$\$ >/sys/fs/cgroup$1/cgroup.procs; echo 1000 >/proc/self/oom_score_adj; renice -20 \$\$;
		exec dd if=/dev/zero of=/dev/null bs=1G"
	sleep 0.2
}

# Somebody who may be killed must always be there, also when the one who took all memory has just gone: the kernel gives up
# if it finds nobody.
stands_by() {
	while :; do sh -c "echo 0 >/proc/self/oom_score_adj; exec sleep 60"; done 2>/dev/null
}
if [ "$eaters" = 1 ]; then stands_by & stands_by & stands_by & fi

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

# Objects of each slab cache.
slabs() {
	awk 'NR > 2 { print $1, $2 }' /proc/slabinfo
}

ours() {
	ls -d /proc/kallocinfo $folder /sys/module/kalloc* /sys/kernel/slab/stress_* /sys/kernel/slab/exercise_* \
		/sys/kernel/slab/map_* /sys/kernel/slab/kv_* /sys/kernel/slab/compare_* 2>/dev/null
	grep -E "^(stress|exercise|map|kv|compare)_" /proc/slabinfo
	grep "\[kalloc" /proc/vmallocinfo
}

round() {
	modprobe kalloc sample_ms=50
	: >/tmp/sites
	: >/tmp/did
	touch /tmp/busy
	while_busy reads 2>/dev/null & jobs=$!
	while_busy sheaves 2>/dev/null & jobs="$jobs $!"
	for module in compare exercise kv map; do while_busy loads $module 2>/dev/null & jobs="$jobs $!"; done
	while_busy plugs 2>/dev/null & jobs="$jobs $!"
	if [ "$eaters" = 1 ]; then
		for group in / /small; do while_busy eats $group 2>/dev/null & jobs="$jobs $!"; done
	fi
	# shellcheck disable=SC2086 # Words.
	modprobe kalloc_stress ops=$ops workers=8 seed="$1" || echo "wrong: kalloc_stress does not load"
	done=$(dmesg | sed -n 's/.*kalloc_stress: \([0-9]*\) operations by .*/\1/p' | tail -n 1)
	reads 2>/dev/null
	# Not those that were refused because nobody could have them.
	faults=$(awk '/^stress_/ { sum += $7 + $8 } END { print sum + 0 }' $folder/sites)
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
	echo "round $1 ops $((done)) faults $faults" \
		"$(awk '{ times[$0]++ } END { for (what in times) printf "%s %d ", what, times[what] }' /tmp/did)"
	# That lost pages are noticed is seen by having some lost, in a pipe that nobody reads.
	# shellcheck disable=SC2216
	if [ "$lost" -gt 0 ]; then { head -c $((lost * 4096)) /dev/zero; sleep 100000; } | sleep 100000 & fi
}

# The first round fills what the kernel keeps.
start=$(date +%s) number=0 loaded=0
while [ $number -lt "$rounds" ] || [ $loaded -lt "$loads" ] || [ $(($(date +%s) - start)) -lt "$seconds" ]; do
	round $number
	number=$((number + 1)) loaded=$((loaded + $(grep -c ^load: /tmp/did)))
	echo pages "$(pages)"
	# shellcheck disable=SC2046 # Words of one line.
	echo slabs $(slabs)
done
echo "sheaf $(sort -u /tmp/sheaf)"

# kmemleak reports an object that is five seconds old and has not changed since the scan before.
leaks=/sys/kernel/debug/kmemleak
if [ -e $leaks ]; then
	for scan in 1 2; do
		echo scan >$leaks && echo "scan $scan"
		sleep 7
	done
	awk '{ print "wrong: kmemleak:", $0 }' $leaks
fi
