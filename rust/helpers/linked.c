// SPDX-License-Identifier: GPL-2.0-only

/*
 * Allocation functions that count. The linker redirects the calls of a driver
 * to them, see accounting/linked.rs.
 */

#include <linux/bit_spinlock.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
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

#define SIZE_BITS 38

/*
 * A counted block. The address is inverted, so that kmemleak does not take it
 * for a reference. The memory that the block takes is a number of bytes, or of
 * pages if it has whole pages.
 */
struct kalloc_record {
	struct kalloc_record *next;
	struct kalloc_row *row;
	unsigned long hidden;
	unsigned long size:SIZE_BITS;
	unsigned long units:BITS_PER_LONG - SIZE_BITS;
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

/* Returns true if a block takes whole pages, and not an object of a size class. */
static bool is_paged(const void *block, unsigned int family)
{
	return family == KALLOC_PAGES || is_vmalloc_addr(block);
}

/*
 * Returns the bytes that a new block takes. vmalloc() rounds a block up to whole
 * huge pages, or to some contiguous pages on arm64, if it found such. After its area
 * there is a page that is never mapped.
 */
static size_t footprint(const void *block, size_t size, unsigned int family)
{
	size_t pages = PAGE_ALIGN(size);

	if (!is_paged(block, family))
		return kmalloc_size_roundup(size);
	if (!is_vmalloc_addr(block))
		return pages;
	if (size >= PMD_SIZE && vmalloc_to_page(block + pages))
		return ALIGN(size, PMD_SIZE);
	while (vmalloc_to_page(block + pages))
		pages += PAGE_SIZE;
	return pages;
}

/* Returns the bytes that a counted block takes. */
static size_t taken(const struct kalloc_record *record)
{
	const void *block = (const void *)~record->hidden;

	return (size_t)record->units << (is_paged(block, record->row->family) ? PAGE_SHIFT : 0);
}

/*
 * Returns the bytes of a block that was resized in place. krealloc() keeps all
 * memory of a block. vrealloc() frees the pages after the new end or keeps them
 * all, and grows into pages that its area has in addition, such as the rest of a
 * huge page.
 */
static size_t resized_footprint(const void *block, size_t size, size_t old)
{
	size_t pages = PAGE_ALIGN(size);

	if (is_vmalloc_addr(block) && pages < old && !vmalloc_to_page(block + pages))
		return pages;
	return max(old, is_vmalloc_addr(block) ? pages : size);
}

static void count(const struct kalloc_record *record, bool freed)
{
	kalloc_linked_count(record->row, record->size, taken(record), freed);
}

static void insert(struct kalloc_record *record)
{
	unsigned long *bucket, flags;

	bucket = lock_bucket(&buckets[hash_ptr((void *)~record->hidden, BUCKET_BITS)], &flags);
	record->next = first(bucket);
	set_first(bucket, record);
	unlock_bucket(bucket, flags);
}

/*
 * Calls that resize a block, which may fail. Their rows exist until the end of the
 * call: forget_records() waits for it. A reference to the row's module would not be
 * enough, since a module whose initialization fails goes without regard to references.
 */
DEFINE_STATIC_SRCU(resizes);

/* Returns true if a module is being unloaded, or its initialization has failed. */
static bool is_going(const struct module *module)
{
#ifdef CONFIG_MODULES
	return module && READ_ONCE(module->state) == MODULE_STATE_GOING;
#else
	return false;
#endif
}

/*
 * Returns the record of a block, or NULL, and counts the free unless @resized. The
 * caller counts it then, in a reader's section of resizes.
 */
static struct kalloc_record *take(const void *block, bool resized)
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
		if (!resized)
			count(record, true);
	}
	unlock_bucket(bucket, flags);
	return record;
}

/*
 * Puts the record of a block back that a failed resize has left alone. The module of
 * its row may be going: forget_records() has been at this list, or will find it.
 */
