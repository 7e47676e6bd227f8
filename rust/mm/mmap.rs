// SPDX-License-Identifier: GPL-2.0-only

//! Read-only mappings of memory of every family into user space.
//!
//! A driver's `mmap` prepares a mapping with [`map`], for any kind of memory, and
//! [finishes](Prepared::finish) it:
//!
//! ```no_run
//! use kalloc::{mm::mmap, Array, Vmalloc};
//! use kernel::{
//!     fs::File,
//!     miscdevice::{MiscDevice, MiscDeviceRegistration},
//!     mm::virt::VmaNew,
//!     sync::{Arc, ArcBorrow},
//! };
//!
//! kalloc::sites! {
//!     Tables: vmalloc([u8]), "doc_mmap";
//! }
//!
//! struct Reader {
//!     table: Arc<Array<u8, Vmalloc<Tables>>>,
//! }
//!
//! #[vtable]
//! impl MiscDevice for Reader {
//!     type Ptr = Arc<Reader>;
//! #
//! #   fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<Arc<Reader>> {
//! #       Err(ENXIO)
//! #   }
//!
//!     // In addition to `open` and `read`:
//!     fn mmap(reader: ArcBorrow<'_, Reader>, _file: &File, vma: &VmaNew) -> Result {
//!         mmap::map(&reader.table, mmap::first_page(vma), vma)?.finish()
//!     }
//! }
//! ```
//!
//! # Ownership
//!
//! The memory is in an [`Arc`], and each area of an address space that maps it holds its own
//! reference. `fork()`, `mremap()`, and a `munmap()` of a part copy or split areas, and thereby
//! clone the reference. The reference is dropped with the area, however the process ends. The
//! driver may drop its own reference, close its file, or replace the memory: existing mappings stay
//! valid.
//!
//! Shared memory is never written: an `Arc` gives out only shared references, and [`Mappable`]
//! memory has no interior mutability. The driver fills the memory before it puts it into the `Arc`,
//! and all processes see the same contents.
//!
//! # Mechanism
//!
//! All families use one mechanism. The first access to a page inserts its frame number into the
//! page table, as a *special* entry. The kernel neither counts nor pins the page of such an entry.
//! Slab pages cannot be counted; and because no code can pin the page, it does not outlive its
//! block, compound or not. The areas are `VM_MIXEDMAP`, which is compatible with the other methods
//! of [`VmaNew`], and lets `/proc/PID/pagemap` show the frames. `VM_PFNMAP` areas would be left out
//! there.
//!
//! # Context
//!
//! `munmap()` may drop the last reference, under the lock of the address space. The memory's
//! destructor must therefore not access user memory.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::sys::bindings;
use core::{
    marker::PhantomData,
    mem::{
        self,
        ManuallyDrop, //
    },
    ptr, //
};
use kernel::{
    ffi::{
        c_ulong,
        c_void, //
    },
    mm::virt::VmaNew,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

mod mappable;

pub use self::mappable::Mappable;
pub use crate::mm::page_bytes::PageBytes;

/// True if the architecture and the kernel support these mappings. User pages must be possible by
/// frame number alone, and a processor must see the same memory at all its mapped addresses. An
/// open file must keep the device's module loaded: the kernel crate's misc devices set the owner
/// module since Linux 7.3.
const SUPPORTED: bool = cfg!(CONFIG_ARCH_HAS_PTE_SPECIAL)
    && !cfg!(CONFIG_ARCH_HAS_CPU_CACHE_ALIASING)
    && !cfg!(LINUX_7_2);

/// Returns the offset into the file that the process gave to `mmap()`, in pages.
///
/// # Examples
///
/// ```no_run
/// use kalloc::mm::mmap;
/// use kernel::mm::virt::VmaNew;
///
/// /// Returns the index of the driver's table, of 16 pages each, that a process maps.
/// fn table(vma: &VmaNew) -> usize {
///     mmap::first_page(vma) / 16
/// }
/// ```
pub fn first_page(vma: &VmaNew) -> usize {
    // SAFETY: The area is being set up, so no other thread accesses it.
    unsafe { (*vma.as_ptr()).vm_pgoff }
}

/// Prepares a read-only, non-executable mapping of `memory`, from its page `first` on, into the
/// whole of `vma`.
///
/// The result holds a reference to the memory. The driver's `mmap` returns the result of
/// [`finish`](Prepared::finish). A driver that returns an error instead drops the result, and
/// thereby the reference.
///
/// # Context
///
/// Process context, in `mmap`. Does not sleep.
///
/// # Errors
///
/// - [`EACCES`] if the process requests a writable mapping.
/// - [`ENXIO`] if the area extends beyond the memory.
/// - [`EINVAL`] if the memory does not consist of whole pages.
/// - [`EINVAL`] if the file belongs to another module than the caller. A mapping keeps the file
///   open, the file keeps its module loaded, and the kernel calls the caller for each page.
/// - [`EBUSY`] if a mapping into `vma` is already prepared or finished.
/// - [`ENODEV`] if the architecture does not support such mappings.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     mm::mmap::{self, Mappable},
///     Order, Pages,
/// };
/// use kernel::{mm::virt::VmaNew, sync::Arc};
///
/// kalloc::sites! {
///     Tables: pages, "doc_map";
/// }
///
/// /// Implements a driver's `mmap`.
/// fn show(table: &Arc<Pages<Tables>>, vma: &VmaNew) -> Result {
///     mmap::map(table, mmap::first_page(vma), vma)?.finish()
/// }
///
/// let table = Pages::<Tables, _>::uninit(Order::of::<1>(), GFP_KERNEL)?.fill(1);
/// let table = Arc::new(table, GFP_KERNEL)?;
/// // An area can map these two pages.
/// assert_eq!(table.check(0, 2), Ok(()));
/// # Ok::<(), Error>(())
/// ```
pub fn map<'a, M: Mappable>(
    memory: &Arc<M>,
    first: usize,
    vma: &'a VmaNew,
) -> Result<Prepared<'a>> {
    if !SUPPORTED {
        return Err(ENODEV);
    }
    if vma.writable() {
        return Err(EACCES);
    }
    memory.check(first, (vma.end() - vma.start()) / PAGE_SIZE)?;
    let area = vma.as_ptr();
    // SAFETY: The area is being set up, so no other thread accesses it. Its private data are NULL
    // until a mapping is prepared.
    if !unsafe { (*area).vm_private_data }.is_null() {
        return Err(EBUSY);
    }
    let table = Operations::<M>::table();
    // SAFETY: The area is being set up, so no other thread accesses it. Its file, if any, is open.
    if !unsafe {
        bindings::kalloc_helper_file_keeps((*area).vm_file, ptr::from_ref(table) as c_ulong)
    } {
        return Err(EINVAL);
    }
    // SAFETY: The area is being set up, so no other thread accesses it. Without operations, the
    // kernel does not use the private data.
    unsafe { (*area).vm_private_data = memory.clone().into_foreign().cast() };
    // INVARIANT: The private data are a reference to an `M`, which is the type of the table.
    // `check` has verified that the memory has all pages of the area from `first` on.
    Ok(Prepared {
        vma,
        first,
        table,
        release: release::<M>,
        executable: false,
    })
}

