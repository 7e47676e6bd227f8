# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the guest of the KUnit suites runs: the suites, then what only the life of modules
# shows. What each section prints is held against scripts/kalloc_dev/test/kunit.py. After a section's
# name come the kernel's options that it needs, and how new it must be; on one that lacks any it is left out.
# shellcheck disable=SC2004 # Sizes and places are expressions, put in as they are.
section() {
	echo "@@ $1"
	echo "<6>kalloc-test: $1" >/dev/kmsg
}

# For how many seconds more each allocation is refused, and not only some. Whoever runs this says until when.
# shellcheck disable=SC2154
left() {
	now=$(date +%s)
	echo $((until > now ? until - now : 0))
}

# Bytes, of which what follows has whole ones and parts.
page=$(awk '/^KernelPageSize:/ { print 1024 * $2; exit }' /proc/self/smaps)

# kmemleak looks when it is asked: by itself it does so at any time, for seconds.
echo scan=off 2>/dev/null >/sys/kernel/debug/kmemleak

section suites
modprobe kalloc_kunit || exit

# What a site of an example has left is said when the module goes.
section examples
modprobe kalloc_doctests && rmmod kalloc_doctests
echo $?

# vmalloc memory and mappings that the suites drop where nothing may sleep are gone soon, and not only
# when the modules are. Each area has the function that made it, and its module; whoever is asked
# must know any.
section dropped_memory_is_freed_soon DEBUG_FS SLUB_DEBUG
echo >/sys/kernel/debug/kalloc_kunit/late
sleep 1
grep -q "load_module\|execmem" /proc/vmallocinfo && echo known
grep "\[kalloc" /proc/vmallocinfo
# So are caches whose objects were there last.
awk '$1 == "kunit_user_record" { print "caches known" } $1 == "kunit_user_late"' /proc/slabinfo

# What a process writes into pages comes back, and nothing else: whole blocks, parts with zeroes behind
# them, too much, nothing. Then across pages, at any place; what is not written stays.
section copies_are_whole DEBUG_FS
cd /sys/kernel/debug/kalloc_kunit || exit
length=$((4 * page)) piece=$((page + 900))
head -c $((5 * page)) /dev/urandom >/tmp/data
for size in 4*page 4*page-1 page+1 page 1 5*page; do
	head -c $(($size)) /tmp/data >/tmp/in
	dd if=/tmp/in of=block bs=$((5 * page)) 2>/dev/null
	head -c $(($size)) /tmp/data | cat - /dev/zero | head -c $length >/tmp/want
	cat block >/tmp/got
	cmp /tmp/want /tmp/got && echo "block $size"
done
head -c $length /dev/zero >/tmp/want
for place in 0 page-1 page 2*page-200 4*page-1; do
	for file in /tmp/want array; do
		dd if=/tmp/data of=$file bs=$piece count=1 seek=$(($place)) oflag=seek_bytes conv=notrunc 2>/dev/null
	done
	head -c $length /tmp/want >/tmp/cut && mv /tmp/cut /tmp/want
	cat array >/tmp/got
	cmp /tmp/want /tmp/got && echo "array $place"
done
head -c 16 /tmp/data >name
head -c 16 /tmp/data | cmp - name && echo name
head -c 15 /tmp/data >name 2>/dev/null || echo part of a name
cd /

# A cache is what its options say.
section options_reach_the_kernel HARDENED_USERCOPY SLUB_DEBUG
cd /sys/kernel/slab/kunit_user_record || exit
cat align hwcache_align reclaim_account usersize
cd /

# Records are shown alike wherever a reader begins, and in whatever pieces it reads; a file that has
# gone is not read any more, but whoever has it open does not keep the module.
section files_show_records DEBUG_FS
file=/proc/kalloc_kunit
stat -c %a $file /proc/kalloc_kunit_wild
tr -d x <$file
echo $(($(wc -c <$file) - 5 * page / 2))
for size in 1 7 page 5*page; do dd if=$file bs=$(($size)) 2>/dev/null | cmp - $file && echo "pieces $size"; done
cmp $file /sys/kernel/debug/kalloc/kunit && echo debugfs
tail -c 4 $file
timeout 10 cat /proc/kalloc_kunit_wild
exec 3<$file; exec 4</sys/kernel/debug/kalloc/kunit
head -c 2 <&3; head -c 2 <&4; echo
rmmod kalloc_kunit
for fd in 3 4; do cat <&$fd 2>/dev/null; echo "gone $?"; done
exec 3<&-; exec 4<&-
echo kalloc_site >/sys/module/kunit/parameters/filter_glob
modprobe kalloc_kunit

