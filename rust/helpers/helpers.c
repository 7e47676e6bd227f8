// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wrappers of C macros and inline functions, which Rust cannot call. Each
 * helper wraps one of them, in a file named after its header, as rust/helpers/
 * does upstream.
 */

#include "capability.c"
/* debugfs.c and proc_fs.c use seq_file.c. */
#include "seq_file.c"
#include "debugfs.c"
#include "fprobe.c"
#include "kprobes.c"
#include "linked.c"
#include "llist.c"
#include "lockdep.c"
#include "mm.c"
#include "module.c"
#include "mutex.c"
#include "notifier.c"
#include "page.c"
#include "percpu.c"
#include "pgtable.c"
#include "preempt.c"
#include "proc_fs.c"
#include "refcount.c"
#include "registry.c"
#include "sched.c"
#include "slab.c"
#include "tracepoint.c"
#include "vmalloc.c"
#include "watermark.c"
#include "workqueue.c"