/// Drops the reference of an area.
///
/// # Safety
///
/// - `reference` must be from [`Arc::<M>::into_foreign`](Arc::into_foreign).
/// - The caller must not use `reference` afterwards.
unsafe fn release<M: Mappable>(reference: *mut c_void) {
    // SAFETY: By the requirements of this function, `reference` is from `into_foreign` and is not
    // used again.
    drop(unsafe { <Arc<M>>::from_foreign(reference) });
}

/// A prepared mapping. [`finish`](Self::finish) completes it, as the last step of a driver's
/// `mmap`.
///
/// If an `mmap` fails, the kernel frees the area without a call of its operations. The area
/// therefore gets the reference to the memory only when no step can fail any more. A driver whose
/// `mmap` has further steps performs them while it holds this value. If one fails, nothing is
/// leaked:
///
/// ```no_run
/// use kalloc::{
///     mm::mmap::{self, Prepared},
///     Order, Pages,
/// };
/// use kernel::{mm::virt::VmaNew, sync::Arc};
///
/// kalloc::sites! {
///     Tables: pages, "doc_prepared";
/// }
///
/// struct Device {
///     table: Arc<Pages<Tables>>,
/// }
///
/// impl Device {
///     /// Prepares the mapping of one of the device's tables.
///     fn map<'a>(&self, vma: &'a VmaNew) -> Result<Prepared<'a>> {
///         mmap::map(&self.table, mmap::first_page(vma), vma)
///     }
///
///     /// Counts the mapping, which may fail.
///     fn count(&self) -> Result {
///         Ok(())
///     }
///
///     /// Implements the device's `mmap`.
///     fn mmap(&self, vma: &VmaNew) -> Result {
///         let prepared = self.map(vma)?;
///         self.count()?;
///         prepared.finish()
///     }
/// }
/// ```
///
/// # Invariants
///
/// - The private data of `vma` are a reference to memory, which this value owns and `release`
///   drops. `table` has the operations for that memory.
/// - The memory has a page for each page of the area, from page `first` on.
#[must_use = "nothing is mapped before `finish`, whose result a driver's `mmap` returns"]
pub struct Prepared<'a> {
    vma: &'a VmaNew,
    first: usize,
    table: &'static bindings::vm_operations_struct,
    release: unsafe fn(*mut c_void),
    executable: bool,
}

