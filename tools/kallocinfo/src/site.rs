// SPDX-License-Identifier: GPL-2.0

//! kalloc's `sites.json`: an object on a line for each allocation site.
//!
//! Reference: kallocinfo(5). Members that are not known are kept as they are.

use crate::ParseError;
use serde::{
    Deserialize,
    Serialize, //
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a Rust module allocates, and all that was counted there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// The allocator: `kmalloc`, `cache`, …
    pub family: String,
    /// The Rust type of what is allocated.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The module that declares it.
    pub module: String,
    /// The file of the declaration.
    pub file: String,
    /// The line of the declaration.
    pub line: u32,
    /// Bytes of an object, 0 if sizes vary.
    pub unit: u64,
    /// Blocks that are allocated and not freed.
    pub live: u64,
    /// Blocks allocated so far.
    pub allocs: u64,
    /// Blocks freed so far.
    pub frees: u64,
    /// Allocations that failed so far.
    pub failures: Failures,
    /// Bytes that were asked for, in live blocks.
    pub live_bytes: u64,
    /// Bytes that live blocks take.
    pub live_allocated: u64,
    /// The most that `live` was seen to be.
    pub peak: u64,
    /// The most that `live_bytes` was seen to be.
    pub peak_bytes: u64,
    /// The most that `live_allocated` was seen to be.
    pub peak_allocated: u64,
    /// How large the blocks are, where sizes vary.
    pub sizes: Vec<SizeClass>,
    /// On which processors, where the file says so.
    #[serde(default)]
    pub cpus: Vec<OnCpu>,
    /// What a later version says besides.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Why allocations failed, and how many.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Failures {
    /// There was no memory.
    pub no_memory: u64,
    /// There was none at hand, and the caller could not wait.
    pub no_wait: u64,
    /// There can be no such block.
    pub invalid: u64,
    /// What a later version says besides.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Failures {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.no_memory
            .saturating_add(self.no_wait)
            .saturating_add(self.invalid)
    }
}

/// Blocks of more than half of `up_to` bytes, and of `up_to` at most.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SizeClass {
    /// The largest that count.
    pub up_to: u64,
    /// Blocks allocated so far.
    pub allocs: u64,
    /// Blocks freed so far.
    pub frees: u64,
    /// What a later version says besides.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl SizeClass {
    /// Blocks that are allocated and not freed.
    pub fn live(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}

/// What was allocated and freed on one processor, be it elsewhere that the other was done.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct OnCpu {
    /// Its number.
    pub cpu: u32,
    /// Blocks allocated there so far.
    pub allocs: u64,
    /// Blocks freed there so far.
    pub frees: u64,
    /// What a later version says besides.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// All lines of a file; none has none.
///
/// # Errors
///
/// The first line that is not one object with what a site has.
pub(crate) fn parse(text: &str) -> Result<Vec<Site>, ParseError> {
    text.split_inclusive('\n')
        .zip(1..)
        .map(|(line, number)| {
            let site = serde_json::from_str(line).map_err(|error| {
                // Each line is a text of its own to the JSON parser, which says so after " at line 1".
                let said = error.to_string();
                let what = said.split(" at line ").next().unwrap_or(&said);
                ParseError::at(number, format!("column {}: {what}", error.column()))
            })?;
            if line.ends_with('\n') {
                Ok(site)
            } else {
                Err(ParseError::at(number, "it is cut off: it has no end"))
            }
        })
        .collect()
}
