# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The script of the guest for the KUnit suites: the suites, then checks that need modules to be
# loaded and unloaded. scripts/kalloc_dev/test/kunit.py compares the output of each section. A
# section's name is followed by the kernel options that it needs, and the oldest kernel release. The
# section is left out if the kernel lacks one of them.
# shellcheck disable=SC2004 # Sizes and offsets are expressions, inserted as they are.
section() {
	echo "@@ $1"
	echo "<6>kalloc-test: $1" >/dev/kmsg
}

# Prints the seconds that remain for making each allocation fail; afterwards only some of them fail.
# The caller sets $until.
# shellcheck disable=SC2154
left() {
	now=$(date +%s)
	echo $((until > now ? until - now : 0))
}

# The page size in bytes, for whole pages and parts of pages.
page=$(awk '/^KernelPageSize:/ { print 1024 * $2; exit }' /proc/self/smaps)

# Disables the periodic scan of kmemleak, which takes seconds and could start at any time.
echo scan=off 2>/dev/null >/sys/kernel/debug/kmemleak

section suites
modprobe kalloc_kunit || exit

# Unloading the module logs all objects that an example has leaked at a site.
section examples
modprobe kalloc_doctests && rmmod kalloc_doctests
echo $?

# vmalloc memory and mappings that the suites drop in atomic context are freed soon, before the
# modules are unloaded. /proc/vmallocinfo lists each area with its caller and the caller's module.
# The check requires that it lists at least one known area.
section deferred_free DEBUG_FS SLUB_DEBUG
echo >/sys/kernel/debug/kalloc_kunit/late
sleep 1
grep -q "load_module\|execmem" /proc/vmallocinfo && echo known
grep "\[kalloc" /proc/vmallocinfo
# The same holds for caches that their last object outlives.
awk '$1 == "kunit_user_record" { print "caches known" } $1 == "kunit_user_late"' /proc/slabinfo

# Reading returns exactly the bytes that were written to pages: whole blocks, parts (the rest is
# zero), too many bytes, no bytes. Then the same across pages, at any offset; other bytes are
# unchanged.
section uaccess_copies DEBUG_FS
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

# sysfs shows the options of the cache.
section slab_args_in_sysfs HARDENED_USERCOPY SLUB_DEBUG
cd /sys/kernel/slab/kunit_user_record || exit
cat align hwcache_align reclaim_account usersize
cd /

# The output is the same for every start offset and read size. After removal a file cannot be read,
# and an open file does not pin the module.
section seq_file_records DEBUG_FS
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

# Each call of a reader returns. With an error that C code would interpret, the reader gets another
# errno, at every offset. With endless records a signal ends the call, and a record that is too
# large returns an error. If a reader does not return, the script exits.
section seq_file_read_ends
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
# A signal that does not kill: the shell catches it.
ends sh -c 'trap "exit 7" USR1; read -r line </proc/kalloc_kunit_empty'
# The largest record is returned by one read.
wc -c </proc/kalloc_kunit_largest
for file in larger padded; do
	cat /proc/kalloc_kunit_$file >/tmp/got 2>/tmp/said
	came $?
done

# A forgotten cache is destroyed when its module is unloaded, so that the module can be loaded
# again.
section module_reload
rmmod kalloc_kunit
echo kalloc_site >/sys/module/kunit/parameters/filter_glob
modprobe kalloc_kunit && rmmod kalloc_kunit
echo $?
grep kunit_ /proc/slabinfo /proc/kallocinfo

# A module that uses the sites of another module cannot add its own data to them: such a module does
# not load.
section cross_module_sites
modprobe kalloc_borrower && rmmod kalloc_borrower
echo $?
modprobe kalloc_borrower && awk '/^owner_/ { print $1, $2 }' /proc/kallocinfo
rmmod kalloc_borrower kalloc_owner
grep -c owner_ /proc/kallocinfo

# The high watermark is at least the live value. Names and types of sites are printed with all
# characters that a type may contain.
section debugfs_sites DEBUG_FS
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

section readme_driver
modprobe kalloc_readme
awk '/^driver_/ { print $1, $2 }' /proc/kallocinfo
rmmod kalloc_readme

