/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of the bugs: owned_blocks.h declares their functions, core.c finds them. */

/* heap.c: bugs that debug kernels report. */
PLANTED(nothing);
PLANTED(overread);
PLANTED(overrun);
PLANTED(late_read);
PLANTED(much_later_read);
PLANTED(double_free);
PLANTED(uninitialised);
PLANTED(leak);
PLANTED(left_object);
PLANTED(sleep);
PLANTED(inversion);
PLANTED(wandering);
PLANTED(index);
PLANTED(shift);
PLANTED(overflow);
PLANTED(twice_in_list);
PLANTED(exposed);
PLANTED(overcopied);
PLANTED(ignored_refusal);

/* uninstrumented.c: bugs that KASAN does not see. */
PLANTED(unseen_overrun);
PLANTED(unseen_object_write);
PLANTED(unseen_page_write);

/* kfence.c: bugs that KFENCE reports. */
PLANTED(fenced_read);
PLANTED(fenced_overread);
PLANTED(fenced_overrun);
PLANTED(fenced_double_free);

/* hardening.c: bugs that stock kernels stop or make harmless. */
PLANTED(mistyped);
PLANTED(named);
PLANTED(spanning);
PLANTED(remains);
PLANTED(reused);
PLANTED(unset);
PLANTED(guard_page);
PLANTED(scribble);
PLANTED(astray);
PLANTED(wild_freelist);
PLANTED(flood);
PLANTED(smash);

/* atomic_context.c: allocations that real-time kernels forbid. */
PLANTED(raw);
PLANTED(masked);
PLANTED(pinned);
PLANTED(nested);
