// SPDX-License-Identifier: GPL-2.0-only

//! Allocation sites: the names under which memory is counted.
//!
//! A *site* is a static with a name, an allocator family and the Rust type that it allocates. Each
//! owner type of this crate names its site as a type parameter (a [`Tag`]). The compiler therefore
//! knows the site of each allocation and of each free; there is no lookup at run time.
//!
//! ```
//! use kalloc::Tag;
//!
//! struct Session {
//!     id: u64,
//! }
//!
//! kalloc::sites! {
//!     /// Sessions: one for each open file.
//!     Sessions: cache(Session), "doc_session";
//!     /// Names of any length.
//!     Names: kmalloc([u8]), "doc_name";
//! }
//!
//! assert_eq!((Sessions::site().unit(), Names::site().unit()), (8, 0));
//! assert!(Sessions::site().is_registered());
//! ```
//!
//! A site whose objects all have one size (`kmalloc(T)`, `cache(T)`) has that size as its *unit*,
//! and counts with one instruction. Other sites (`[T]`, pages) also count bytes and sizes.

mod geometry;
mod record;

pub use self::geometry::Shape;

pub(crate) use self::record::{
    count_alloc,
    count_allocs,
    count_block,
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

/// An allocator family, as a type.
///
/// A [`Tag`] is bound to a family, so that memory of one family cannot be counted as another's.
/// Only this crate implements families.
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
/// // An object of 40 bytes takes 64 bytes, the size class of every block of 40 bytes.
/// assert_eq!(family::Kmalloc::unit_footprint(site), 64);
/// assert_eq!(
///     family::Kmalloc::CLASS_SIZE.map(|class_size| class_size(40)),
///     Some(64)
/// );
/// // A block of an allocator that falls back to another may take more.
/// assert!(family::KVmalloc::VARIES);
/// assert_eq!(family::PageAlloc::MAX_SIZE, Order::MAX.bytes());
/// ```
pub trait Family: Sealed + Send + Sync + 'static {
    /// The name of the family.
    const NAME: &'static str;

    /// The size of the largest block.
    const MAX_SIZE: usize;

    /// Returns the bytes that a block of a size takes.
    ///
    /// It is `Some` only if they follow from the size alone, and are equal for all sizes of a
    /// bucket. Blocks of various sizes are then counted only by bucket.
    const CLASS_SIZE: Option<fn(usize) -> usize> = None;

    /// True if two blocks of one size may take different numbers of bytes.
    const VARIES: bool = false;

    /// Returns the bytes that an object of the site's unit takes, unless they vary.
    fn unit_footprint(site: &Site) -> usize;

    /// Returns the geometry of the memory of `site`, given its live counts.
    fn shape(site: &Site, live: &Totals) -> Shape;
}

/// Seals [`Family`] and [`Object`]: only this crate implements them.
mod sealed {
    use crate::accounting::family;

    /// Implemented for the families only.
    pub trait Sealed {}

    impl Sealed for family::Kmalloc {}
    impl Sealed for family::KVmalloc {}
    impl Sealed for family::PageAlloc {}
    impl Sealed for family::SlabCache {}
    impl Sealed for family::Vmalloc {}

    /// Implemented for sized types and slices only. The size of a driver's `dyn Trait` depends on
    /// the value.
    pub trait Object {}

    impl<T> Object for T {}

    impl<T> Object for [T] {}
}
use sealed::Sealed;

/// The type of a site's objects: a sized type, or a slice of any length.
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

/// The compile-time name of a site.
///
/// Only [`sites!`](crate::sites) defines tags. The tag determines the size of the site's counters,
/// and the counts determine when a slab cache is destroyed.
///
/// # Safety
///
/// - [`site`](Self::site) must always return the same site, which `Site::new` created for this
///   type.
/// - The hidden items must keep their defaults, or be as [`sites!`](crate::sites) defines them for
///   a `percpu` site.
///
/// # Examples
///
/// ```
/// use kalloc::{accounting::family, KBox, Tag};
///
/// /// Allocates a word, counted at a site of the caller's choice.
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

    /// The type of the objects: `T`, or `[T]` if the length varies.
    type Object: Object + ?Sized;

    /// Returns the site.
    fn site() -> &'static Site;

    /// True if units are counted in static per-CPU memory.
    #[doc(hidden)]
    const PERCPU: bool = false;

    /// Counts an object of the site's unit at `COUNTER`, an offset of `stats::counter`.
    ///
    /// # Safety
    ///
    /// The caller must call this once for each allocated object of that size, and once for each
    /// freed one.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn count_object<const COUNTER: usize>() {
        Self::site().counters().count::<COUNTER>();
    }

    /// Returns the separate counters of units, or `None` if they are with the other counters.
    #[doc(hidden)]
    fn static_counters() -> Option<&'static StaticCounters> {
        None
    }
}

