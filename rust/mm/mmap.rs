// SPDX-License-Identifier: GPL-2.0

//! Memory of every family in user space, to be read.
//!
//! A driver's `mmap` prepares a mapping with [`map`], whatever the memory comes from, and
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
//!     // As well as `open` and `read`:
//!     fn mmap(reader: ArcBorrow<'_, Reader>, _file: &File, vma: &VmaNew) -> Result {
//!         mmap::map(&reader.table, mmap::first_page(vma), vma)?.finish()
//!     }
//! }
//! ```
//!
//! # Who owns what
//!
//! The memory is in an [`Arc`], and each area of an address space that shows it has a reference of
//! its own: it is shared when an area is copied or split, by `fork()`, `mremap()` or `munmap()` of a
//! part, and dropped when an area goes, however the process ends. The driver may drop its own
//! reference, close its file, or replace the memory by other: what is mapped stays.
//!
//! Memory that is shared is not written: an `Arc` gives out shared references only, and what is
//! [`Mappable`] has no interior mutability. It is filled before it is put into the `Arc`, and what a
//! process sees is what every other one sees.
//!
//! # How
//!
//! One mechanism serves all families: a page is put into the page table by its frame number when
//! it is first touched, as a *special* entry, which the kernel never takes for one of a page that it
//! may count or pin. Slab pages cannot be counted; and a page that nobody can pin does not outlive
//! its block, be it a compound page or not. The areas are `VM_MIXEDMAP`, which suits the other
//! things that a [`VmaNew`] can do, and lets `/proc/PID/pagemap` show the frames; it would leave
//! out `VM_PFNMAP` areas.
//!
//! # Context
//!
//! The last reference may be dropped by `munmap()`, under the lock of the address space: the memory's
//! destructor must not touch user memory.
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

/// Whether the architecture can have pages in user space by their frame numbers alone, and a
/// processor sees the same memory at all addresses that it is mapped at; and whether an open file keeps
/// the module loaded whose device it is. The kernel crate's misc devices name it since Linux 7.3.
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
/// /// Which of a driver's tables, of 16 pages each, a process wants to see.
/// fn table(vma: &VmaNew) -> usize {
///     mmap::first_page(vma) / 16
/// }
/// ```
pub fn first_page(vma: &VmaNew) -> usize {
    // SAFETY: The area is being set up, and nobody else has it.
    unsafe { (*vma.as_ptr()).vm_pgoff }
}

/// Prepares a mapping of `memory`, from its page `first` on, into all of `vma`: read-only, and not
/// executable.
///
/// The result has a reference to the memory, and the driver's `mmap` returns what its
/// [`finish`](Prepared::finish) does. A driver that returns an error instead drops the result, and
/// the reference with it.
///
/// # Context
///
/// Process context, in `mmap`. Does not sleep.
///
/// # Errors
///
/// - [`EACCES`] if the process asks for memory that it can write.
/// - [`ENXIO`] if the area reaches beyond the memory.
/// - [`EINVAL`] if the memory is not whole pages, or the file is another module's than the caller: what is
///   mapped keeps the file, the file its module, and the kernel calls the caller for each page.
/// - [`EBUSY`] if a mapping into `vma` is prepared or finished already.
/// - [`ENODEV`] if the architecture cannot do it.
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
/// /// What a driver's `mmap` does.
/// fn show(table: &Arc<Pages<Tables>>, vma: &VmaNew) -> Result {
///     mmap::map(table, mmap::first_page(vma), vma)?.finish()
/// }
///
/// let table = Pages::<Tables, _>::uninit(Order::of::<1>(), GFP_KERNEL)?.fill(1);
/// let table = Arc::new(table, GFP_KERNEL)?;
/// // An area of these two pages can be mapped.
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
    // SAFETY: The area is being set up, and nothing else accesses it. Its private data are NULL until a
    // mapping is prepared.
    if !unsafe { (*area).vm_private_data }.is_null() {
        return Err(EBUSY);
    }
    let table = Operations::<M>::table();
    // SAFETY: As above. The file, if there is one, is open.
    if !unsafe {
        bindings::kalloc_helper_file_keeps((*area).vm_file, ptr::from_ref(table) as c_ulong)
    } {
        return Err(EINVAL);
    }
    // SAFETY: As above. Without operations, the kernel does not use the private data.
    unsafe { (*area).vm_private_data = memory.clone().into_foreign().cast() };
    // INVARIANT: The private data are a reference to an `M`, for which the table is. `check` has found
    // that the area's pages from `first` on are the memory's.
    Ok(Prepared {
        vma,
        first,
        table,
        release: release::<M>,
        executable: false,
    })
}

/// Drops a reference that was an area's.
///
/// # Safety
///
/// `reference` must be of [`Arc::<M>::into_foreign`](Arc::into_foreign), and is not used any more.
unsafe fn release<M: Mappable>(reference: *mut c_void) {
    // SAFETY: By the requirement of this function.
    drop(unsafe { <Arc<M>>::from_foreign(reference) });
}

