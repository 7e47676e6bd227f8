// SPDX-License-Identifier: GPL-2.0
/*
 * C macros and inline functions cannot be called from Rust. Each helper wraps
 * one of them, in a file named after its header, as rust/helpers/ does upstream.
 */

#include "capability.c"
/* The next one and procfs' build on it. */
#include "seq_file.c"
#include "debugfs.c"
#include "llist.c"
#include "lockdep.c"
#include "memory.c"
#include "module.c"
#include "page.c"
#include "percpu.c"
#include "pgtable.c"
#include "preempt.c"
#include "proc_fs.c"
#include "refcount.c"
#include "sched.c"
#include "slab.c"
#include "vmalloc.c"
#include "workqueue.c"