static void put_back(struct kalloc_record *record)
{
	unsigned long *bucket, flags;
	bool going;

	bucket = lock_bucket(&buckets[hash_ptr((void *)~record->hidden, BUCKET_BITS)], &flags);
	going = is_going(record->row->module);
	if (going) {
		count(record, true);
	} else {
		record->next = first(bucket);
		set_first(bucket, record);
	}
	unlock_bucket(bucket, flags);
	if (going)
		kfree(record);
}

/*
 * Counts a block that takes @bytes, if there is a row for the call site. @record
 * is NULL or unused.
 */
static noinline void kalloc_add_record(void *block, size_t size, size_t bytes, unsigned int family,
				       gfp_t gfp, unsigned long ip, struct kalloc_record *record)
{
	struct kalloc_row *row = kalloc_linked_row(ip, family, gfp);
	unsigned long units = bytes >> (is_paged(block, family) ? PAGE_SHIFT : 0);

	/* A block that was freed elsewhere may have had this address. */
	kfree(take(block, false));
	if (row && !record)
		record = kmalloc(sizeof(*record), (gfp & MAY) | __GFP_NOWARN);
	/* Large pages make kmalloc() blocks possible that have more bytes than a record. */
	if (!row || !record || size >> SIZE_BITS || units >> (BITS_PER_LONG - SIZE_BITS)) {
		kfree(record);
		return;
	}
	record->row = row;
	record->hidden = ~(unsigned long)block;
	record->size = size;
	record->units = units;
	count(record, false);
	insert(record);
}

/* Counts the result of a call that has allocated, freed or, after @p, resized a block. */
static void counted(const void *p, void *new, size_t size, struct kalloc_record *record,
		    unsigned int family, gfp_t gfp, unsigned long ip)
{
	size_t bytes = new && size ? footprint(new, size, family) : 0;

	if (p && size && record) {
		if (!new)
			return put_back(record);
		if (new == p)
			bytes = resized_footprint(new, size, taken(record));
		count(record, true);
	}
	if (size && new)
		kalloc_add_record(new, size, bytes, family, gfp, ip, record);
	else
		kfree(record);
}

#define DEFINE_REALLOC(name, family)						\
void *__wrap_rust_helper_##name(const void *p, size_t size, unsigned long align,	\
				gfp_t gfp, int node);				\
void *__wrap_rust_helper_##name(const void *p, size_t size, unsigned long align,	\
				gfp_t gfp, int node)				\
{										\
	bool resized = p && size;						\
	int reader = resized ? srcu_read_lock(&resizes) : 0;			\
	struct kalloc_record *record = p ? take(p, resized) : NULL;		\
	void *block = name(p, size, align, gfp, node);				\
										\
	counted(p, block, size, record, family, gfp, _RET_IP_);			\
	if (resized)								\
		srcu_read_unlock(&resizes, reader);				\
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
		kalloc_add_record(page, PAGE_SIZE << order, PAGE_SIZE << order, KALLOC_PAGES, gfp,
				  _RET_IP_, NULL);
	return page;
}

void __wrap___free_pages(struct page *page, unsigned int order);
void __wrap___free_pages(struct page *page, unsigned int order)
{
	kfree(take(page, false));
	__free_pages(page, order);
}

#ifdef CONFIG_STACKTRACE
/* Returns true if an address is in the code of kalloc, or of the kernel that contains it. */
static bool is_own(unsigned long ip)
{
#ifdef MODULE
	return within_module(ip, THIS_MODULE);
#else
	return core_kernel_text(ip);
#endif
}
#endif

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
		kalloc_add_record(block, size, kmalloc_size_roundup(size), KALLOC_KMALLOC, gfp,
				  callers[i], NULL);
#endif
}

void __wrap_kvfree_call_rcu(void *head, void *block);
void __wrap_kvfree_call_rcu(void *head, void *block)
{
	kfree(take(block, false));
	kvfree_call_rcu(head, block);
}

/*
 * Removes the records of a module that is being unloaded, and waits for calls
 * that have taken some.
 */
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
	synchronize_srcu(&resizes);
}
