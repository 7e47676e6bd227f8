// SPDX-License-Identifier: GPL-2.0

#include <linux/pgtable.h>
#include <linux/preempt.h>
#include <linux/vmalloc.h>

void *kalloc_helper_vmap(struct page **pages, unsigned int count);
void *kalloc_helper_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

bool kalloc_helper_in_hardirq_or_nmi(void);
bool kalloc_helper_in_hardirq_or_nmi(void)
{
	return in_hardirq() || in_nmi();
}
