// SPDX-License-Identifier: GPL-2.0-only

//! The metrics of a snapshot in Prometheus' text format, for node exporter's textfile collector.
//!
//! Every sample has the labels `source`, the name of the row's file, and `site`, the name of the row.
//! The label `nth` distinguishes rows of the same name. The labels of `kalloc_site_info` have the other properties of a site.

use crate::{
    Row,
    Site,
    Snapshot, //
};
use std::fmt::Write;

/// Returns all metrics of snapshots as text. The names of their sources distinguish them from each
/// other.
pub fn text(snapshots: &[(String, Snapshot)]) -> String {
    let mut text = String::new();
    for metric in &SLABS {
        metric.write(snapshots, &mut text);
    }
    if snapshots.iter().any(|(_, snapshot)| snapshot.has_sites()) {
        for metric in &SITES {
            metric.write(snapshots, &mut text);
        }
    }
    text
}

/// A metric: its name without the prefix, its description, and the function that returns the
/// samples of a row.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: fn(&Row) -> Vec<Sample>,
}

/// A sample: the labels other than `source`, `site` and `nth`, each after a comma, and the value.
type Sample = (String, u64);

impl Metric {
    fn write(&self, snapshots: &[(String, Snapshot)], text: &mut String) {
        let Self { name, help, .. } = self;
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        let _ = writeln!(text, "# HELP kalloc_{name} {help}");
        let _ = writeln!(text, "# TYPE kalloc_{name} {kind}");
        for (source, snapshot) in snapshots {
            let source = escaped(source);
            for row in &snapshot.rows {
                let nth = match row.nth {
                    0 => String::new(),
                    nth => label("nth", &nth.to_string()),
                };
                for (labels, value) in (self.samples)(row) {
                    let site = escaped(&row.name);
                    // A write to a `String` cannot fail.
                    let _ = writeln!(
                        text,
                        "kalloc_{name}{{source=\"{source}\",site=\"{site}\"{nth}{labels}}} {value}"
                    );
                }
            }
        }
    }
}

const SLABS: [Metric; 5] = [
    Metric {
        name: "active_objects",
        help: "Objects that are allocated.",
        samples: |row| vec![(String::new(), row.live())],
    },
    Metric {
        name: "objects",
        help: "Objects for which the slabs have room.",
        samples: |row| vec![(String::new(), row.objects())],
    },
    Metric {
        name: "object_size_bytes",
        help: "Bytes that an object takes; the mean if sizes vary.",
        samples: |row| vec![(String::new(), row.object_size())],
    },
    Metric {
        name: "slabs",
        help: "Slabs.",
        samples: |row| vec![(String::new(), row.slabs())],
    },
    Metric {
        name: "held_bytes",
        help: "Bytes of the slabs' pages, or of the live blocks of a site without slabs.",
        samples: |row| vec![(String::new(), row.bytes())],
    },
];

const SITES: [Metric; 12] = [
    Metric {
        name: "site_info",
        help: "The family, type and declaration of the site.",
        samples: |row| each(row, |site| vec![(info(site), 1)]),
    },
    Metric {
        name: "allocations_total",
        help: "Blocks allocated.",
        samples: |row| each(row, |site| vec![(String::new(), site.allocs)]),
    },
    Metric {
        name: "frees_total",
        help: "Blocks freed.",
        samples: |row| each(row, |site| vec![(String::new(), site.frees)]),
    },
    Metric {
        name: "failures_total",
        help: "Allocations that failed, by reason.",
        samples: |row| each(row, failures),
    },
    Metric {
        name: "frees_elsewhere_total",
        help: "Blocks of watched calls that other code freed.",
        samples: |row| each(row, |site| some(site.frees_elsewhere)),
    },
    Metric {
        name: "lost_total",
        help: "Blocks of watched calls that the table of live blocks could not hold.",
        samples: |row| each(row, |site| some(site.lost)),
    },
    Metric {
        name: "requested_bytes",
        help: "Requested bytes of the live blocks.",
        samples: |row| each(row, |site| vec![(String::new(), site.live_bytes)]),
    },
    Metric {
        name: "allocated_bytes",
        help: "Bytes that live blocks take.",
        samples: |row| each(row, |site| vec![(String::new(), site.live_allocated)]),
    },
    Metric {
        name: "peak_objects",
        help: "The high watermark of the allocated objects.",
        samples: |row| each(row, |site| vec![(String::new(), site.peak)]),
    },
    Metric {
        name: "peak_allocated_bytes",
        help: "The high watermark of the bytes that live blocks take.",
        samples: |row| each(row, |site| vec![(String::new(), site.peak_allocated)]),
    },
    Metric {
        name: "sized_allocations_total",
        help: "Blocks allocated, by the power of two that limits their size.",
        samples: |row| each(row, |site| sized(site, |class| class.allocs)),
    },
    Metric {
        name: "sized_frees_total",
        help: "Blocks freed, by the power of two that limits their size.",
        samples: |row| each(row, |site| sized(site, |class| class.frees)),
    },
];

fn each(row: &Row, samples: impl FnOnce(&Site) -> Vec<Sample>) -> Vec<Sample> {
    row.site.as_ref().map(samples).unwrap_or_default()
}

fn some(value: Option<u64>) -> Vec<Sample> {
    value
        .map(|value| (String::new(), value))
        .into_iter()
        .collect()
}

fn info(site: &Site) -> String {
    let line = site.line.to_string();
    let mut labels = vec![
        ("family", site.family.as_str()),
        ("type", &site.type_name),
        ("module", &site.module),
        ("file", &site.file),
        ("line", &line),
    ];
    labels.extend(site.function.as_deref().map(|name| ("function", name)));
    labels
        .iter()
        .map(|(name, value)| label(name, value))
        .collect()
}

fn failures(site: &Site) -> Vec<Sample> {
    if site.is_watched() {
        return Vec::new();
    }
    let failures = &site.failures;
    vec![
        (label("reason", "no_memory"), failures.no_memory),
        (label("reason", "no_wait"), failures.no_wait),
        (label("reason", "invalid"), failures.invalid),
    ]
}

fn sized(site: &Site, value: impl Fn(&crate::SizeClass) -> u64) -> Vec<Sample> {
    site.sizes
        .iter()
        .map(|class| (label("up_to", &class.up_to.to_string()), value(class)))
        .collect()
}

fn label(name: &str, value: &str) -> String {
    format!(",{name}=\"{}\"", escaped(value))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
