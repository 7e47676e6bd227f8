// SPDX-License-Identifier: GPL-2.0

//! Allocation sites: who holds the memory.
//!
//! A *site* is a static with a name, an allocator family and the Rust type that it allocates. Each
//! owner type of this crate names its site as a type parameter (a [`Tag`]), so that the site of an
//! allocation is known when compiling, and again when it is freed: nothing is looked up.
//!
//! ```
//! use kalloc::Tag;
//!
//! struct Session {
//!     id: u64,
//! }
//!
//! kalloc::sites! {
//!     /// One for each open file.
//!     Sessions: cache(Session), "doc_session";
//!     /// Names, of any length.
//!     Names: kmalloc([u8]), "doc_name";
//! }
//!
//! struct Driver;
//!
//! impl kernel::Module for Driver {
//!     fn init(module: &'static ThisModule) -> Result<Self> {
//!         kalloc::register(module, SITES)?;
//!         Ok(Driver)
//!     }
//! }
//! # use kernel::Module;
//! # let _driver = Driver::init(crate::module())?;
//! assert_eq!((Sessions::site().unit(), Names::site().unit()), (8, 0));
//! # Ok::<(), Error>(())
//! ```
//!
//! A site whose objects all have one size (`kmalloc(T)`, `cache(T)`) has that size as its *unit*,
//! and counts with one instruction; the others (`[T]`, pages) count bytes and sizes as well.

mod geometry;
mod record;

pub use self::geometry::Shape;

pub(crate) use self::record::{
    count_alloc,
    count_allocs,
    count_failure,
    count_free,
    count_frees, //
};

use crate::{
    accounting::{
        static_counters::StaticCounters,
        stats::{
            self,
            Counters,
            OnCpu,
            PerCpuPtr,
            Scheme,
            Sizes,
            Totals, //
        }, //
    },
    sys::{
        bindings,
        kmem_cache::{
            CacheSlot,
            Spec, //
        }, //
    }, //
};
use core::{
    panic::Location,
    ptr::NonNull,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::error::Error;

/// An allocator family, as a type: what a [`Tag`] is bound to, so that memory of one family cannot
/// be counted as another's. This crate has them all.
///
/// # Examples
///
/// ```
/// use kalloc::{
///     accounting::{family, site::Family},
///     Order, Tag,
/// };
///
/// kalloc::sites! {
///     Nodes: kmalloc([u64; 5]), "doc_family";
/// }
///
/// let site = Nodes::site();
/// assert_eq!(site.family(), family::Kmalloc::NAME);
/// // An object of 40 bytes takes 64, as every block of 40 bytes does.
/// assert_eq!(family::Kmalloc::unit_footprint(site), 64);
/// assert_eq!(
///     family::Kmalloc::CLASS_SIZE.map(|class_size| class_size(40)),
///     Some(64)
/// );
/// // What comes from one of two allocators may take more.
/// assert!(family::KVmalloc::VARIES);
/// assert_eq!(family::PageAlloc::MAX_SIZE, Order::MAX.bytes());
/// ```
pub trait Family: Sealed + Send + Sync + 'static {
    /// The family's name.
    const NAME: &'static str;

    /// No block is larger.
    const MAX_SIZE: usize;

    /// Returns how many bytes a block takes, where that follows from its size alone, and is the same
    /// for all sizes of a bucket; then, blocks of various sizes are counted by bucket only.
    const CLASS_SIZE: Option<fn(usize) -> usize> = None;

    /// Whether two blocks of one size may take different numbers of bytes.
    const VARIES: bool = false;

    /// How many bytes an object of the site's unit takes, unless that varies.
    fn unit_footprint(site: &Site) -> usize;

    /// Says what the memory of `site` looks like, given what is live.
    fn shape(site: &Site, live: &Totals) -> Shape;
}

/// Keeps [`Family`] and [`Object`] to this crate.
mod sealed {
    use crate::accounting::family;

    /// Implemented for the families.
    pub trait Sealed {}

    impl Sealed for family::Kmalloc {}
    impl Sealed for family::KVmalloc {}
    impl Sealed for family::PageAlloc {}
    impl Sealed for family::SlabCache {}
    impl Sealed for family::Vmalloc {}

    /// Implemented for what has a size, and for slices: a driver's `dyn Trait` has no size of its choice.
    pub trait Object {}

    impl<T> Object for T {}

