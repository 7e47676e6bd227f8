// SPDX-License-Identifier: GPL-2.0-only

#include <linux/irqflags.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/vmalloc.h>

/* Constants, variables and choices of the architecture. */
unsigned int kalloc_helper_pgtable_levels(void);
unsigned int kalloc_helper_pgtable_levels(void)
{
	return (PGDIR_SHIFT - PAGE_SHIFT) / (PAGE_SHIFT - 3) + 1;
}

unsigned long kalloc_helper_task_size_max(void);
unsigned long kalloc_helper_task_size_max(void)
{
	return TASK_SIZE_MAX;
}

unsigned long kalloc_helper_page_offset(void);
unsigned long kalloc_helper_page_offset(void)
{
	return PAGE_OFFSET;
}

unsigned long kalloc_helper_vmalloc_start(void);
unsigned long kalloc_helper_vmalloc_start(void)
{
	return VMALLOC_START;
}

/*
 * The constant is the last address on some architectures, and the address after
 * it on others. Rounding up makes them equal.
 */
unsigned long kalloc_helper_vmalloc_end(void);
unsigned long kalloc_helper_vmalloc_end(void)
{
	return PAGE_ALIGN(VMALLOC_END);
}

/*
 * Returns 1 if the kernel's page table allows writing a mapped address, 0 if
 * not, and -1 if there is no way to check. On arm64 the processor translates
 * the address for a write, and returns the result in a register that an
 * interrupt may overwrite.
 */
int kalloc_helper_is_writable(const void *addr);
int kalloc_helper_is_writable(const void *addr)
{
#if defined(CONFIG_X86) && !defined(CONFIG_UML)
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)addr, &level);

	return pte && pte_write(ptep_get(pte));
#elif defined(CONFIG_ARM64)
	unsigned long flags;
	u64 par;

	local_irq_save(flags);
	asm volatile("at s1e1w, %0" : : "r" (addr));
	isb();
	par = read_sysreg_par();
	local_irq_restore(flags);
	return !(par & SYS_PAR_EL1_F);
#else
	return -1;
#endif
}

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
unsigned long kalloc_helper_guard_hole(void);
unsigned long kalloc_helper_guard_hole(void)
{
	return GUARD_HOLE_BASE_ADDR;
}

unsigned long kalloc_helper_pgdir_size(void);
unsigned long kalloc_helper_pgdir_size(void)
{
	return PGDIR_SIZE;
}
#endif

#if (defined(CONFIG_X86_64) && !defined(CONFIG_UML) && defined(CONFIG_KASAN)) || \
	(defined(CONFIG_ARM64) && (defined(CONFIG_KASAN_GENERIC) || defined(CONFIG_KASAN_SW_TAGS)))
unsigned long kalloc_helper_kasan_start(void);
unsigned long kalloc_helper_kasan_start(void)
{
	return KASAN_SHADOW_START;
}

unsigned long kalloc_helper_kasan_end(void);
unsigned long kalloc_helper_kasan_end(void)
{
	return KASAN_SHADOW_END;
}
#endif
