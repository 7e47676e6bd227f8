// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the metrics: they follow Prometheus' text format, and have the numbers of the rows.

mod common;

use common::{
    row,
    slabinfo,
    HEADER,
    SITES,
    WATCHED, //
};
use kallocinfo::{
    prometheus,
    Snapshot, //
};

fn metrics(text: &str) -> String {
    prometheus::text(&[("file".to_owned(), Snapshot::parse(text, 4096).expect(text))])
}

#[test]
fn rows_have_their_numbers() {
    let text = metrics(&slabinfo());
    for line in [
        "# TYPE kalloc_active_objects gauge",
        "kalloc_active_objects{source=\"file\",site=\"dentry\"} 736053",
        "kalloc_object_size_bytes{source=\"file\",site=\"9p fcall: cache\"} 8192",
        "kalloc_held_bytes{source=\"file\",site=\"9p fcall: cache\"} 32768",
    ] {
        assert!(text.lines().any(|said| said == line), "{line}\n{text}");
    }
    assert!(!text.contains("_total"), "{text}");
}

#[test]
fn sites_have_theirs() {
    let text = metrics(SITES);
    for line in [
        "# TYPE kalloc_allocations_total counter",
        "kalloc_allocations_total{source=\"file\",site=\"exercise_cache\"} 100",
        "kalloc_failures_total{source=\"file\",site=\"exercise_cache\",reason=\"no_wait\"} 2",
        "kalloc_sized_allocations_total{source=\"file\",site=\"exercise_kvec\",up_to=\"256\"} 8",
        "kalloc_site_info{source=\"file\",site=\"exercise_kvec\",family=\"kmalloc\",type=\"[u8]\",module=\"kalloc_exercise\",\
         file=\"samples/exercise/state.rs\",line=\"30\"} 1",
    ] {
        assert!(text.lines().any(|said| said == line), "{line}\n{text}");
    }
}

/// Checks that no two samples have the same metric and labels.
fn assert_distinct(text: &str) {
    let mut keys: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit_once(' ')?.0))
        .collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "{text}");
}

#[test]
fn no_sample_is_there_twice() {
    let twice = HEADER.to_owned() + &row("x", 1, 1) + &row("x", 2, 1);
    let text = metrics(&twice);
    assert_distinct(&text);
    assert!(text.contains("{source=\"file\",site=\"x\",nth=\"1\"} 2"));
}

#[test]
fn two_files_have_no_sample_in_common() {
    for text in [slabinfo(), SITES.to_owned()] {
        let snapshot = Snapshot::parse(&text, 4096).expect(&text);
        let both = ["a", "b"].map(|name| (name.to_owned(), snapshot.clone()));
        assert_distinct(&prometheus::text(&both));
    }
    let snapshot = Snapshot::parse(SITES, 4096).expect(SITES);
    let text = prometheus::text(&[("a\"b\\c\nd".to_owned(), snapshot)]);
    assert!(text.contains(r#"{source="a\"b\\c\nd",site="#), "{text}");
}

#[test]
fn watched_calls_have_other_numbers() {
    let text = metrics(WATCHED);
    for line in [
        "kalloc_lost_total{source=\"file\",site=\"xfs/xlog_cil_push_work+0x8c\"} 3",
        "kalloc_frees_elsewhere_total{source=\"file\",site=\"xfs/xlog_cil_push_work+0x8c\"} 2",
        "kalloc_site_info{source=\"file\",site=\"xfs/xlog_cil_push_work+0x8c\",family=\"kmalloc\",type=\"\",module=\"xfs\",\
         file=\"\",line=\"0\",function=\"xlog_cil_push_work\"} 1",
    ] {
        assert!(text.lines().any(|said| said == line), "{line}\n{text}");
    }
    assert!(!text.contains("failures_total{"), "{text}");
    assert!(!metrics(SITES).contains("lost_total{"));
}

#[test]
fn labels_are_escaped() {
    let text = metrics(&SITES.replace("[u8]", r#"a\\b\"c\nd"#));
    assert!(text.contains(r#"type="a\\b\"c\nd""#), "{text}");
}