/// Returns the size of every object of `S` in bytes, or 0 if it varies.
pub(crate) const fn unit<S: Tag>() -> usize {
    <S::Object as Object>::UNIT
}

/// Checks at compile time that a site has a unit.
#[doc(hidden)]
pub const fn assert_sized<S: Tag>() {
    const {
        assert!(
            unit::<S>() != 0,
            "`percpu` is for sites whose objects all have one size"
        )
    };
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
/// `counters` is always a per-CPU pointer that satisfies the invariants of `stats::PerCpuPtr`. It
/// is valid as long as code of the site's module may run: it points to the counters of unregistered
/// sites, or to the site's own while it is registered.
pub struct Site {
    counters: AtomicPtr<Counters>,
    name: &'static str,
    module: &'static str,
    family: &'static str,
    shape: fn(&Site, &Totals) -> Shape,
    unit_footprint: fn(&Site) -> usize,
    class_size: Option<fn(usize) -> usize>,
    type_name: TypeName,
    unit: usize,
    static_counters: fn() -> Option<&'static StaticCounters>,
    location: fn() -> &'static Location<'static>,
    cache: CacheSlot,
}

/// The name of the type of a site's objects.
enum TypeName {
    Of(fn() -> &'static str),
    Text(&'static str),
}

impl Site {
    /// Creates a site.
    ///
    /// # Safety
    ///
    /// - Only [`sites!`](crate::sites) may call this, for the one site of the tag `S`.
    /// - `location` must not take locks.
    ///
    /// # Panics
    ///
    /// At compile time, if `name` would break a line of slabinfo. It must have 1 to 63 printable
    /// ASCII characters, not only digits, and no space, `:`, `#`, `/`, `<`, `>` or `"`.
    #[doc(hidden)]
    pub const unsafe fn new<S: Tag>(
        name: &'static str,
        module: &'static [u8],
        location: fn() -> &'static Location<'static>,
    ) -> Self {
        // SAFETY: The requirements of this function include those of `generic`.
        unsafe { Self::generic::<S>(name, module, location, core::any::type_name::<S::Object>) }
    }

    /// Creates the site of a tag with type parameters, whose objects have no common type.
    ///
    /// # Safety
    ///
    /// - The requirements of [`new`](Self::new) apply.
    /// - `S` must have a unit if and only if all tags of the site have it.
    #[doc(hidden)]
    pub const unsafe fn generic<S: Tag>(
        name: &'static str,
        module: &'static [u8],
        location: fn() -> &'static Location<'static>,
        type_name: fn() -> &'static str,
    ) -> Self {
        assert!(
            name_is_valid(name),
            "a site's name: 1 to 63 printable characters, no space or any of :#/<>\", not a number"
        );
        let module = match core::str::from_utf8(module) {
            Ok(module) => module,
            Err(_) => panic!("the name of a module is UTF-8"),
        };
        Self::of::<S::Family>(
            name,
            module,
            TypeName::Of(type_name),
            unit::<S>(),
            S::static_counters,
            location,
        )
    }

    /// Creates the site of a driver's call. `name` must be valid.
    ///
    /// # Safety
    ///
    /// The site must not be used after `name`, `module` and `path` are freed.
    pub(crate) unsafe fn linked<F: Family>(
        name: &'static str,
        module: &'static str,
        path: &'static str,
    ) -> Self {
        // The source line of the call is unknown.
        fn here() -> &'static Location<'static> {
            Location::caller()
        }
        let mut site = Self::of::<F>(name, module, TypeName::Text(path), 0, || None, here);
        // A block that shrank in place has more memory than its size tells.
        site.class_size = None;
        site
    }

    const fn of<F: Family>(
        name: &'static str,
        module: &'static str,
        type_name: TypeName,
        unit: usize,
        static_counters: fn() -> Option<&'static StaticCounters>,
        location: fn() -> &'static Location<'static>,
    ) -> Self {
        Site {
            // INVARIANT: `unregistered()` is in this crate's module, on which every module with
            // sites depends.
            counters: AtomicPtr::new(stats::unregistered()),
            name,
            module,
            family: F::NAME,
            shape: F::shape,
            unit_footprint: F::unit_footprint,
            class_size: F::CLASS_SIZE,
            type_name,
            unit,
            static_counters,
            location,
            cache: CacheSlot::new(),
        }
    }

    /// Returns the name, as shown in `/proc/kallocinfo`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the name of the module that contains the site (`KBUILD_MODNAME`), which may be built
    /// into the kernel.
    pub fn module(&self) -> &'static str {
        self.module
    }

    /// Returns the name of the allocator family.
    pub fn family(&self) -> &'static str {
        self.family
    }

    /// Returns the name of the Rust type that is allocated.
    pub fn type_name(&self) -> &'static str {
        match self.type_name {
            TypeName::Of(name) => name(),
            TypeName::Text(text) => text,
        }
    }

    /// Returns the size of every object in bytes, or 0 if it varies.
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Returns the source location of the site's declaration.
    pub fn location(&self) -> &'static Location<'static> {
        (self.location)()
    }

    /// Returns true if the site is registered, and therefore has counters of its own.
    pub fn is_registered(&self) -> bool {
        self.counters.load(Ordering::Relaxed) != stats::unregistered()
    }

    /// Reads the site's counters.
    pub fn totals(&self) -> Totals {
        // SAFETY: By the type invariants, the counters are valid while code of the site's module
        // may run. The caller has a reference to the site, which is in that module.
        unsafe { Totals::read(self.counters.load(Ordering::Acquire), &self.scheme()) }
    }

    /// Returns an iterator over the allocations and frees of each CPU, without CPUs that did
    /// neither.
    pub fn cpus(&self) -> impl Iterator<Item = OnCpu> + '_ {
        // SAFETY: By the type invariants, the counters are valid while code of the site's module
        // may run. The iterator borrows the site, which is in that module.
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

    /// Returns an iterator over the numbers of blocks by size, by powers of two. A site with a unit
    /// does not count sizes.
    pub fn sizes(&self) -> impl Iterator<Item = Sizes> + '_ {
        let counters = (self.unit == 0).then(|| self.counters.load(Ordering::Acquire));
        counters.into_iter().flat_map(|counters| {
            // SAFETY: By the type invariants, the counters are valid while code of the site's
            // module may run. The iterator borrows the site, which has no unit.
            unsafe { stats::sizes(counters) }
        })
    }

    /// Returns the geometry of the site's memory, given its live counts.
    pub(crate) fn shape(&self, live: &Totals) -> Shape {
        (self.shape)(self, live)
    }

    /// Replaces the counters: by the site's own, or by those of unregistered sites.
    ///
    /// # Safety
    ///
    /// `counters` must satisfy the type invariants.
    pub(crate) unsafe fn set_counters(&self, counters: *mut Counters) {
        // INVARIANT: `counters` satisfies the invariants by the requirement of this function.
        self.counters.store(counters, Ordering::Release);
    }

    /// Returns true if the bytes of a block follow from its bucket.
    pub(crate) fn has_classes(&self) -> bool {
        self.class_size.is_some()
    }

    /// Returns the slot of the site's slab cache.
    pub(crate) fn cache(&self) -> &CacheSlot {
        &self.cache
    }

    /// Creates the site's slab cache. The caller must hold the lock of the registry.
    ///
    /// # Safety
    ///
    /// The requirements of [`CacheSlot::open`] apply.
    ///
    /// # Errors
    ///
    /// The errors of [`KmemCache::new`](crate::KmemCache::new).
    pub(crate) unsafe fn open_cache(
        &self,
        spec: Spec,
    ) -> Result<NonNull<bindings::kmem_cache>, Error> {
        // SAFETY: The parameters in `spec` are valid by the requirements of this function.
        unsafe { self.cache.open(self.name, || self.totals().live(), spec) }
    }

    /// Destroys the site's slab cache if it is orphaned and has no live objects. The caller must
    /// hold the lock of the registry.
    pub(crate) fn reap_cache(&self) {
        self.cache.reap(|| self.totals().live());
    }

    /// Destroys the site's slab cache if it has no live objects.
    ///
    /// The caller must hold the lock of the registry. The code of the site's module must no longer
    /// run.
    pub(crate) fn close_cache(&self) {
        self.cache.close(|| self.totals().live());
    }

    /// Returns the site's current counters: its own after registration.
    #[inline(always)]
    pub(crate) fn counters(&self) -> PerCpuPtr {
        // SAFETY: By the type invariants, the counters satisfy the invariants of `PerCpuPtr`. A
        // pointer loaded before the registration is to the counters of unregistered sites, which
        // stay valid.
        unsafe { PerCpuPtr::new(self.counters.load(Ordering::Relaxed)) }
    }
}

