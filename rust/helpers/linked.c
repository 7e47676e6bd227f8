// SPDX-License-Identifier: GPL-2.0-only

/*
 * Allocation functions that count. The linker redirects the calls of a driver
 * to them, see accounting/linked.rs.
 */

#include <linux/bit_spinlock.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

/* The allocators, as in `linked::FAMILIES`. */
enum kalloc_family { KALLOC_KMALLOC, KALLOC_KVMALLOC, KALLOC_VMALLOC, KALLOC_PAGES };

/* The first fields of `linked::Row`, which has the counters of a call site. */
struct kalloc_row {
	struct module *module;
	unsigned int family;
};

struct kalloc_row *kalloc_linked_row(unsigned long ip, unsigned int family, gfp_t gfp);
void kalloc_linked_count(struct kalloc_row *row, size_t size, size_t footprint, bool freed);

/*
 * A counted block. The address is inverted, so that kmemleak does not take it
 * for a reference.
 */
struct kalloc_record {
	struct kalloc_record *next;
	struct kalloc_row *row;
	unsigned long hidden;
	size_t size;
};

/* The permissions among a caller's flags. */
#define MAY (__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HIGH)

#define BUCKET_BITS 12

/* The lists of records. Bit 0 of each head is a lock, which interrupts take. */
static unsigned long buckets[1 << BUCKET_BITS];

static unsigned long *lock_bucket(unsigned long *bucket, unsigned long *flags)
{
	local_irq_save(*flags);
	bit_spin_lock(0, bucket);
	return bucket;
}

static void unlock_bucket(unsigned long *bucket, unsigned long flags)
{
	bit_spin_unlock(0, bucket);
	local_irq_restore(flags);
}

static struct kalloc_record *first(const unsigned long *bucket)
{
	return (struct kalloc_record *)(*bucket & ~1UL);
}

static void set_first(unsigned long *bucket, struct kalloc_record *record)
{
	*bucket = (unsigned long)record | 1;
}

/* Returns the bytes that a block takes. */
static size_t footprint(const struct kalloc_record *record)
{
	const void *block = (const void *)~record->hidden;

	switch (record->row->family) {
	case KALLOC_KMALLOC:
		return kmalloc_size_roundup(record->size);
	case KALLOC_KVMALLOC:
		if (!is_vmalloc_addr(block))
			return kmalloc_size_roundup(record->size);
		fallthrough;
	default:
		return PAGE_ALIGN(record->size);
	}
}

/*
 * Counts the free of a block, and returns its record, or NULL. If the record may
 * be put back, @holder receives the module of its row, which stays loaded until
 * module_put(); it is NULL if that module is being unloaded.
 */
static struct kalloc_record *take(const void *block, struct module **holder)
{
	unsigned long *bucket, flags;
	struct kalloc_record *record, *last = NULL;

	bucket = lock_bucket(&buckets[hash_ptr(block, BUCKET_BITS)], &flags);
	for (record = first(bucket); record; last = record, record = record->next)
		if (record->hidden == ~(unsigned long)block)
			break;
	if (record) {
		if (last)
			last->next = record->next;
		else
			set_first(bucket, record->next);
		/* The row exists as long as its record is in a list. */
		kalloc_linked_count(record->row, record->size, footprint(record), true);
		if (holder && try_module_get(record->row->module))
			*holder = record->row->module;
	}
	unlock_bucket(bucket, flags);
	return record;
}

/* Counts a block, if there is a row for the call site. `record` is NULL or unused. */
static noinline void kalloc_add_record(void *block, size_t size, unsigned int family, gfp_t gfp,
				       unsigned long ip, struct kalloc_record *record)
{
	struct kalloc_row *row = kalloc_linked_row(ip, family, gfp);
	unsigned long *bucket, flags;

	/* A block that was freed elsewhere may have had this address. */
	kfree(take(block, NULL));
	if (row && !record)
		record = kmalloc(sizeof(*record), (gfp & MAY) | __GFP_NOWARN);
	if (!row || !record) {
		kfree(record);
		return;
	}
	record->row = row;
	record->hidden = ~(unsigned long)block;
	record->size = size;
	kalloc_linked_count(row, size, footprint(record), false);
	bucket = lock_bucket(&buckets[hash_ptr(block, BUCKET_BITS)], &flags);
	record->next = first(bucket);
	set_first(bucket, record);
	unlock_bucket(bucket, flags);
}

/* Puts a record back, whose block a failed call has left alone. */
static void put_back(struct kalloc_record *record)
{
	unsigned long *bucket, flags;

	kalloc_linked_count(record->row, record->size, footprint(record), false);
	bucket = lock_bucket(&buckets[hash_ptr((void *)~record->hidden, BUCKET_BITS)], &flags);
	record->next = first(bucket);
	set_first(bucket, record);
	unlock_bucket(bucket, flags);
}

