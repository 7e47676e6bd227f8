// SPDX-License-Identifier: GPL-2.0-only

#include <linux/fprobe.h>
#include <linux/slab.h>

/* The words that a function's entry keeps for its return. */
#define KALLOC_FPROBE_WORDS 4

const size_t KALLOC_CONST_FPROBE_WORDS = KALLOC_FPROBE_WORDS;

/* Returns NULL if there is no memory. A probe of entries alone has no @leave. */
void *kalloc_helper_fprobe_new(void *handler,
			       bool (*enter)(void *handler, unsigned long caller, void *regs,
					     unsigned long *words),
			       void (*leave)(void *handler, unsigned long value,
					     const unsigned long *words));
/* Sorts @names. */
int kalloc_helper_fprobe_register(void *probe, const char **names, int nr);
/* Unregisters the probe, waits for its handlers, and frees it. */
void kalloc_helper_fprobe_free(void *probe);
unsigned long kalloc_helper_fprobe_argument(void *regs, unsigned int nth);

#ifndef __BINDGEN__
#ifdef CONFIG_FPROBE
struct kalloc_fprobe {
	struct fprobe fprobe;
	void *handler;
	bool (*enter)(void *handler, unsigned long caller, void *regs, unsigned long *words);
	void (*leave)(void *handler, unsigned long value, const unsigned long *words);
};

static int kalloc_fprobe_enter(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
			       struct ftrace_regs *regs, void *data)
{
	struct kalloc_fprobe *probe = container_of(fprobe, struct kalloc_fprobe, fprobe);
	unsigned long none[KALLOC_FPROBE_WORDS];

	return !probe->enter(probe->handler, caller, regs, data ?: none);
}

static void kalloc_fprobe_leave(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
				struct ftrace_regs *regs, void *data)
{
	struct kalloc_fprobe *probe = container_of(fprobe, struct kalloc_fprobe, fprobe);

	if (data)
		probe->leave(probe->handler, ftrace_regs_get_return_value(regs), data);
}

void *kalloc_helper_fprobe_new(void *handler,
			       bool (*enter)(void *handler, unsigned long caller, void *regs,
					     unsigned long *words),
			       void (*leave)(void *handler, unsigned long value,
					     const unsigned long *words))
{
	// GFP: The caller registers the probe next, which sleeps.
	struct kalloc_fprobe *probe = kzalloc(sizeof(*probe), GFP_KERNEL);

	if (!probe)
		return NULL;
	probe->handler = handler;
	probe->enter = enter;
	probe->leave = leave;
	probe->fprobe.entry_handler = kalloc_fprobe_enter;
	if (leave) {
		probe->fprobe.exit_handler = kalloc_fprobe_leave;
		probe->fprobe.entry_data_size = KALLOC_FPROBE_WORDS * sizeof(unsigned long);
	}
	return probe;
}

int kalloc_helper_fprobe_register(void *probe, const char **names, int nr)
{
	struct kalloc_fprobe *p = probe;

	return register_fprobe_syms(&p->fprobe, names, nr);
}

void kalloc_helper_fprobe_free(void *probe)
{
	struct kalloc_fprobe *p = probe;

	/* Fails if the probe is not registered. */
	unregister_fprobe(&p->fprobe);
	kfree(p);
}

unsigned long kalloc_helper_fprobe_argument(void *regs, unsigned int nth)
{
	return ftrace_regs_get_argument((struct ftrace_regs *)regs, nth);
}
#else
void *kalloc_helper_fprobe_new(void *handler,
			       bool (*enter)(void *handler, unsigned long caller, void *regs,
					     unsigned long *words),
			       void (*leave)(void *handler, unsigned long value,
					     const unsigned long *words))
{
	return ZERO_SIZE_PTR;
}

int kalloc_helper_fprobe_register(void *probe, const char **names, int nr)
{
	return -EOPNOTSUPP;
}

void kalloc_helper_fprobe_free(void *probe)
{
}

unsigned long kalloc_helper_fprobe_argument(void *regs, unsigned int nth)
{
	return 0;
}
#endif
#endif
