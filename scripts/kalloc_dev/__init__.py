# SPDX-License-Identifier: GPL-2.0-only
"""The Python package of scripts/kalloc and scripts/vm, one directory for each subject.

    core       paths, processes, sandboxes, and the cache of keyed entries
    toolchain  compilers and tools: those of the host, or of a root directory of the project
    kernel     kernels: an image and a build tree of each
    modules    the project's modules, built for one of those trees and checked against it
    guest      QEMU, initramfs archives and userlands
    doc        pages, examples and the tutorial
    lint       the checks of `make check`
    test       the runner, the sanitizers, fault injection, mutants and the long tests
    bench      measurements, bounds and reports
    package    Debian packages and kalloctop
"""