/// A mapping that is prepared: [`finish`](Self::finish) makes it, as the last step of a driver's `mmap`.
///
/// The kernel forgets the area of an `mmap` that fails, without a call of its operations. So the
/// area gets a reference to the memory only when nothing can fail any more. A driver whose `mmap` has
/// more to do does it while it has this, and loses nothing if that fails:
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
///     /// What the device's `mmap` does.
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
/// - The private data of `vma` are a reference to memory, which is this value's, and which `release`
///   drops. `table` has the operations for it.
/// - From page `first` of the memory on, there is a page for each page of the area.
#[must_use = "nothing is mapped before `finish`, whose result a driver's `mmap` returns"]
pub struct Prepared<'a> {
    vma: &'a VmaNew,
    first: usize,
    table: &'static bindings::vm_operations_struct,
    release: unsafe fn(*mut c_void),
    executable: bool,
}

impl Prepared<'_> {
    /// Lets the process execute the memory, if it asks for that.
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
    /// /// Maps code that processes call.
    /// fn show(stubs: &Arc<Pages<Stubs>>, vma: &VmaNew) -> Result {
    ///     mmap::map(stubs, 0, vma)?.executable().finish()
    /// }
    /// ```
    pub fn executable(mut self) -> Self {
        self.executable = true;
        self
    }

    /// Maps the memory. A driver's `mmap` returns the result.
    ///
    /// # Context
    ///
    /// Process context, in `mmap`. Does not sleep.
    ///
    /// # Errors
    ///
    /// Nothing is mapped then.
    ///
    /// - [`EACCES`] if the process asks for memory that it can execute, and the driver does not
    ///   [allow](Self::executable) it.
    /// - [`ENODEV`] if the driver allows it, and the architecture is not x86_64: on others, a processor
    ///   may execute what was in its instruction cache before.
    ///
    /// # Examples
    ///
    /// See [`map`].
    pub fn finish(self) -> Result {
        if !self.executable {
            // `mprotect()` cannot make it executable later.
            self.vma.try_clear_mayexec().map_err(|_| EACCES)?;
        } else if !cfg!(CONFIG_X86_64) {
            return Err(ENODEV);
        }
        self.vma.try_clear_maywrite()?;
        // No growing, no core dumps, and no code of the kernel looks for pages behind it.
        self.vma.set_dontexpand();
        self.vma.set_dontdump();
        self.vma.set_io();
        self.vma.set_mixedmap();
        // Nothing fails from here on, so that the reference is neither lost nor dropped twice.
        let this = ManuallyDrop::new(self);
        let area = this.vma.as_ptr();
        // SAFETY: The area is being set up, and nothing else accesses it. By the invariants, the private
        // data are what the operations need. The offset becomes the memory's, so that it tells an
        // area's pages however that is split or moved; with the area's length, it does not overflow.
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
        // SAFETY: The area is being set up, and nothing else accesses it. By the invariants, its private
        // data are a reference that `release` drops, and that the area does not have any more.
        unsafe {
            let reference = mem::replace(&mut (*area).vm_private_data, ptr::null_mut());
            (self.release)(reference);
        }
    }
}

/// What the kernel calls for areas that show an `M`.
///
/// Every area with this table has in `vm_private_data` a reference to an `M` of its own
/// ([`Arc::into_foreign`]): `finish` gives it to the first one, `open` to each copy, and `close`, the
/// last thing that happens to an area, takes it back. Its `vm_pgoff` counts pages of the `M`.
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

    /// A copy of an area was made: by splitting or moving it, or by a fork.
    ///
    /// # Safety
    ///
    /// `vma` must be a new copy of an area with this table, which has its reference still.
    unsafe extern "C" fn open(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By the requirement of this function, the pointer is the original's, copied.
        let memory = unsafe { <Arc<M>>::borrow(private_data(vma)) };
        // The copy's reference, to the same place.
        let _ = Arc::from(memory).into_foreign();
    }

    /// An area goes. Nothing of it is in the page table any more.
    ///
    /// # Safety
    ///
    /// `vma` must be an area with this table, which is not used any more.
    unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By the requirement of this function, the area has a reference, and this is the
        // only time that it is taken.
        drop(unsafe { <Arc<M>>::from_foreign(private_data(vma)) });
    }

    /// A page was touched that is not in the page table.
    ///
    /// # Safety
    ///
    /// `vmf` must be a fault in an area with this table.
    unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: By the requirement of this function; a fault does not change meanwhile.
        let fault = unsafe { &(*vmf).__bindgen_anon_1 };
        // SAFETY: The area has its reference as long as faults happen in it.
        let memory = unsafe { <Arc<M>>::borrow(private_data(fault.vma)) };
        match memory.pfn(fault.pgoff) {
            // SAFETY: The area is `VM_MIXEDMAP`, the fault holds the lock that it takes, and the
            // address is the fault's. By the guarantees of `Mappable`, the page is the memory's, and
            // stays it as long as the area has its reference. It cannot be written: the area is not
            // writable, and never becomes it.
            Some(pfn) => unsafe {
                bindings::vmf_insert_mixed(fault.vma, fault.address, pfn as c_ulong)
            },
            None => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
        }
    }
}

/// Returns what an area keeps for its operations.
///
/// # Safety
///
/// `vma` must be an area, in a call of one of its operations.
unsafe fn private_data(vma: *mut bindings::vm_area_struct) -> *mut c_void {
    // SAFETY: By the requirement of this function; it never changes once the area is set up.
    unsafe { (*vma).vm_private_data.cast() }
}
