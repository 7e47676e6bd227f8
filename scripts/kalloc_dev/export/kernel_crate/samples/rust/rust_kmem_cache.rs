// SPDX-License-Identifier: GPL-2.0-only

//! Rust sample of a slab cache: a queue of requests.

use kernel::{
    kmem_cache::{
        KmemCache,
        KmemCacheBox, //
    },
    prelude::*, //
};

module! {
    type: RustKmemCache,
    name: "rust_kmem_cache",
    authors: ["Rust for Linux Contributors"],
    description: "Rust sample of a slab cache",
    license: "GPL",
}

/// A request, as a driver queues it.
struct Request {
    sector: u64,
    count: u32,
}

struct RustKmemCache {
    requests: KVec<KmemCacheBox<Request>>,
}

impl kernel::Module for RustKmemCache {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let cache = KmemCache::new(c"rust_kmem_cache_request", GFP_KERNEL)?;
        let mut requests = KVec::new();
        for sector in (0..64).step_by(8) {
            let request = Request { sector, count: 8 };
            requests.push(KmemCache::alloc(&cache, request, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(RustKmemCache { requests })
    }
}

impl Drop for RustKmemCache {
    fn drop(&mut self) {
        let sectors: u64 = self.requests.iter().map(|one| u64::from(one.count)).sum();
        let last = self.requests.last().map_or(0, |one| one.sector);
        pr_info!(
            "{} requests, {sectors} sectors, the last at {last}\n",
            self.requests.len()
        );
    }
}