# The rows of the cache show the same geometry in both files.
section exercise_workloads DEBUG_FS SLUB_DEBUG
modprobe kalloc_exercise
file=/sys/kernel/debug/kalloc/exercise
echo all count=20 size=5000 keep=3 >$file
grep -c "3 .* 0 ok$" $file
for info in kallocinfo slabinfo; do awk '/^exercise_cache / { print $4, $5, $6 }' /proc/$info; done | uniq | wc -l
rmmod kalloc_exercise kalloc

# Fuzzes the files, devices and parameters, and kills processes in the middle of a call.
section fuzz_files DEBUG_FS LINUX_7_3
modprobe -a kalloc_exercise kalloc_compare kalloc_kv kalloc_map
# shellcheck disable=SC2154,SC2086 # The caller sets it; split into words.
fuzz $fuzz
echo "status $?"
rmmod kalloc_exercise kalloc_compare kalloc_kv kalloc_map kalloc

# The fuzzer reports a file that accepts every command.
section fuzz_detects_errors DEBUG_FS LINUX_7_3
modprobe kalloc_exercise count=1 keep=1
file=/sys/kernel/debug/kalloc/exercise
: >/tmp/taken
mount --bind /tmp/taken $file
fuzz --rounds 2 commands >/tmp/said
echo $?
grep -c "^WRONG commands (seed 1, round 0): '" /tmp/said | sed 's/[1-9][0-9]*/some/'
umount $file
rmmod kalloc_exercise kalloc

# Calls under fault injection fail with an error or use a fallback. The program prints one line for
# each kind of call.
section fault_injection_system_calls FAIL_PAGE_ALLOC FAILSLAB LINUX_7_3
fail_nth "$(left)" || echo "status $?"

# The same for the cases of the suites, which are functions of a separate module here.
section fault_injection_cases FAIL_PAGE_ALLOC FAILSLAB
modprobe kalloc_fault_injection seconds="$(left)"
echo $?
dmesg | sed -n 's/.*kalloc_fault_injection: //p'
rmmod kalloc_fault_injection

section module_unload
rmmod kalloc 2>/dev/null
ls -d /proc/kallocinfo /sys/kernel/debug/kalloc /sys/kernel/slab/*exercise* /sys/kernel/slab/*driver* 2>/dev/null

# Another module has created a directory with kalloc's name: the files are created in it, and are
# removed with it. Unloading the modules later does not touch the removed files. If the name belongs
# to a regular file, no files are created.
section debugfs_name_conflict DEBUG_FS
modprobe kalloc_debugfs_conflict && modprobe kalloc_exercise count=1 keep=1
ls /sys/kernel/debug/kalloc
rmmod kalloc_debugfs_conflict
ls /sys/kernel/debug/kalloc 2>/dev/null
rmmod kalloc_exercise kalloc
echo $?
modprobe kalloc_debugfs_conflict file=1 && modprobe kalloc_exercise count=1 keep=1 && cat /sys/kernel/debug/kalloc
rmmod kalloc_exercise kalloc kalloc_debugfs_conflict
echo $?

# kmemleak scans an object when it is five seconds old, and reports it if its checksum is the same
# as in the previous scan.
section kmemleak_scan DEBUG_KMEMLEAK
start=$(date +%s)
echo scan >/sys/kernel/debug/kmemleak && echo scanned
while [ $(($(date +%s) - start)) -lt 7 ]; do sleep 0.5; done
echo scan >/sys/kernel/debug/kmemleak && echo scanned
cat /sys/kernel/debug/kmemleak

# The leaked object keeps its cache, whose name therefore remains in use. Other modules are not
# affected.
section leak_reported
modprobe kalloc_leak && wc -c </proc/leak_file && rmmod kalloc_leak; ls /proc/leak_file 2>/dev/null
modprobe kalloc_leak 2>/dev/null
echo "again $?"
modprobe kalloc_exercise count=1 keep=1
grep -c " ok$" /sys/kernel/debug/kalloc/exercise 2>/dev/null
rmmod kalloc_exercise
echo $?

# The directory in debugfs with a forgotten owner, and its subdirectory, are removed when kalloc.ko
# is unloaded. kalloc.ko can then be loaded again.
section debugfs_forgotten_directory DEBUG_FS
ls /sys/kernel/debug/kalloc
rmmod kalloc
ls -d /sys/kernel/debug/kalloc 2>/dev/null
modprobe kalloc_exercise count=1 keep=1
ls /sys/kernel/debug/kalloc
rmmod kalloc_exercise kalloc
echo $?
ls -d /sys/kernel/debug/kalloc 2>/dev/null || true
