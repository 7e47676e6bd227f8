// SPDX-License-Identifier: GPL-2.0-only

//! The imports of a driver, in one line.
//!
//! The module contains the kernel crate's prelude, with one difference: [`KBox`] and the other
//! owner types are those of this crate, which name an allocation site. A driver that also needs the
//! uncounted types names them by path (`kernel::alloc::KBox`).
//!
//! # Examples
//!
//! ```
//! use kalloc::prelude::*;
//!
//! struct Request {
//!     sector: u64,
//! }
//!
//! sites! {
//!     Requests: kmalloc(Request), "doc_prelude";
//! }
//!
//! let request = KBox::<_, Requests>::new(Request { sector: 8 }, GFP_KERNEL)?;
//! assert_eq!(request.sector, 8);
//! # Ok::<(), Error>(())
//! ```

#[doc(no_inline)]
pub use crate::{
    alloc::{
        boxed::BoxExt,
        vec::VecExt, //
    },
    register,
    sites,
    slab::Options,
    Arena,
    Array,
    CompoundPages,
    ExactPages,
    FreePages,
    Gfp,
    KBox,
    KVBox,
    KVVec,
    KVec,
    KVmalloc,
    Kmalloc,
    KmemCache,
    Mapping,
    Order,
    PageArray,
    PageCount,
    Pages,
    SharedPages,
    Site,
    Tag,
    VBox,
    VVec,
    Vmalloc,
    Zone, //
};
#[doc(no_inline)]
pub use kernel::prelude::*;
