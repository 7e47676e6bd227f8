# SPDX-License-Identifier: GPL-2.0
#
# The commands a person types; what they do is in scripts/, and what the kernel's
# build system reads is in Kbuild.

help:
	@echo 'make run                     load the modules in a distribution kernel, in a guest; show the result'
	@echo 'make test                    every test'
	@echo 'make test-deb                the Debian packages, installed on a new machine, booted, and purged'
	@echo 'make test-models             the protocols between processors, by the memory model of the kernel'
	@echo 'make bench                   the benchmarks; KERNEL=stock or prof: on that kernel'
	@echo 'make test-mutants            the defects of tests/defects/, planted one by one: are they noticed? Half an hour'
	@echo 'make test-faults             allocations refused one by one, for an hour at most'
	@echo 'make test-matrix             the suites on kernels of other kinds, which are built first: an hour'
	@echo 'make soak                    ten minutes of load; was anything lost?'
	@echo 'make fuzz                    hostile input to the modules, for two minutes; their limits on a small machine'
	@echo '                             Each of these five takes MINUTES=N, soak and fuzz KERNEL=stock or debug, too'
	@echo 'make check                   formatting, lints and the rules of this tree'
	@echo 'make shell                   an interactive guest with the modules in it'
	@echo 'make tools                   kalloctop, a static program, with manual page and completions, in build/'
	@echo 'make deb                     Debian packages of the modules and of kalloctop, in build/'
	@echo 'make doc                     the pages and the manual pages, in build/doc; CRATE=1: with the documentation of the crate,'
	@echo '                             which needs the modules of the debug kernel'
	@echo 'make modules                 the modules, for the kernel build tree KDIR (default: the stock kernel),'
	@echo '                             or with M=FOLDER a driver of your own that uses them'
	@echo 'make modules_install         the same, installed under INSTALL_MOD_PATH'
	@echo 'make rust-analyzer           rust-project.json, for editors'
	@echo 'make compile_commands.json   the same for the files in C'
	@echo 'make hooks                   have git check what is committed'
	@echo 'make clean                   remove what these have made in the tree; scripts/kalloc setup --prune is for the cache'

run test test-deb test-models bench check deb tools:
	@scripts/kalloc $@

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

clean:
	rm -rf build rust-project.json compile_commands.json

.PHONY: help run test test-deb test-mutants test-models test-faults test-matrix bench soak fuzz check deb tools doc modules modules_install rust-analyzer compile_commands.json hooks shell clean