    impl<T> Object for [T] {}
}
use sealed::Sealed;

/// What a site may allocate: a type, or any number of them.
///
/// # Examples
///
/// ```
/// use kalloc::accounting::site::Object;
///
/// assert_eq!(<u64 as Object>::UNIT, 8);
/// assert_eq!(<[u64] as Object>::UNIT, 0);
/// ```
pub trait Object: sealed::Object {
    /// The size of every object in bytes, or 0 if it varies.
    const UNIT: usize;
}

impl<T> Object for T {
    const UNIT: usize = size_of::<T>();
}

impl<T> Object for [T] {
    const UNIT: usize = 0;
}

/// Names a site at compile time. Made by [`sites!`](crate::sites), and by nothing else: how large an area
/// a site's counters are in follows from its own tag, and whether a slab cache is destroyed from what is
/// counted.
///
/// # Safety
///
/// - [`site`](Self::site) must always return the same site, which was made by `Site::new` for this very
///   type.
/// - What is not documented must be as it is here, or as [`sites!`](crate::sites) makes it for a `percpu`
///   site.
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, KBox, Tag};
///
/// /// A word, counted at a site of the caller's choice.
/// fn word<S>(value: u64) -> Result<KBox<u64, S>>
/// where
///     S: Tag<Family = family::Kmalloc, Object = u64>,
/// {
///     Ok(KBox::new(value, GFP_KERNEL)?)
/// }
///
/// kalloc::sites! {
///     Words: kmalloc(u64), "doc_tag";
/// }
///
/// let seven = word::<Words>(7)?;
/// assert_eq!((*seven, Words::site().totals().live()), (7, 1));
/// # Ok::<(), Error>(())
/// ```
pub unsafe trait Tag: Send + Sync + 'static {
    /// The allocator family.
    type Family: Family;

    /// What is allocated: `T`, or `[T]` if the length varies.
    type Object: Object + ?Sized;

    /// The site itself.
    fn site() -> &'static Site;

    /// Whether units are counted in static per-CPU memory.
    #[doc(hidden)]
    const PERCPU: bool = false;

    /// Counts an object of the site's unit, at `COUNTER`, one of `stats::counter`'s.
    ///
    /// # Safety
    ///
    /// To be called once for each such object that is allocated, and once for each that is freed.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn count_object<const COUNTER: usize>() {
        Self::site().counters().count::<COUNTER>();
    }

    /// Where units are counted if not where everything else is.
    #[doc(hidden)]
    fn static_counters() -> Option<&'static StaticCounters> {
        None
    }
}

/// The size of every object of `S` in bytes, or 0 if it varies.
pub(crate) const fn unit<S: Tag>() -> usize {
    <S::Object as Object>::UNIT
}

/// A named allocation site and its counters.
///
/// # Examples
///
/// ```
/// use kalloc::{Array, Kmalloc, Tag};
///
/// kalloc::sites! {
///     Names: kmalloc([u8]), "doc_site";
/// }
///
/// let site = Names::site();
/// assert!(site.is_registered());
/// assert_eq!((site.name(), site.family()), ("doc_site", "kmalloc"));
/// assert_eq!((site.type_name(), site.unit()), ("[u8]", 0));
/// pr_info!(
///     "{} is declared in {}\n",
///     site.name(),
///     site.location().file()
/// );
///
/// let name = Array::<u8, Kmalloc<Names>>::zeroed(100, GFP_KERNEL)?;
/// assert_eq!(site.totals().live_bytes, 100);
/// assert_eq!(site.sizes().map(|sizes| sizes.allocs).sum::<u64>(), 1);
/// assert_eq!(site.cpus().map(|on| on.allocs).sum::<u64>(), 1);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `counters` is always a per-CPU pointer as `stats::PerCpuPtr` needs it, valid for as long as code of the
/// site's module may run: that of the unregistered sites, or the site's own while registered.
pub struct Site {
    counters: AtomicPtr<Counters>,
    name: &'static str,
    family: &'static str,
    shape: fn(&Site, &Totals) -> Shape,
    unit_footprint: fn(&Site) -> usize,
    class_size: Option<fn(usize) -> usize>,
    type_name: fn() -> &'static str,
    unit: usize,
    static_counters: fn() -> Option<&'static StaticCounters>,
    location: fn() -> &'static Location<'static>,
    cache: CacheSlot,
}

