/* SPDX-License-Identifier: GPL-2.0 */
/* The bugs, by their names: owned_blocks.h declares them, core.c finds them. */

/* heap.c: what kernels for debugging notice. */
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

/* uninstrumented.c: what KASAN does not. */
PLANTED(unseen_overrun);
PLANTED(unseen_object_write);
PLANTED(unseen_page_write);

/* kfence.c: what KFENCE does. */
PLANTED(fenced_read);
PLANTED(fenced_overread);
PLANTED(fenced_overrun);
PLANTED(fenced_double_free);

/* hardening.c: what is stopped, or comes to nothing, on kernels that users run. */
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

/* atomic_context.c: what real-time kernels do not allow. */
PLANTED(raw);
PLANTED(masked);
PLANTED(pinned);
PLANTED(nested);