/// Returns the length of the last component of a path.
#[doc(hidden)]
pub const fn base_len(path: &str) -> usize {
    let bytes = path.as_bytes();
    let mut len = 0;
    while len < bytes.len() && bytes[bytes.len() - 1 - len] != b'/' {
        len += 1;
    }
    len
}

/// Returns the name of a module, given the path of its file without the suffix. The kernel's build
/// system replaces dashes as well.
#[doc(hidden)]
pub const fn module_name<const LEN: usize>(path: &str) -> [u8; LEN] {
    let bytes = path.as_bytes();
    let mut name = [0; LEN];
    let mut i = 0;
    while i < LEN {
        let b = bytes[bytes.len() - LEN + i];
        name[i] = if b == b'-' { b'_' } else { b };
        i += 1;
    }
    name
}

/// Returns true if readers of slabinfo accept `name` in the first column.
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
    // The name has more characters than digits: it is neither empty nor a number.
    digits < bytes.len() && bytes.len() < 64
}

/// Declares allocation sites, and `SITES`, their list.
///
/// Each line is `[pub] Tag: family(Type), "name";`. The family is `kmalloc`, `kvmalloc` or
/// `vmalloc` (the type may be `[T]`, for any length), `cache` (one sized type) or `pages` (no
/// type). A tag must not be more visible than its type.
///
/// The sites are registered when their module is loaded, before its `init` or a `probe` runs. Those
/// of built-in code are registered during the boot, before the initcalls of all levels. A module
/// may have any number of blocks, in any of its files. Of several blocks in one scope, the later
/// ones name their list with `static NAME;` in the first line.
///
/// A site with frequent allocations may be declared as `…, "name", percpu;`. It then counts units
/// in static per-CPU memory, with half of the instructions. The kernel has 8 KiB of that memory for
/// all modules together, and does not load a module for which it is too small. Each site takes 16
/// bytes.
///
/// A tag may have type parameters, if the objects are slices: `Tag<T>: kmalloc([Node<T>])`. All
/// types share one site and one row.
///
/// # Examples
///
/// ```
/// use kalloc::{KVec, Tag};
///
/// struct Node {
///     key: u64,
/// }
///
/// struct Range<T> {
///     from: u64,
///     data: T,
/// }
///
/// kalloc::sites! {
///     /// Nodes of the tree.
///     Nodes: cache(Node), "doc_tree_node", percpu;
///     /// Blocks of the log.
///     pub(crate) Blocks: pages, "doc_tree_log";
/// }
///
/// kalloc::sites! {
///     static RANGES;
///     /// Ranges with data of any type.
///     Ranges<T>: kmalloc([Range<T>]), "doc_tree_range";
/// }
///
/// assert_eq!(Nodes::site().name(), "doc_tree_node");
/// assert_eq!((SITES.len(), RANGES.len()), (2, 1));
///
/// let mut ranges = KVec::<Range<u8>, Ranges<u8>>::with_capacity(4, GFP_KERNEL)?;
/// ranges.push(Range { from: 0, data: 1 }, GFP_KERNEL)?;
/// assert_eq!(Ranges::<u64>::site().totals().live(), 1);
/// # Ok::<(), Error>(())
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
    // The list names a generic tag once, with any types.
    (@any $tag:ident) => { $tag };
    (@any $tag:ident $($param:ident)+) => { $tag<$($crate::sites!(@unit $param)),+> };
    (@unit $param:ident) => { () };
    (@location $tag:ty, $family:tt) => {
        impl $crate::accounting::call_site::SiteLocation for $tag {
            #[inline]
            fn location() -> &'static ::core::panic::Location<'static> {
                use $crate::accounting::call_site::tokens::*;
                $crate::accounting::call_site::coerce($family)
            }
        }
    };
    // The name of the module, as bytes.
    (@module) => {
        const PATH: &str = ::core::env!("RUST_MODFILE");
        static MODULE: [u8; $crate::accounting::site::base_len(PATH)] =
            $crate::accounting::site::module_name(PATH);
    };
    // The entry by which the module loader finds the site.
    (@entry loaded) => {
        #[link_section = "__param"]
        #[used]
        static ENTRY: $crate::accounting::param::SiteParam =
            $crate::accounting::param::SiteParam::new(&SITE);
    };
    (@entry manual) => {};
    (
        @site $entry:tt [$(#[$meta:meta])*] $vis:vis $tag:ident []
        $family:tt [$($object:tt)*] $name:literal $($percpu:ident)?
    ) => {
        $(#[$meta])*
        $vis enum $tag {}

        $crate::sites!(@location $tag, $family);

        const _: () = {
            $crate::sites!(@module);

            // SAFETY: This is the only site of the tag.
            static SITE: $crate::Site = unsafe {
                $crate::Site::new::<$tag>(
                    $name,
                    &MODULE,
                    <$tag as $crate::accounting::call_site::SiteLocation>::location,
                )
            };
            $crate::sites!(@entry $entry);
            $($crate::static_counters! { @static $percpu })?

            // SAFETY: `site` always returns the one static that is created for this tag.
            unsafe impl $crate::Tag for $tag {
                type Family = $crate::sites!(@family $family);
                type Object = $crate::sites!(@object $($object)*);

                #[inline(always)]
                fn site() -> &'static $crate::Site {
                    &SITE
                }

                $($crate::static_counters! { @methods $percpu })?
            }
        };
    };
    (
        @site $entry:tt [$(#[$meta:meta])*] $vis:vis $tag:ident [$($param:ident)+]
        $family:tt [[$t:ty]] $name:literal
    ) => {
        $(#[$meta])*
        $vis struct $tag<$($param),+>(
            ::core::marker::PhantomData<fn($($param),+)>,
            ::core::convert::Infallible,
        );

        const _: () = {
            // The tag in the static, which cannot have type parameters.
            enum Any {}

            $crate::sites!(@location Any, $family);
            $crate::sites!(@module);

            // SAFETY: Both tags have this one site, and no unit.
            static SITE: $crate::Site = unsafe {
                $crate::Site::generic::<Any>(
                    $name,
                    &MODULE,
                    <Any as $crate::accounting::call_site::SiteLocation>::location,
                    || ::core::stringify!([$t]),
                )
            };
            $crate::sites!(@entry $entry);

            // SAFETY: `site` always returns the one static that is created for this tag.
            unsafe impl $crate::Tag for Any {
                type Family = $crate::sites!(@family $family);
                type Object = [u8];

                #[inline(always)]
                fn site() -> &'static $crate::Site {
                    &SITE
                }
            }

            // SAFETY: `site` always returns the one static that is created for this tag.
            unsafe impl<$($param: 'static),+> $crate::Tag for $tag<$($param),+> {
                type Family = $crate::sites!(@family $family);
                type Object = [$t];

                #[inline(always)]
                fn site() -> &'static $crate::Site {
                    &SITE
                }
            }
        };
    };
    (
        @block $entry:tt $list:ident $(
            $(#[$meta:meta])*
            $vis:vis $tag:ident $(<$($param:ident),+>)?: $family:tt $(($($object:tt)+))?, $name:literal $(, $percpu:ident)?;
        )+
    ) => {
        $($crate::sites! {
            @site $entry [$(#[$meta])*] $vis $tag [$($($param)+)?]
            $family [$($($object)+)?] $name $($percpu)?
        })+

        /// The sites that this block declares.
        #[allow(dead_code, unreachable_pub)]
        pub static $list: &[fn() -> &'static $crate::Site] =
            &[$(<$crate::sites!(@any $tag $($($param)+)?) as $crate::Tag>::site),+];
    };
    // The module itself registers the sites of this block: only the tests of `register` need that.
    (#![manual] $($sites:tt)+) => { $crate::sites! { @block manual SITES $($sites)+ } };
    (static $list:ident; $($sites:tt)+) => { $crate::sites! { @block loaded $list $($sites)+ } };
    ($($sites:tt)+) => { $crate::sites! { @block loaded SITES $($sites)+ } };
}
