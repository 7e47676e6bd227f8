# SPDX-License-Identifier: GPL-2.0
"""What the commands in scripts/ share.

    say        steps, logs and failures: everything a person reads
    paths      where things are, and what the environment chooses
    cache      keyed entries, made once and shared by every clone
    sandbox    namespaces: root where there is none, and a root folder entered
    toolchain  the compilers and tools: the host's, or a root of our own
    arch       the architectures that guests have, and the tools for them
    archive    packages from the distribution's signed archive
    debian     Debian's kernels, as its packages bring them
    kernels    stock, debug, bench and more: an image and a build tree of each
    setup      all of that for a command, the independent parts at the same time
    modules    our modules, built for one of those trees and checked against it
    userland   what a guest runs on
    clients    programs that read slabinfo, for guests
    initramfs  the guest's files, as a cpio archive
    guest      boots a kernel, runs a command in it, returns its status
    kvm        may the guest use KVM: found out once, by a boot
    klog       judges a kernel log

The bodies of the commands are in modules of the same names.
"""
