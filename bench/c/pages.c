// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of pages, by struct page and by address.
 */

#include <linux/gfp.h>
#include <linux/mm.h>

#include "bench.h"

#define MANY	100
#define MOST	128

static __always_inline int by_page(unsigned long n, unsigned int order)
{
	while (n--) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		if (!page)
			return -ENOMEM;
		touch(page_address(page));
		__free_pages(page, order);
	}
	return 0;
}

int kalloc_bench_pages(unsigned long n, unsigned long order)
{
	switch (order) {
	case 0:
		return by_page(n, 0);
	case 1:
		return by_page(n, 1);
	case 2:
		return by_page(n, 2);
	case 3:
		return by_page(n, 3);
	}
	return by_page(n, order);
}

static __always_inline int by_address(unsigned long n, unsigned int order)
{
	while (n--) {
		unsigned long address = __get_free_pages(GFP_KERNEL, order);

		if (!address)
			return -ENOMEM;
		touch((void *)address);
		free_pages(address, order);
	}
	return 0;
}

int kalloc_bench_free_pages(unsigned long n, unsigned long order)
{
	switch (order) {
	case 0:
		return by_address(n, 0);
	case 1:
		return by_address(n, 1);
	case 2:
		return by_address(n, 2);
	case 3:
		return by_address(n, 3);
	}
	return by_address(n, order);
}

int kalloc_bench_pages_many(unsigned long n, unsigned long order)
{
	struct page **pages = kvmalloc_array(MANY, sizeof(*pages), GFP_KERNEL);
	unsigned long i, live;
	int ret = 0;

	if (!pages)
		return -ENOMEM;
	while (n--) {
		for (i = 0; i < MANY; i++) {
			struct page *page = alloc_pages(GFP_KERNEL, order);

			if (!page) {
				ret = -ENOMEM;
				break;
			}
			touch(page_address(page));
			pages[i] = page;
		}
		live = i;
		for (i = 0; i < live; i++)
			__free_pages(pages[i], order);
		if (ret)
			break;
	}
	kvfree(pages);
	return ret;
}

int kalloc_bench_pages_bulk(unsigned long n, unsigned long count)
{
	struct page *pages[MOST];

	if (count > MOST)
		return -EINVAL;
	while (n--) {
		unsigned long i, done;

		memset(pages, 0, count * sizeof(*pages));
		done = alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, count, pages);
		for (i = 0; i < done; i++)
			touch(page_address(pages[i]));
		for (i = 0; i < done; i++)
			__free_page(pages[i]);
		if (done < count)
			return -ENOMEM;
	}
	return 0;
}
