// SPDX-License-Identifier: GPL-2.0-only

#include <linux/fprobe.h>
#include <linux/random.h>
#include <linux/slab.h>

/* The words that a function's entry keeps for its return. */
#define KALLOC_FPROBE_WORDS 8

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
/*
 * Returns the address to which a function returns while its return is probed,
 * or 0 if that is not known.
 */
unsigned long kalloc_helper_fprobe_trampoline(void);

#ifndef __BINDGEN__
#ifdef CONFIG_FPROBE
struct kalloc_fprobe {
	struct fprobe fprobe;
	/*
	 * The first word that an entry keeps. A function may return after its
	 * probe was freed, and another one, of another user, has its address:
	 * the handler of the return then gets words that are not its own.
	 */
	unsigned long cookie;
	void *handler;
	bool (*enter)(void *handler, unsigned long caller, void *regs, unsigned long *words);
	void (*leave)(void *handler, unsigned long value, const unsigned long *words);
};

static int kalloc_fprobe_enter(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
			       struct ftrace_regs *regs, void *data)
{
	struct kalloc_fprobe *probe = container_of(fprobe, struct kalloc_fprobe, fprobe);
	unsigned long *words = data;

	if (!words)
		return !probe->enter(probe->handler, caller, regs, NULL);
	words[0] = probe->cookie;
	return !probe->enter(probe->handler, caller, regs, words + 1);
}

static void kalloc_fprobe_leave(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
				struct ftrace_regs *regs, void *data)
{
	struct kalloc_fprobe *probe = container_of(fprobe, struct kalloc_fprobe, fprobe);
	const unsigned long *words = data;

	if (words && words[0] == probe->cookie)
		probe->leave(probe->handler, ftrace_regs_get_return_value(regs), words + 1);
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
	probe->cookie = get_random_long();
	probe->handler = handler;
	probe->enter = enter;
	probe->leave = leave;
	probe->fprobe.entry_handler = kalloc_fprobe_enter;
	if (leave) {
		probe->fprobe.exit_handler = kalloc_fprobe_leave;
		probe->fprobe.entry_data_size = (1 + KALLOC_FPROBE_WORDS) * sizeof(unsigned long);
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
	struct ftrace_regs *entry = regs;

#ifdef CONFIG_ARM64
	/* The other arguments are on the stack, whose pointer is still the caller's. */
	if (nth >= 8)
		return ((unsigned long *)ftrace_regs_get_stack_pointer(entry))[nth - 8];
#endif
	return ftrace_regs_get_argument(entry, nth);
}

/* A function whose return is probed, to see its return address. */
static noinline unsigned long kalloc_fprobe_returns(void)
{
	/* The compiler must not compute the address in the caller. */
	barrier();
	return (unsigned long)__builtin_return_address(0);
}

static int kalloc_fprobe_needs_return(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
				      struct ftrace_regs *regs, void *data)
{
	return 0;
}

static void kalloc_fprobe_ignores(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
				  struct ftrace_regs *regs, void *data)
{
}

unsigned long kalloc_helper_fprobe_trampoline(void)
{
	const char *name = "kalloc_fprobe_returns";
	// GFP: Registering sleeps.
	struct fprobe *probe = kzalloc(sizeof(*probe), GFP_KERNEL);
	unsigned long before = kalloc_fprobe_returns(), address = 0;

	if (!probe)
		return 0;
	probe->entry_handler = kalloc_fprobe_needs_return;
	probe->exit_handler = kalloc_fprobe_ignores;
	if (!register_fprobe_syms(probe, &name, 1)) {
		address = kalloc_fprobe_returns();
		unregister_fprobe(probe);
	}
	kfree(probe);
	return address == before ? 0 : address;
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

unsigned long kalloc_helper_fprobe_trampoline(void)
{
	return 0;
}
#endif
#endif