# Each call of a reader ends: with an error that C does not act on, wherever the reader seeks; at a signal, if the
# records never end; with an error, if a record is too large. A guest whose reader does not end has nothing left to do.
section readers_end
came() { echo "$1 $(wc -c </tmp/got) $(sed -n 's/.*: //p' /tmp/said)"; }
ends() {
	"$@" >/tmp/got 2>/tmp/said &
	for signal in 0 0 0 0 0 USR1 0 0 TERM 0 0 0 0 0 0 0 0 0 0 0 0 0; do
		kill -$signal $! 2>/dev/null || break
		sleep 0.2
	done
	kill -0 $! 2>/dev/null && echo "$* goes on" && exit
	wait $!
	came $?
}
for file in again queued; do
	for skip in 0 1; do ends dd if=/proc/kalloc_kunit_$file bs=1 count=1 skip=$skip; done
done
ends cat /proc/kalloc_kunit_empty
ends dd if=/proc/kalloc_kunit_empty bs=1 count=1 skip=1
ends dd if=/proc/kalloc_kunit_endless bs=1 count=1 skip=1000000000000000
# A signal that does not kill: a shell catches it.
ends sh -c 'trap "exit 7" USR1; read -r line </proc/kalloc_kunit_empty'
# The largest record is read in one piece.
wc -c </proc/kalloc_kunit_largest
for file in larger padded; do
	cat /proc/kalloc_kunit_$file >/tmp/got 2>/tmp/said
	came $?
done

# A cache that was forgotten goes with its module, so that the module can come back.
section modules_come_back
rmmod kalloc_kunit
echo kalloc_site >/sys/module/kunit/parameters/filter_glob
modprobe kalloc_kunit && rmmod kalloc_kunit
echo $?
grep kunit_ /proc/slabinfo /proc/kallocinfo

# A module that uses another one's sites leaves nothing of its own with them: it does not load if it could.
section sites_are_their_modules
modprobe kalloc_borrower && rmmod kalloc_borrower
echo $?
modprobe kalloc_borrower && awk '/^owner_/ { print $1, $2 }' /proc/kallocinfo
rmmod kalloc_borrower kalloc_owner
grep -c owner_ /proc/kallocinfo

# At least what is live was the most that was. Sites have names and types with whatever a type may have.
section sites_say_what_is_so DEBUG_FS
modprobe kalloc_exercise
echo all count=20 size=5000 keep=3 >/sys/kernel/debug/kalloc/exercise
sites=/sys/kernel/debug/kalloc/sites
awk '$1 != "#" && ($12 < $4 || $13 < $10 || $14 < $11)' $sites
awk '$1 != "#" && $11 > $10 && $4 { more = 1 } END { print more }' $sites
rmmod kalloc_exercise
echo kalloc_site >/sys/module/kunit/parameters/filter_glob
modprobe kalloc_kunit
sed -n 's/^.*"name":"kunit_site_mark",.*"type":\(".*"\),"module".*$/\1/p' $sites.json
rmmod kalloc_kunit

section the_readme_driver_works
modprobe kalloc_readme
awk '/^driver_/ { print $1, $2 }' /proc/kallocinfo
rmmod kalloc_readme

# The cache's rows have the same geometry.
section workloads_are_clean DEBUG_FS SLUB_DEBUG
modprobe kalloc_exercise
file=/sys/kernel/debug/kalloc/exercise
echo all count=20 size=5000 keep=3 >$file
grep -c "3 .* 0 ok$" $file
for info in kallocinfo slabinfo; do awk '/^exercise_cache / { print $4, $5, $6 }' /proc/$info; done | uniq | wc -l
rmmod kalloc_exercise kalloc