impl Site {
    /// Names a site.
    ///
    /// # Safety
    ///
    /// To be called by [`sites!`](crate::sites) only, for the one site of the tag `S`; `location` takes no locks.
    ///
    /// # Panics
    ///
    /// When compiling, if `name` would break a line of slabinfo: it must have 1 to 63 printable
    /// ASCII characters, not all of them digits, and no space, `:`, `#`, `/`, `<`, `>` or `"`.
    #[doc(hidden)]
    pub const unsafe fn new<S: Tag>(
        name: &'static str,
        location: fn() -> &'static Location<'static>,
    ) -> Self {
        assert!(
            name_is_valid(name),
            "a site's name: 1 to 63 printable characters, no space or any of :#/<>\", not a number"
        );
        Site {
            // INVARIANT: `unregistered()` lives in this crate's module, which a module that has
            // sites depends on.
            counters: AtomicPtr::new(stats::unregistered()),
            name,
            family: S::Family::NAME,
            shape: S::Family::shape,
            unit_footprint: S::Family::unit_footprint,
            class_size: S::Family::CLASS_SIZE,
            type_name: core::any::type_name::<S::Object>,
            unit: unit::<S>(),
            static_counters: S::static_counters,
            location,
            cache: CacheSlot::new(),
        }
    }

    /// The name, as in `/proc/kallocinfo`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The allocator family's name.
    pub fn family(&self) -> &'static str {
        self.family
    }

    /// The name of the Rust type that is allocated.
    pub fn type_name(&self) -> &'static str {
        (self.type_name)()
    }

    /// The size of every object in bytes, or 0 if it varies.
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Where the site is declared.
    pub fn location(&self) -> &'static Location<'static> {
        (self.location)()
    }

    /// Returns whether the site is registered, and so has counters of its own.
    pub fn is_registered(&self) -> bool {
        self.counters.load(Ordering::Relaxed) != stats::unregistered()
    }

    /// Reads the site's counters.
    pub fn totals(&self) -> Totals {
        // SAFETY: By the invariants; the caller is not running past the end of the site's module.
        unsafe { Totals::read(self.counters.load(Ordering::Acquire), &self.scheme()) }
    }

    /// Reads what each CPU allocated and freed; those that did neither are left out.
    pub fn cpus(&self) -> impl Iterator<Item = OnCpu> + '_ {
        // SAFETY: By the invariants, as above.
        unsafe { stats::on_cpus(self.counters.load(Ordering::Acquire), self.scheme()) }
    }

    fn scheme(&self) -> Scheme {
        Scheme {
            unit: self.unit,
            // CAST: `usize` has 64 bits.
            unit_footprint: (self.unit_footprint)(self) as u64,
            class_size: self.class_size,
            static_counters: (self.static_counters)(),
        }
    }

    /// Reads how many blocks there were of which size, by powers of two. A site that has a unit
    /// does not count that.
    pub fn sizes(&self) -> impl Iterator<Item = Sizes> + '_ {
        let counters = (self.unit == 0).then(|| self.counters.load(Ordering::Acquire));
        counters.into_iter().flat_map(|counters| {
            // SAFETY: By the invariants, as above; the site has no unit.
            unsafe { stats::sizes(counters) }
        })
    }

    /// What the site's memory looks like while `live` is live.
    pub(crate) fn shape(&self, live: &Totals) -> Shape {
        (self.shape)(self, live)
    }

    /// Gives the site counters of its own, or takes them away.
    ///
    /// # Safety
    ///
    /// `counters` must satisfy the type invariants.
    pub(crate) unsafe fn set_counters(&self, counters: *mut Counters) {
        // INVARIANT: By the requirement of this function.
        self.counters.store(counters, Ordering::Release);
    }

    /// The site's slab cache, if it has one.
    pub(crate) fn cache(&self) -> &CacheSlot {
        &self.cache
    }

    /// Creates the site's slab cache. The caller holds the lock of the registry.
    ///
    /// # Safety
    ///
    /// As for [`CacheSlot::open`].
    ///
    /// # Errors
    ///
    /// As [`KmemCache::new`](crate::KmemCache::new).
    pub(crate) unsafe fn open_cache(
        &self,
        spec: Spec,
    ) -> Result<NonNull<bindings::kmem_cache>, Error> {
        // SAFETY: By the requirements of this function.
        unsafe { self.cache.open(self.name, || self.totals().live(), spec) }
    }

    /// Destroys the site's slab cache if it has lost its owner and its last object. The caller holds the
    /// lock of the registry.
    pub(crate) fn reap_cache(&self) {
        self.cache.reap(|| self.totals().live());
    }

    /// Destroys the site's slab cache if it has no object. The caller holds the lock of the registry, and
    /// the code of the site's module no longer runs.
    pub(crate) fn close_cache(&self) {
        self.cache.close(|| self.totals().live());
    }

    /// The site's counters now: its own, once it is registered.
    #[inline(always)]
    pub(crate) fn counters(&self) -> PerCpuPtr {
        // SAFETY: By the invariants. A pointer loaded before the site was registered is that of the
        // unregistered sites, which stays valid.
        unsafe { PerCpuPtr::new(self.counters.load(Ordering::Relaxed)) }
    }
}

