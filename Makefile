# SPDX-License-Identifier: GPL-2.0
#
# The commands a person types; what they do is in scripts/, and what the kernel's
# build system reads is in Kbuild.

help:
	@echo 'make run              load the modules in a distribution kernel, in a guest; show the result'
	@echo 'make test             every test'
	@echo 'make test-deb         the Debian packages, installed on a new machine, booted, and purged'
	@echo 'make test-matrix      the suites on kernels of other kinds, which are built first: an hour'
	@echo 'make bench            the benchmarks'
	@echo 'make soak             ten minutes of load, or MINUTES; was anything lost?'
	@echo 'make fuzz             hostile input to the modules, for two minutes'
	@echo 'make check            formatting, lints and the rules of this tree'
	@echo 'make shell            an interactive guest with the modules in it'
	@echo 'make tools            kalloctop, a static program, in build/'
	@echo 'make deb              Debian packages of the modules and of kalloctop, in build/'
	@echo 'make modules          the modules, for the kernel build tree KDIR (default: the stock kernel)'
	@echo 'make modules_install  the same, installed under INSTALL_MOD_PATH'
	@echo 'make rust-analyzer    rust-project.json, for editors'
	@echo 'make doc              the documentation of the crate and the manual pages, in build/doc'
	@echo 'make clean            remove build/; scripts/setup --prune is for the cache'

run test test-deb test-matrix bench fuzz check deb tools:
	@scripts/$@

soak:
	@scripts/soak $(if $(MINUTES),--minutes $(MINUTES))

doc:
	@scripts/check documents rustdoc

modules modules_install rust-analyzer:
	@scripts/modules $@

shell:
	@scripts/vm --shell

clean:
	rm -rf build rust-project.json

.PHONY: help run test test-deb test-matrix bench soak fuzz check deb tools doc modules modules_install rust-analyzer shell clean
