// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports the crate's symbols and the C helpers to other modules. Rust has no
 * EXPORT_SYMBOL(); the list is generated from the objects, see Kbuild.
 */

#include <linux/export.h>
#if defined(CONFIG_X86) && !defined(CONFIG_UML)
#include <asm/ibt.h>
#define ENTRY ASM_ENDBR
#else
#define ENTRY ""
#endif

#if defined(CONFIG_X86_64)
#define JUMP "jmp "
#elif defined(CONFIG_RISCV)
#define JUMP "tail "
#else
#define JUMP "b "
#endif

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

/* Defines a function that replaces another one in a driver, see linked.rs. It jumps to @target. */
#define REPLACE(name, target)					\
	asm(".pushsection .text\n"				\
	    ".globl __wrap_" #name "\n"				\
	    ".type __wrap_" #name ", %function\n"		\
	    "__wrap_" #name ":\n\t"				\
	    ENTRY JUMP #target "\n"				\
	    ".size __wrap_" #name ", . - __wrap_" #name "\n"	\
	    ".popsection")

#include "replaced_generated.h"
#include "exports_generated.h"
