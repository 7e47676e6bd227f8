// SPDX-License-Identifier: GPL-2.0-only

//! The sites of kalloc's `sites.json` and `watch.json`, which have one JSON object per line: for each
//! allocation site of a module that uses kalloc, and for each watched call of an allocator.
//!
//! Reference: kallocinfo(5), kallocwatch(5). The parser accepts any other formatting as well, and keeps unknown members unchanged.

use serde::{
    Deserialize,
    Serialize, //
};
use serde_json::Value;
use std::collections::BTreeMap;

/// An allocation site of a Rust module, or a watched call, with its counters.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Site {
    /// The name.
    pub name: String,
    /// The allocator: `kmalloc`, `cache`, …
    pub family: String,
    /// The Rust type of the objects.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The module that declares the site.
    pub module: String,
    /// The file of the declaration.
    pub file: String,
    /// The line of the declaration.
    pub line: u32,
    /// Bytes of an object; 0 if sizes vary.
    pub unit: u64,
    /// Live blocks.
    pub live: u64,
    /// Blocks allocated so far.
    pub allocs: u64,
    /// Blocks freed so far.
    pub frees: u64,
    /// Failed allocations so far.
    pub failures: Failures,
    /// Requested bytes of the live blocks.
    pub live_bytes: u64,
    /// Bytes that the live blocks take.
    pub live_allocated: u64,
    /// The high watermark of `live`.
    pub peak: u64,
    /// The high watermark of `live_bytes`.
    pub peak_bytes: u64,
    /// The high watermark of `live_allocated`.
    pub peak_allocated: u64,
    /// The counters of each range of sizes; empty if all objects have one size.
    pub sizes: Vec<SizeClass>,
    /// The counters of each CPU that allocated or freed; empty if the file does not have them.
    #[serde(default)]
    pub cpus: Vec<OnCpu>,
    /// The full name of the function that contains a watched call; empty for a group of functions,
    /// `None` for a site that kalloc counts itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Those of `frees` that code other than the watched one called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frees_elsewhere: Option<u64>,
    /// Blocks of a watched call that the table of live blocks could not hold. `live` is too small
    /// by those of them that are not freed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Members that a later version of kalloc adds.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Site {
    /// Returns true if the site is a call in code that kalloc_watch watches. Its failures are not
    /// known, nor is the memory that its blocks take beyond their sizes.
    pub fn is_watched(&self) -> bool {
        self.function.is_some()
    }
}

/// Failed allocations by reason.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Failures {
    /// Allocations that failed because no memory was available.
    pub no_memory: u64,
    /// Allocations that failed because the caller could not sleep, and no memory was immediately
    /// available.
    pub no_wait: u64,
    /// Allocations that are impossible: of such a size, on such a node, or in such a context.
    pub invalid: u64,
    /// Members that a later version of kalloc adds.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Failures {
    /// Returns the number of failed allocations of all reasons.
    pub fn all(&self) -> u64 {
        self.no_memory
            .saturating_add(self.no_wait)
            .saturating_add(self.invalid)
    }
}

/// Counters of the blocks of more than `up_to / 2` and at most `up_to` bytes. The first class
/// covers all sizes up to 8.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SizeClass {
    /// The largest size in bytes.
    pub up_to: u64,
    /// Blocks allocated so far.
    pub allocs: u64,
    /// Blocks freed so far.
    pub frees: u64,
    /// Members that a later version of kalloc adds.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl SizeClass {
    /// Returns the number of live blocks.
    pub fn live(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}

/// Counters of one CPU. A block may be allocated on one CPU and freed on another.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct OnCpu {
    /// The number of the CPU.
    pub cpu: u32,
    /// Blocks allocated on the CPU so far.
    pub allocs: u64,
    /// Blocks freed on the CPU so far.
    pub frees: u64,
    /// Members that a later version of kalloc adds.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}
