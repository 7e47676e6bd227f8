// SPDX-License-Identifier: GPL-2.0-only

//! Ten thousand sites, to measure their cost for a reader.

#![deny(unsafe_code)]

use kernel::prelude::*;

module! {
    type: Many,
    name: "kalloc_many_sites",
    authors: ["The kalloc authors"],
    description: "Thousands of allocation sites, for the tests of kalloc",
    license: "GPL",
    params: {
        sites: u32 {
            default: 10000,
            description: "Number of sites to register",
        },
    },
}

#[allow(dead_code)]
mod sites {
    include!(env!("KALLOC_MANY_SITES"));
}

/// The live blocks of the first site.
struct Many(KVec<kalloc::KBox<u64, sites::Site1>>);

impl kernel::Module for Many {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let count = module_parameters::sites.value() as usize;
        kalloc::register(module, sites::SITES.get(..count).ok_or(EINVAL)?)?;
        let mut boxes = KVec::new();
        for _ in 0..3 {
            boxes.push(kalloc::KBox::new(1, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(Many(boxes))
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        self.0.clear();
    }
}
