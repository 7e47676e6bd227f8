# SPDX-License-Identifier: GPL-2.0-only
"""Build trees for Rust modules of a kernel that a distribution has built.

Distributions build kernels with Rust, but their headers packages lack the metadata of the kernel's
crates. The same source, configuration and compilers can generate that metadata again: the crates'
symbols then have the names that the binary exports. Nothing here depends on kalloc: any Rust module
outside the kernel's tree can use it, through scripts/rust-kbuild.
"""
