# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The script of the guest of a soak test: rounds of kalloc_stress.ko. During each round, processes
# read all files, load, use and unload modules, take CPUs offline and online, and use up all memory.
# Each process prints one line for each of its operations; scripts/kalloc_dev/test/soak.py fails on
# lines with "wrong". Variables: rounds, seconds, loads, ops, eaters, lost.
# shellcheck disable=SC2154 # The caller sets them.
directory=/sys/kernel/debug/kalloc

# The OOM killer must kill only the eater: neither this shell nor the reader of its output.
for process in /proc/[0-9]*; do echo -1000 >"$process/oom_score_adj"; done 2>/dev/null
echo 0 >/proc/sys/vm/oom_dump_tasks
# The eater gets all memory that it requests, and soon.
echo 1 >/proc/sys/vm/overcommit_memory
{ echo always >/sys/kernel/mm/transparent_hugepage/enabled; } 2>/dev/null
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/small /sys/fs/cgroup/keys
echo 24M >/sys/fs/cgroup/small/memory.max
echo 8M >/sys/fs/cgroup/keys/memory.max
nodes=$(cat /sys/devices/system/node/online)
[ "$nodes" = 0-1 ] || echo "wrong: the nodes are $nodes"

# Repeats an operation as long as a round lasts. Each operation logs one line in /tmp/did.
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
	cat $directory/sites >>/tmp/sites
	read_all /proc/kalloc* "$directory"/[!c]*
	awk '/^stress/ && (NF != 16 || $2 > $3 || $2 > 1200) { print "wrong:", $0 }' /proc/kallocinfo
}

# The cache exists only while there is load.
sheaves() {
	cat /sys/kernel/slab/stress_rcu/sheaf_capacity >>/tmp/sheaf
	usleep 20000
}

# Uses a module: reads its files, writes commands, keeps keys in it. All allocations may fail; the
# cgroup for keys has too little memory.
uses() {
	case $1 in
	# The comparison takes seconds, so it is read only in every fourth round.
	compare)
		read_all $directory/layout
		[ $((number % 4)) -gt 0 ] || read_all $directory/compare
		;;
	map) read_all /dev/kalloc_map ;;
	exercise)
		commands "all count=20 keep=3" & commands "all count=3 size=16000" &
		read_all $directory/exercise
		wait
		echo free >$directory/exercise
		;;
	kv)
		keys / 32 & keys /keys 128 &
		read_all /proc/kalloc_kv
		wait
		;;
	esac
}

commands() {
	if said=$({ echo "$1" >$directory/exercise; } 2>&1); then
		did command
	elif [ "${said%Cannot allocate memory}" = "$said" ]; then
		echo "wrong: $said"
	fi
}

keys() {
	sh -c "echo \$\$ >/sys/fs/cgroup$1/cgroup.procs; exec kv_test $2"
	case $1:$? in
	/:0 | /:12) did keys ;;
	/keys:12) did limit ;;
	*) echo "wrong: keys: status $?" ;;
	esac
}

# Loads, uses and unloads a module. Memory that is still live at its sites then is lost.
loads() {
	modprobe "kalloc_$1" || return
	uses "$1"
	awk -v module="kalloc_$1" '$16 == module && $4 { print "wrong: live:", $0 }' $directory/sites
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

# Allocates memory without end: in a cgroup, or all of the machine's memory.
eats() {
	sh -c "echo \$\$ >/sys/fs/cgroup$1/cgroup.procs; echo 1000 >/proc/self/oom_score_adj; renice -20 \$\$;
		exec dd if=/dev/zero of=/dev/null bs=1G"
	sleep 0.2
}

# Processes that the OOM killer may kill at any time, even just after the eater has exited: the
# kernel panics if it finds none.
stands_by() {
	while :; do sh -c "echo 0 >/proc/self/oom_score_adj; exec sleep 60"; done 2>/dev/null
}
if [ "$eaters" = 1 ]; then stands_by & stands_by & stands_by & fi

# Prints three numbers of pages after reclaiming all that is reclaimable: pages in use that are on
# no list of the kernel, pages in unreclaimable slabs, and pages in vmalloc areas. Pages that a CPU
# caches are free. Debug kernels count their stack depot in pools of four pages.
pages() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done 2>/dev/null
	# shellcheck disable=SC2002 # The file may not exist.
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

# Prints the number of objects of each slab cache.
slabs() {
	awk 'NR > 2 { print $1, $2 }' /proc/slabinfo
}

ours() {
	ls -d /proc/kallocinfo $directory /sys/module/kalloc* /sys/kernel/slab/stress_* /sys/kernel/slab/exercise_* \
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
	# shellcheck disable=SC2086 # Split into words.
	modprobe kalloc_stress ops=$ops workers=8 seed="$1" || echo "wrong: kalloc_stress does not load"
	done=$(dmesg | sed -n 's/.*kalloc_stress: \([0-9]*\) operations by .*/\1/p' | tail -n 1)
	reads 2>/dev/null
	# Without the requests that are always rejected.
	faults=$(awk '/^stress_/ { sum += $7 + $8 } END { print sum + 0 }' $directory/sites)
	rm /tmp/busy
	# shellcheck disable=SC2086 # Split into words.
	wait $jobs
	# The bound covers the blocks in the slots and those that workers hold, and half of the
	# frees during a read of a row.
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
	# A pipe without a reader loses pages on purpose, so that a test can check the report.
	# shellcheck disable=SC2216
	if [ "$lost" -gt 0 ]; then { head -c $((lost * 4096)) /dev/zero; sleep 100000; } | sleep 100000 & fi
}

# The first round fills the kernel's caches.
start=$(date +%s) number=0 loaded=0
while [ $number -lt "$rounds" ] || [ $loaded -lt "$loads" ] || [ $(($(date +%s) - start)) -lt "$seconds" ]; do
	round $number
	number=$((number + 1)) loaded=$((loaded + $(grep -c ^load: /tmp/did)))
	echo pages "$(pages)"
	# shellcheck disable=SC2046 # Words of one line.
	echo slabs $(slabs)
done
echo "sheaf $(sort -u /tmp/sheaf)"

# kmemleak reports an object that is five seconds old and has not changed since the previous scan.
leaks=/sys/kernel/debug/kmemleak
if [ -e $leaks ]; then
	for scan in 1 2; do
		echo scan >$leaks && echo "scan $scan"
		sleep 7
	done
	awk '{ print "wrong: kmemleak:", $0 }' $leaks
fi
