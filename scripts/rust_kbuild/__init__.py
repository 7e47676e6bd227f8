# SPDX-License-Identifier: GPL-2.0
"""Makes a build tree for Rust modules of a kernel that somebody else has built.

Distributions build kernels with Rust and package their headers without the metadata of the
kernel's crates. Whoever has the same source, configuration and compilers can make it again: the
crates' symbols get the names that the binary exports. Nothing here is about kalloc: any Rust module
that is built outside of the kernel's tree can use it, through scripts/rust-kbuild.
"""
