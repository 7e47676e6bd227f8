# SPDX-License-Identifier: GPL-2.0-only
#
# The commands for developers. Their implementation is in scripts/; Kbuild is the file for the
# kernel's build system.

help:
	@echo 'make run                     load the modules in a distribution kernel, in a guest; show their counters'
	@echo 'make test                    run every test but the long ones'
	@echo 'make test-all                run every test'
	@echo 'make test-deb                install the Debian packages on a new machine, boot it, and purge them'
	@echo 'make test-models             check the protocols between CPUs against the memory model of the kernel'
	@echo 'make bench                   run the benchmarks; KERNEL=stock or prof: on that kernel'
	@echo 'make test-mutants            plant the mutants of tests/defects/ one by one; a test must kill each: half an hour'
	@echo 'make test-faults             fault injection: fail each allocation in turn, for an hour at most'
	@echo 'make test-matrix             run the suites on kernels of other kinds, which are built first: an hour'
	@echo 'make soak                    ten minutes of load, after which no memory may be lost'
	@echo 'make fuzz                    two minutes of hostile input to the modules; their limits on a small machine'
	@echo '                             These five accept MINUTES=N; soak and fuzz also KERNEL=stock or debug'
	@echo 'make check                   check the formatting, the lints and the rules of this tree'
	@echo 'make shell                   open a shell in a guest with the modules'
	@echo 'make tools                   build kalloctop, a static program, its manual page and completions, in build/'
	@echo 'make deb                     build the Debian packages of the modules and of kalloctop, in build/'
	@echo 'make doc                     build the pages and the manual pages, in build/doc; CRATE=1: also the documentation'
	@echo '                             of the crate, which needs the modules of the debug kernel'
	@echo 'make modules                 build the modules for the kernel build tree KDIR (default: the stock kernel),'
	@echo '                             or with M=DIR your own driver that uses them; KERNEL=stock, debug or bench'
	@echo '                             CLIPPY=1: with its lints; rust-analyzer M=DIR, clean M=DIR: for your driver'
	@echo 'make modules_install         install the modules under INSTALL_MOD_PATH'
	@echo 'make rust-analyzer           write rust-project.json, for editors'
	@echo 'make compile_commands.json   write the same for the files in C'
	@echo 'make hooks                   run the fast checks before each commit'
	@echo 'make clean                   remove the generated files of the tree; scripts/kalloc setup --prune cleans the cache'

run test test-deb test-models bench check deb tools:
	@scripts/kalloc $@

test-all:
	@status=0; scripts/kalloc test || status=$$?; scripts/kalloc test --long || status=$$?; exit $$status

test-mutants := mutants
test-faults := fault-injection
test-matrix := matrix
test-mutants test-faults test-matrix:
	@scripts/kalloc $($@) $(if $(MINUTES),--minutes $(MINUTES))

soak fuzz:
	@scripts/kalloc $@ $(if $(MINUTES),--minutes $(MINUTES)) $(if $(KERNEL),--kernel $(KERNEL))

doc:
	@scripts/kalloc check $(if $(CRATE),rustdoc) documents

modules modules_install rust-analyzer compile_commands.json:
	@scripts/kalloc modules $@

hooks:
	@scripts/pre-commit --install

shell:
	@scripts/vm --shell

ifneq ($(M),)
clean:
	@scripts/kalloc modules clean
else
clean:
	rm -rf build rust-project.json compile_commands.json
endif

.PHONY: help run test test-all test-deb test-mutants test-models test-faults test-matrix bench soak fuzz check deb tools doc modules modules_install rust-analyzer compile_commands.json hooks shell clean
