// SPDX-License-Identifier: GPL-2.0-only

//! Parser of kalloc_watch's watch list, `/sys/kernel/debug/kalloc/watch`.
//!
//! Reference: kallocwatch(5). The first line has the names of columns, the last one the state of the
//! probes and of the tables: `# probes on; …; lost 0; unattributed 0`.

/// The watch list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Watch {
    /// The entries.
    pub entries: Vec<Watched>,
    /// The kind of the registered probes: `on`, `off`, or `tracepoints` on a kernel without fprobes.
    pub probes: String,
    /// Blocks that the table of live blocks could not hold.
    pub lost: u64,
    /// Allocations of calls for which there was no row.
    pub unattributed: u64,
}

/// An entry of the watch list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watched {
    /// The name of a module, or `all`, or a name for built-in code.
    pub name: String,
    /// True if the code is loaded.
    pub is_loaded: bool,
}

impl Watch {
    /// Parses the list. Skips lines and items that a later version adds.
    pub fn parse(text: &str) -> Self {
        let mut watch = Self::default();
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(state) => {
                    for item in state.split("; ") {
                        match item.split_once(' ') {
                            Some(("probes", kind)) => kind.clone_into(&mut watch.probes),
                            Some(("lost", count)) => watch.lost = count.parse().unwrap_or(0),
                            Some(("unattributed", count)) => {
                                watch.unattributed = count.parse().unwrap_or(0);
                            }
                            _ => (),
                        }
                    }
                }
                None => {
                    let mut words = line.split(' ');
                    if let (Some(name), _, Some(state)) = (words.next(), words.next(), words.next())
                    {
                        watch.entries.push(Watched {
                            name: name.to_owned(),
                            is_loaded: state == "loaded",
                        });
                    }
                }
            }
        }
        watch
    }

    /// Returns descriptions of the allocations that the rows do not have, and of the wanted entries
    /// that are not loaded.
    pub fn notes(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut notes = Vec::new();
        if self.probes == "tracepoints" {
            notes.push(
                "Pages, vmalloc and per-CPU memory are not counted: this kernel has no fprobes."
                    .to_owned(),
            );
        }
        if self.lost > 0 {
            notes.push(format!(
                "{} blocks are lost, and LIVE is too small: the table was full (load kalloc_watch with a larger order=), or an array had more than 4096.",
                self.lost
            ));
        }
        if self.unattributed > 0 {
            notes.push(format!(
                "{} allocations have no row: load kalloc_watch with a larger sites=.",
                self.unattributed
            ));
        }
        let is_waiting = |entry: &&Watched| !entry.is_loaded && is_wanted(&entry.name);
        for entry in self.entries.iter().filter(is_waiting) {
            notes.push(format!("{} is not loaded now.", entry.name));
        }
        notes
    }
}
