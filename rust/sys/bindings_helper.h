/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Input of bindgen: the headers that the kernel's bindings crate leaves out,
 * and the prototypes of the helpers. `bindgen_parameters` selects the symbols.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/* Constants that are not plain literals for the preprocessor. */
const gfp_t KALLOC_CONST___GFP_ACCOUNT = __GFP_ACCOUNT;
const gfp_t KALLOC_CONST___GFP_COMP = __GFP_COMP;
const gfp_t KALLOC_CONST___GFP_DIRECT_RECLAIM = __GFP_DIRECT_RECLAIM;
const gfp_t KALLOC_CONST___GFP_DMA = __GFP_DMA;
const gfp_t KALLOC_CONST___GFP_DMA32 = __GFP_DMA32;
const gfp_t KALLOC_CONST___GFP_HIGH = __GFP_HIGH;
const gfp_t KALLOC_CONST___GFP_KSWAPD_RECLAIM = __GFP_KSWAPD_RECLAIM;
const gfp_t KALLOC_CONST___GFP_NOFAIL = __GFP_NOFAIL;
const gfp_t KALLOC_CONST___GFP_NORETRY = __GFP_NORETRY;
const gfp_t KALLOC_CONST___GFP_RECLAIMABLE = __GFP_RECLAIMABLE;
const gfp_t KALLOC_CONST___GFP_RETRY_MAYFAIL = __GFP_RETRY_MAYFAIL;
const gfp_t KALLOC_CONST___GFP_THISNODE = __GFP_THISNODE;
const gfp_t KALLOC_CONST_GFP_NOFS = GFP_NOFS;
const gfp_t KALLOC_CONST_GFP_NOIO = GFP_NOIO;
const slab_flags_t KALLOC_CONST_SLAB_ACCOUNT = SLAB_ACCOUNT;
const slab_flags_t KALLOC_CONST_SLAB_HWCACHE_ALIGN = SLAB_HWCACHE_ALIGN;
const slab_flags_t KALLOC_CONST_SLAB_NO_MERGE = SLAB_NO_MERGE;
const slab_flags_t KALLOC_CONST_SLAB_RECLAIM_ACCOUNT = SLAB_RECLAIM_ACCOUNT;
const slab_flags_t KALLOC_CONST_SLAB_TYPESAFE_BY_RCU = SLAB_TYPESAFE_BY_RCU;
const unsigned long KALLOC_CONST_VM_MAP = VM_MAP;

/*
 * The large page sizes by which kvmalloc may map a block. The block then takes
 * a whole number of such pages.
 */
#ifdef CONFIG_HAVE_ARCH_HUGE_VMALLOC
const long KALLOC_CONST_VMAP_PMD_SIZE = PMD_SIZE;
#else
const long KALLOC_CONST_VMAP_PMD_SIZE = PAGE_SIZE;
#endif
#if defined(CONFIG_HAVE_ARCH_HUGE_VMALLOC) && defined(CONFIG_ARM64)
const long KALLOC_CONST_VMAP_PTE_SIZE = CONT_PTE_SIZE;
#else
const long KALLOC_CONST_VMAP_PTE_SIZE = PAGE_SIZE;
#endif

/*
 * True if kmalloc may serve small size classes from larger ones on this
 * machine. The reasons are devices that are not cache-coherent and must not
 * share a cache line, or the tags of KASAN.
 */
const bool KALLOC_CONST_CLASSES_VARY = IS_ENABLED(CONFIG_KASAN_HW_TAGS) ||
				       (ARCH_DMA_MINALIGN) > (ARCH_KMALLOC_MINALIGN);

/*
 * The fixed regions of the address space. They are signed, because bindgen
 * generates constants only from numbers of up to 63 bits.
 */
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/fixmap.h>
#include <asm/vsyscall.h>

const long KALLOC_CONST_AREA_CPU_ENTRY = CPU_ENTRY_AREA_BASE;
const long KALLOC_CONST_AREA_EFI_END = EFI_VA_START;
const long KALLOC_CONST_AREA_EFI_START = EFI_VA_END;
const long KALLOC_CONST_AREA_ESPFIX = ESPFIX_BASE_ADDR;
const long KALLOC_CONST_AREA_FIXMAP = FIXADDR_START;
#ifdef CONFIG_X86_VSYSCALL_EMULATION
const long KALLOC_CONST_AREA_FIXMAP_END = VSYSCALL_ADDR;
#else
const long KALLOC_CONST_AREA_FIXMAP_END = FIXADDR_TOP + PAGE_SIZE;
#endif
const long KALLOC_CONST_AREA_KERNEL = __START_KERNEL_map;
const long KALLOC_CONST_AREA_MODULES = MODULES_VADDR;
const long KALLOC_CONST_AREA_MODULES_END = MODULES_END;
const long KALLOC_CONST_AREA_VSYSCALL = VSYSCALL_ADDR;
const long KALLOC_CONST_P4D_ENTRY_SIZE = P4D_SIZE;
#endif

#ifdef CONFIG_ARM64
#include <asm/fixmap.h>

const long KALLOC_CONST_AREA_FIXMAP = FIXADDR_TOT_START;
const long KALLOC_CONST_AREA_FIXMAP_END = FIXADDR_TOP;
const long KALLOC_CONST_AREA_MODULES = MODULES_VADDR;
const long KALLOC_CONST_AREA_MODULES_END = MODULES_END;
const long KALLOC_CONST_AREA_PCI_IO = PCI_IO_START;
const long KALLOC_CONST_AREA_PCI_IO_END = PCI_IO_END;
const long KALLOC_CONST_AREA_VMEMMAP = VMEMMAP_START;
#endif

#include "../helpers/helpers.c"
