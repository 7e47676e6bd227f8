// SPDX-License-Identifier: GPL-2.0-only

#include <linux/delay.h>
#include <linux/fprobe.h>
#include <linux/kmemleak.h>
#include <linux/percpu.h>
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
/* Stops calling the handler of entries. The wait for returns ends five seconds later. */
void kalloc_helper_fprobe_close(void *probe);
/*
 * Closes the probe, waits for the calls whose return it awaits, unregisters it,
 * waits for its handlers, and frees it.
 */
void kalloc_helper_fprobe_free(void *probe);
unsigned long kalloc_helper_fprobe_argument(void *regs, unsigned int nth);
/*
 * Returns the address to which a function returns while its return is probed,
 * or 0 if that is not known.
 */
unsigned long kalloc_helper_fprobe_trampoline(void);

#ifndef __BINDGEN__
#ifdef CONFIG_FPROBE
/* The longest wait for the return of a function, in ticks. */
#define KALLOC_FPROBE_WAIT (5 * HZ)

struct kalloc_fprobe {
	struct fprobe fprobe;
	/*
	 * The calls whose return the probe awaits, as a sum over all CPUs; NULL
	 * for a probe of entries alone. Each of these calls has the address of
	 * the probe on its task's shadow stack, also after the unregistration.
	 * Its return calls the exit handler of any registered probe that then
	 * has this address: of another user, or of entries alone, whose handler
	 * is NULL. The memory is freed only if there is no such call.
	 */
	long __percpu *awaited;
	bool is_registered;
	bool is_closing;
	/* The end of the wait for these calls, in ticks. */
	unsigned long end;
	void *handler;
	bool (*enter)(void *handler, unsigned long caller, void *regs, unsigned long *words);
	void (*leave)(void *handler, unsigned long value, const unsigned long *words);
};

static int kalloc_fprobe_enter(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
			       struct ftrace_regs *regs, void *data)
{
	struct kalloc_fprobe *probe = container_of(fprobe, struct kalloc_fprobe, fprobe);

	if (READ_ONCE(probe->is_closing) || !probe->enter(probe->handler, caller, regs, data))
		return 1;
	/* From here on, a probe with an exit handler awaits the return. */
	if (probe->awaited)
		this_cpu_inc(*probe->awaited);
	return 0;
}

static void kalloc_fprobe_leave(struct fprobe *fprobe, unsigned long ip, unsigned long caller,
				struct ftrace_regs *regs, void *data)
{
	struct kalloc_fprobe *probe = container_of(fprobe, struct kalloc_fprobe, fprobe);

	probe->leave(probe->handler, ftrace_regs_get_return_value(regs), data);
	this_cpu_dec(*probe->awaited);
}

/*
 * Returns the number of calls that the probe awaits, or a larger one. It only
 * decreases, because the probe is closed: the sum is not less than the number
 * at the end of this function.
 */
static long kalloc_fprobe_awaited(struct kalloc_fprobe *probe)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(probe->awaited, cpu));
	return sum;
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
		probe->awaited = alloc_percpu(long);
		if (!probe->awaited) {
			kfree(probe);
			return NULL;
		}
		probe->fprobe.exit_handler = kalloc_fprobe_leave;
		probe->fprobe.entry_data_size = KALLOC_FPROBE_WORDS * sizeof(unsigned long);
	}
	return probe;
}

int kalloc_helper_fprobe_register(void *probe, const char **names, int nr)
{
	struct kalloc_fprobe *p = probe;
	int error = register_fprobe_syms(&p->fprobe, names, nr);

	p->is_registered = !error;
	return error;
}

void kalloc_helper_fprobe_close(void *probe)
{
	struct kalloc_fprobe *p = probe;

	if (p->is_closing)
		return;
	p->end = jiffies + KALLOC_FPROBE_WAIT;
	WRITE_ONCE(p->is_closing, true);
}

void kalloc_helper_fprobe_free(void *probe)
{
	struct kalloc_fprobe *p = probe;

	if (p->awaited && p->is_registered) {
		kalloc_helper_fprobe_close(p);
		/* Entry handlers that have read false have returned. */
		synchronize_rcu();
		/* Returns reach the probe as long as it is registered. */
		while (kalloc_fprobe_awaited(p) && time_before(jiffies, p->end))
			msleep(20);
	}
	if (p->is_registered)
		unregister_fprobe(&p->fprobe);
	/* A registration that failed may have been hit, without a return. */
	if (p->awaited && kalloc_fprobe_awaited(p)) {
		/* The caller has no address of the memory after this. */
		kmemleak_not_leak(p);
		pr_warn("kalloc: a probed function has not returned; the memory of its probe is not freed\n");
		return;
	}
	free_percpu(p->awaited);
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

static bool kalloc_fprobe_needs_return(void *handler, unsigned long caller, void *regs,
				       unsigned long *words)
{
	return true;
}

static void kalloc_fprobe_ignores(void *handler, unsigned long value, const unsigned long *words)
{
}

unsigned long kalloc_helper_fprobe_trampoline(void)
{
	const char *name = "kalloc_fprobe_returns";
	void *probe = kalloc_helper_fprobe_new(NULL, kalloc_fprobe_needs_return,
					       kalloc_fprobe_ignores);
	unsigned long before = kalloc_fprobe_returns(), address = 0;

	if (!probe)
		return 0;
	if (!kalloc_helper_fprobe_register(probe, &name, 1))
		address = kalloc_fprobe_returns();
	kalloc_helper_fprobe_free(probe);
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

void kalloc_helper_fprobe_close(void *probe)
{
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
