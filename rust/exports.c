// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports the crate's symbols and the C helpers to other modules. Rust has no
 * EXPORT_SYMBOL(); the list is generated from the objects, see Kbuild.
 */

#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports_generated.h"