/// Whether slabinfo's readers can take `name` as the first column.
const fn name_is_valid(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut digits = 0;
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if !b.is_ascii_graphic() || matches!(b, b':' | b'#' | b'/' | b'<' | b'>' | b'"') {
            return false;
        }
        if b.is_ascii_digit() {
            digits += 1;
        }
        i += 1;
    }
    // More characters than digits: neither empty nor a number.
    digits < bytes.len() && bytes.len() < 64
}

/// Declares allocation sites, and `SITES`, the list of them for [`register`](crate::register).
///
/// Each line is `[pub] Tag: family(Type), "name";`. The family is `kmalloc`, `kvmalloc`, `vmalloc`
/// (the type may be `[T]`, for any number of them), `cache` (one sized type) or `pages` (no type).
///
/// A site whose objects come and go all the time may be `…, "name", percpu;`: they are then counted
/// in static per-CPU memory, by half the instructions. Of that, the kernel has 8 KiB for all modules
/// together, and does not load a module without room for it; 16 bytes a site.
///
/// # Examples
///
/// ```
/// use kalloc::Tag;
///
/// struct Node {
///     key: u64,
/// }
///
/// kalloc::sites! {
///     /// Nodes of the tree.
///     Nodes: cache(Node), "doc_tree_node", percpu;
///     /// The log's blocks.
///     pub(crate) Blocks: pages, "doc_tree_log";
/// }
///
/// assert_eq!(Nodes::site().name(), "doc_tree_node");
/// assert_eq!(SITES.len(), 2);
/// ```
#[macro_export]
macro_rules! sites {
    (@family cache) => { $crate::accounting::family::SlabCache };
    (@family kmalloc) => { $crate::accounting::family::Kmalloc };
    (@family kvmalloc) => { $crate::accounting::family::KVmalloc };
    (@family pages) => { $crate::accounting::family::PageAlloc };
    (@family vmalloc) => { $crate::accounting::family::Vmalloc };
    (@object [$t:ty]) => { [$t] };
    (@object $t:ty) => { $t };
    (@object) => { [u8] };
    ($(
        $(#[$meta:meta])*
        $vis:vis $tag:ident: $family:tt $(($($object:tt)+))?, $name:literal $(, $percpu:ident)?;
    )+) => {
        $(
            $(#[$meta])*
            $vis enum $tag {}

            impl $crate::accounting::call_site::SiteLocation for $tag {
                #[inline]
                fn location() -> &'static ::core::panic::Location<'static> {
                    use $crate::accounting::call_site::tokens::*;
                    $crate::accounting::call_site::coerce($family)
                }
            }

            const _: () = {
                // SAFETY: The tag's one site.
                static SITE: $crate::Site = unsafe {
                    $crate::Site::new::<$tag>($name, <$tag as $crate::accounting::call_site::SiteLocation>::location)
                };
                $($crate::static_counters! { @static $percpu })?

                // SAFETY: The site is one static, made for this tag.
                unsafe impl $crate::Tag for $tag {
                    type Family = $crate::sites!(@family $family);
                    type Object = $crate::sites!(@object $($($object)+)?);

                    #[inline(always)]
                    fn site() -> &'static $crate::Site {
                        &SITE
                    }

                    $($crate::static_counters! { @methods $percpu })?
                }
            };
        )+

        /// The sites declared here.
        #[allow(unreachable_pub)]
        pub static SITES: &[fn() -> &'static $crate::Site] =
            &[$(<$tag as $crate::Tag>::site),+];
    };
}
