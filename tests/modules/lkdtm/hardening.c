// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that stock kernels stop or make harmless, without the sanitizers of heap.c. A bug logs the
 * bytes that it finds in memory.
 */

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "mm/slab.h"
#include "owned_blocks.h"

#define MARK 0x5a
/* More objects than the allocator caches for one CPU. */
#define FLOOD 1000

/* ---- calls and strings ---- */

/* Calls a function in Rust through a pointer of another type. */
noinline void planted_mistyped(enum planted_family family)
{
	void *(*call)(void *argument) = (void *)(unsigned long)planted_size;
	void *block = planted_alloc(family);

	OPTIMIZER_HIDE_VAR(call);
	call(block);
	planted_free(block);
}

struct planted_name {
	char text[16];
	char rest[64];
};

/* Copies a string longer than its array; the length is known only at run time. */
noinline void planted_named(enum planted_family family)
{
	struct planted_name *block = planted_alloc(family);
	const char *name = "a name of more than sixteen bytes";

	OPTIMIZER_HIDE_VAR(name);
	block->text[0] = 0;
	strcat(block->text, name);
	planted_free(block);
}

noinline void planted_spanning(enum planted_family family)
{
	struct planted_name *block = planted_alloc(family);
	const char *name = "a name of more than sixteen bytes";
	size_t size = sizeof(block->text) + 1;

	OPTIMIZER_HIDE_VAR(size);
	memcpy(block->text, name, size);
	planted_free(block);
}

/* ---- what memory holds ---- */

static size_t marks(const u8 *from, size_t size)
{
	size_t count = 0, i;

	for (i = 0; i < size; i++)
		count += READ_ONCE(from[i]) == MARK;
	return count;
}

/* Reads freed memory that stays mapped. */
noinline void planted_remains(enum planted_family family)
{
	size_t size = min(planted_size(family), PAGE_SIZE);
	u8 *block = planted_alloc(family), *there = block;

	memset(block, MARK, size);
	if (family == PLANTED_AREA)
		there = page_address(vmalloc_to_page(block));
	planted_free(block);
	pr_info("%s: %zu of %zu bytes\n", __func__, marks(there, size), size);
}

/* Writes freed memory; its next owner reads it. */
noinline void planted_reused(enum planted_family family)
{
	size_t size = planted_size(family), found = 0;
	u8 *block = planted_alloc(family), *others[PLANTED_OTHERS];
	int i, same = 0;

	planted_free(block);
	memset(block, MARK, size);
	for (i = 0; i < PLANTED_OTHERS; i++) {
		others[i] = planted_alloc(family);
		same += others[i] == block;
		found += marks(others[i], size);
	}
	for (i = 0; i < PLANTED_OTHERS; i++)
		planted_free(others[i]);
	pr_info("%s: %zu of %zu bytes, allocated again: %d\n", __func__, found, size, same);
}

/* Reads an uninitialized variable. */
noinline void planted_unset(enum planted_family family)
{
	u64 words[4];

	barrier_data(words);
	pr_info("%s: %llx\n", __func__, words[family]);
}

/* ---- addresses ---- */

/* Writes the guard page behind an area. */
noinline void planted_guard_page(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	READ_ONCE(block[PAGE_ALIGN(planted_size(family))]);
	planted_free(block);
}

static noinline void planted_scribbler(u8 *block)
{
	WRITE_ONCE(*block, 1);
}

/* Calls back from Rust, which is no bug. */
noinline void planted_scribble(enum planted_family family)
{
	planted_read_only(planted_scribbler);
}

/* Reads an address that is outside the linear mapping. */
noinline void planted_astray(enum planted_family family)
{
	void *block = planted_alloc(family);

	pr_info("%s: %d\n", __func__, virt_to_phys(block) == 0);
	planted_free(block);
}

/* ---- the slab allocator's own data ---- */

static struct kmem_cache *cache_of(enum planted_family family)
{
	void *block = planted_alloc(family);
	struct kmem_cache *cache = virt_to_slab(block)->slab_cache;

	planted_free(block);
	return cache;
}

/* Overwrites the free pointers of free objects with an invalid address. */
noinline void planted_wild_freelist(enum planted_family family)
{
	struct kmem_cache *cache = cache_of(family);
	u8 *decoy = planted_alloc(PLANTED_PAGE);
	void *objects[PLANTED_OTHERS];
	int i;

	for (i = 0; i < PLANTED_OTHERS; i++)
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (i = 0; i < PLANTED_OTHERS; i += 2)
		kmem_cache_free(cache, objects[i]);
	/* From the CPU to the slabs. */
	planted_shrink();
	memset(decoy, 0, PAGE_SIZE);
	for (i = 0; i < PLANTED_OTHERS; i += 2)
		WRITE_ONCE(*(void **)(objects[i] + cache->offset), decoy);
	for (i = 0; i < FLOOD; i++)
		objects[0] = kmem_cache_alloc(cache, GFP_KERNEL);
}

/*
 * Frees objects twice. The CPU's own list accepts them as they are; when it is full, they are
 * returned to their slabs, one after the other.
 */
noinline void planted_flood(enum planted_family family)
{
	struct kmem_cache *cache = cache_of(family);
	void **objects = kcalloc(FLOOD, sizeof(*objects), GFP_KERNEL);
	int i;

	for (i = 0; i < FLOOD; i++)
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (i = 0; i < FLOOD; i++) {
		kmem_cache_free(cache, objects[i]);
		kmem_cache_free(cache, objects[i]);
	}
	kfree(objects);
}

/* ---- the stack ---- */

/* Smashes the stack. Must be the last bug, because it ends the kernel. */
noinline void planted_smash(enum planted_family family)
{
	u8 buffer[16], *from = buffer;
	size_t size = 2 * sizeof(buffer);

	OPTIMIZER_HIDE_VAR(from);
	OPTIMIZER_HIDE_VAR(size);
	memset(from, family, size);
	barrier_data(buffer);
}