impl Prepared<'_> {
    /// Allows the process to execute the memory, if it requests that.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use kalloc::{mm::mmap, Order, Pages};
    /// use kernel::{mm::virt::VmaNew, sync::Arc};
    ///
    /// kalloc::sites! {
    ///     Stubs: pages, "doc_executable";
    /// }
    ///
    /// /// Maps code for processes to call.
    /// fn show(stubs: &Arc<Pages<Stubs>>, vma: &VmaNew) -> Result {
    ///     mmap::map(stubs, 0, vma)?.executable().finish()
    /// }
    /// ```
    pub fn executable(mut self) -> Self {
        self.executable = true;
        self
    }

    /// Completes the mapping. A driver's `mmap` returns the result.
    ///
    /// # Context
    ///
    /// Process context, in `mmap`. Does not sleep.
    ///
    /// # Errors
    ///
    /// After an error, nothing is mapped.
    ///
    /// - [`EACCES`] if the process requests an executable mapping, and the driver does not
    ///   [allow](Self::executable) it.
    /// - [`ENODEV`] if the driver allows it and the architecture is not x86_64: on others, a
    ///   processor may execute stale contents of its instruction cache.
    ///
    /// # Examples
    ///
    /// See [`map`].
    pub fn finish(self) -> Result {
        if !self.executable {
            // `mprotect()` cannot make the mapping executable later.
            self.vma.try_clear_mayexec().map_err(|_| EACCES)?;
        } else if !cfg!(CONFIG_X86_64) {
            return Err(ENODEV);
        }
        self.vma.try_clear_maywrite()?;
        // The area cannot grow, is not in core dumps, and the kernel does not look for pages behind
        // it.
        self.vma.set_dontexpand();
        self.vma.set_dontdump();
        self.vma.set_io();
        self.vma.set_mixedmap();
        // No step fails from here on, so the reference is neither leaked nor dropped twice.
        let this = ManuallyDrop::new(self);
        let area = this.vma.as_ptr();
        // SAFETY: The area is being set up, so no other thread accesses it. By the type invariants,
        // the private data suit the operations. The offset becomes that of the memory, so that it
        // identifies an area's pages after a split or a move. Together with the area's length, it
        // does not overflow.
        unsafe {
            (*area).vm_pgoff = this.first as c_ulong;
            (*area).vm_ops = this.table;
        }
        Ok(())
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        let area = self.vma.as_ptr();
        // SAFETY: The area is being set up, so no other thread accesses it. By the type invariants,
        // its private data are a reference that `release` drops. The area does not keep it.
        unsafe {
            let reference = mem::replace(&mut (*area).vm_private_data, ptr::null_mut());
            (self.release)(reference);
        }
    }
}

/// The operations of areas that map an `M` (`struct vm_operations_struct`).
///
/// Every area with this table has its own reference to an `M` in `vm_private_data`
/// ([`Arc::into_foreign`]). `finish` gives one to the first area, and `open` gives one to each
/// copy. `close`, the last operation on an area, drops it. The area's `vm_pgoff` counts pages of
/// the `M`.
struct Operations<M>(PhantomData<M>);

impl<M: Mappable> Operations<M> {
    const TABLE: bindings::vm_operations_struct = bindings::vm_operations_struct {
        open: Some(Self::open),
        close: Some(Self::close),
        fault: Some(Self::fault),
        ..pin_init::zeroed()
    };

    const fn table() -> &'static bindings::vm_operations_struct {
        &Self::TABLE
    }

    /// Clones the reference for a copy of an area, from a split, a move or a fork.
    ///
    /// # Safety
    ///
    /// `vma` must be a new copy of an area with this table, which still has its reference.
    unsafe extern "C" fn open(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By the requirement of this function, the private data are a copy of the original
        // area's reference, which is alive.
        let memory = unsafe { <Arc<M>>::borrow(private_data(vma)) };
        // The copy gets its own reference, with the same pointer.
        let _ = Arc::from(memory).into_foreign();
    }

    /// Drops the reference of an area that is being freed, after all of its pages were unmapped.
    ///
    /// # Safety
    ///
    /// `vma` must be an area with this table, which is not used any more.
    unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By the requirement of this function, the area has a reference, which is taken
        // only here.
        drop(unsafe { <Arc<M>>::from_foreign(private_data(vma)) });
    }

    /// Inserts the page of a fault into the page table.
    ///
    /// # Safety
    ///
    /// `vmf` must be a fault in an area with this table.
    unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: By the requirement of this function, `vmf` is a fault, which does not change
        // during the call.
        let fault = unsafe { &(*vmf).__bindgen_anon_1 };
        // SAFETY: The area holds its reference as long as faults in it are handled.
        let memory = unsafe { <Arc<M>>::borrow(private_data(fault.vma)) };
        match memory.pfn(fault.pgoff) {
            // SAFETY: The area is `VM_MIXEDMAP`, the fault handler holds the required lock, and the
            // address is that of the fault. By the guarantees of `Mappable`, the page belongs to
            // the memory, and stays there as long as the area has its reference. The page cannot be
            // written: the area is not writable, and cannot become so.
            Some(pfn) => unsafe {
                bindings::vmf_insert_mixed(fault.vma, fault.address, pfn as c_ulong)
            },
            None => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
        }
    }
}

/// Returns the private data of an area.
///
/// # Safety
///
/// `vma` must be an area, in a call of one of its operations.
unsafe fn private_data(vma: *mut bindings::vm_area_struct) -> *mut c_void {
    // SAFETY: By the requirement of this function, the area is valid. Its private data never change
    // after it is set up.
    unsafe { (*vma).vm_private_data.cast() }
}
