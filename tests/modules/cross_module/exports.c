// SPDX-License-Identifier: GPL-2.0-only
/* Exports the symbols of kalloc_owner.ko, as rust/exports.c does those of kalloc.ko. */

#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports_generated.h"