# Whatever is given to the files, devices and parameters, and whoever is killed at it.
section hostile_input_is_refused DEBUG_FS LINUX_7_3
modprobe -a kalloc_exercise kalloc_compare kalloc_kv kalloc_map
# shellcheck disable=SC2154,SC2086 # Set by whoever runs this; words.
hostile $hostile
echo "status $?"
rmmod kalloc_exercise kalloc_compare kalloc_kv kalloc_map kalloc

# The program that does so has a word to say of a file that takes whatever it is given.
section hostile_input_is_noticed DEBUG_FS LINUX_7_3
modprobe kalloc_exercise count=1 keep=1
file=/sys/kernel/debug/kalloc/exercise
: >/tmp/taken
mount --bind /tmp/taken $file
hostile --rounds 2 commands >/tmp/said
echo $?
grep -c "^WRONG commands (seed 1, round 0): '" /tmp/said | sed 's/[1-9][0-9]*/some/'
umount $file
rmmod kalloc_exercise kalloc

# Calls that are refused memory fail with an error, or do without; each line of the program's is a kind.
section refusals_leave_nothing FAIL_PAGE_ALLOC FAILSLAB LINUX_7_3
kalloc_faults "$(left)" || echo "status $?"

# So do the cases of the suites, which are functions of another module for that.
section refused_cases_leave_nothing FAIL_PAGE_ALLOC FAILSLAB
modprobe kalloc_fault_injection seconds="$(left)"
echo $?
dmesg | sed -n 's/.*kalloc_fault_injection: //p'
rmmod kalloc_fault_injection

section modules_leave_nothing
rmmod kalloc 2>/dev/null
ls -d /proc/kallocinfo /sys/kernel/debug/kalloc /sys/kernel/slab/*exercise* /sys/kernel/slab/*driver* 2>/dev/null

# Somebody else has a folder of that name: the files are in it, and go with it; what is left of them is not
# touched when the modules go. If it is a file, there are none.
section anothers_folder_may_go DEBUG_FS
modprobe kalloc_debugfs_conflict && modprobe kalloc_exercise count=1 keep=1
ls /sys/kernel/debug/kalloc
rmmod kalloc_debugfs_conflict
ls /sys/kernel/debug/kalloc 2>/dev/null
rmmod kalloc_exercise kalloc
echo $?
modprobe kalloc_debugfs_conflict file=1 && modprobe kalloc_exercise count=1 keep=1 && cat /sys/kernel/debug/kalloc
rmmod kalloc_exercise kalloc kalloc_debugfs_conflict
echo $?

# kmemleak looks at an object once it is five seconds old, and reports it if it has not changed since
# the scan before.
section kmemleak_finds_nothing DEBUG_KMEMLEAK
start=$(date +%s)
echo scan >/sys/kernel/debug/kmemleak && echo scanned
while [ $(($(date +%s) - start)) -lt 7 ]; do sleep 0.5; done
echo scan >/sys/kernel/debug/kmemleak && echo scanned
cat /sys/kernel/debug/kmemleak

# The leaked object keeps its cache, whose name is therefore still taken. Nobody else minds.
section a_leak_is_said
modprobe kalloc_leak && wc -c </proc/leak_file && rmmod kalloc_leak; ls /proc/leak_file 2>/dev/null
modprobe kalloc_leak 2>/dev/null
echo "again $?"
modprobe kalloc_exercise count=1 keep=1
grep -c " ok$" /sys/kernel/debug/kalloc/exercise 2>/dev/null
rmmod kalloc_exercise
echo $?

# The directory in debugfs, of which an owner was forgotten, and the one in it: they go with kalloc.ko, and are
# not in its way when it comes back.
section a_forgotten_directory_goes DEBUG_FS
ls /sys/kernel/debug/kalloc
rmmod kalloc
ls -d /sys/kernel/debug/kalloc 2>/dev/null
modprobe kalloc_exercise count=1 keep=1
ls /sys/kernel/debug/kalloc
rmmod kalloc_exercise kalloc
echo $?
ls -d /sys/kernel/debug/kalloc 2>/dev/null || true