/* Counts the result of a call that has allocated, resized or freed a block. */
static void counted(void *new, size_t size, struct kalloc_record *record, struct module *holder,
		    unsigned int family, gfp_t gfp, unsigned long ip)
{
	if (size && !new && holder)
		put_back(record);
	else if (size && new)
		kalloc_add_record(new, size, family, gfp, ip, record);
	else
		kfree(record);
	module_put(holder);
}

#define DEFINE_REALLOC(name, family)						\
void *__wrap_rust_helper_##name(const void *p, size_t size, unsigned long align,	\
				gfp_t gfp, int node);				\
void *__wrap_rust_helper_##name(const void *p, size_t size, unsigned long align,	\
				gfp_t gfp, int node)				\
{										\
	struct module *holder = NULL;						\
	struct kalloc_record *record = p ? take(p, &holder) : NULL;		\
	void *block = name(p, size, align, gfp, node);				\
										\
	counted(block, size, record, holder, family, gfp, _RET_IP_);		\
	return block;								\
}

DEFINE_REALLOC(krealloc_node_align, KALLOC_KMALLOC)
DEFINE_REALLOC(kvrealloc_node_align, KALLOC_KVMALLOC)
DEFINE_REALLOC(vrealloc_node_align, KALLOC_VMALLOC)

struct page *__wrap_rust_helper_alloc_pages(gfp_t gfp, unsigned int order);
struct page *__wrap_rust_helper_alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	if (page)
		kalloc_add_record(page, PAGE_SIZE << order, KALLOC_PAGES, gfp, _RET_IP_, NULL);
	return page;
}

void __wrap___free_pages(struct page *page, unsigned int order);
void __wrap___free_pages(struct page *page, unsigned int order)
{
	kfree(take(page, NULL));
	__free_pages(page, order);
}

/* Returns true if an address is in the code of kalloc, or of the kernel that contains it. */
static bool is_own(unsigned long ip)
{
#ifdef MODULE
	return within_module(ip, THIS_MODULE);
#else
	return core_kernel_text(ip);
#endif
}

/* Counts a block that a function of the kernel has allocated, which the driver called. */
void kalloc_helper_adopt(void *block, size_t size, gfp_t gfp);
void kalloc_helper_adopt(void *block, size_t size, gfp_t gfp)
{
#ifdef CONFIG_STACKTRACE
	unsigned long callers[8];
	unsigned int i, count = stack_trace_save(callers, ARRAY_SIZE(callers), 1);

	/* The first caller outside of this module. */
	for (i = 0; i < count && is_own(callers[i]); i++)
		;
	if (i < count)
		kalloc_add_record(block, size, KALLOC_KMALLOC, gfp, callers[i], NULL);
#endif
}

void __wrap_kvfree_call_rcu(void *head, void *block);
void __wrap_kvfree_call_rcu(void *head, void *block)
{
	kfree(take(block, NULL));
	kvfree_call_rcu(head, block);
}

/* Removes the records of a module that is unloaded. */
void kalloc_helper_forget_records(const struct module *module);
void kalloc_helper_forget_records(const struct module *module)
{
	struct kalloc_record *record, *next, *kept, *gone = NULL;
	unsigned long *bucket, flags;

	for (bucket = buckets; bucket < buckets + ARRAY_SIZE(buckets); bucket++) {
		if (!READ_ONCE(*bucket))
			continue;
		lock_bucket(bucket, &flags);
		for (record = first(bucket), kept = NULL; record; record = next) {
			next = record->next;
			if (record->row->module == module) {
				record->next = gone;
				gone = record;
			} else {
				record->next = kept;
				kept = record;
			}
		}
		set_first(bucket, kept);
		unlock_bucket(bucket, flags);
	}
	for (; gone; gone = next) {
		next = gone->next;
		kfree(gone);
	}
}

/* Writes the symbol of a call site. */
void kalloc_helper_symbol(char *text, unsigned long ip);
void kalloc_helper_symbol(char *text, unsigned long ip)
{
	sprint_symbol(text, ip);
}

/* Returns true if an address is in a module's code or data, also in that for its initialization. */
bool kalloc_helper_within_module(unsigned long addr, const struct module *mod);
bool kalloc_helper_within_module(unsigned long addr, const struct module *mod)
{
#ifdef CONFIG_MODULES
	/* The notifier of that state has removed the call sites in the initialization code. */
	if (mod->state == MODULE_STATE_LIVE)
		return within_module_core(addr, mod);
#endif
	return within_module(addr, mod);
}

/* Returns true if a module that is being loaded may use symbols of this one. */
bool kalloc_helper_depends(const struct module *mod);
bool kalloc_helper_depends(const struct module *mod)
{
#if defined(CONFIG_MODULE_UNLOAD) && defined(MODULE)
	return !list_empty(&mod->target_list);
#else
	return true;
#endif
}
