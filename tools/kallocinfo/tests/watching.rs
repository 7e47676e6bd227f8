// SPDX-License-Identifier: GPL-2.0-only

//! Tests of watched calls, and of rows in groups.

mod common;

use common::{
    row,
    HEADER,
    SITES,
    WATCHED, //
};
use kallocinfo::{
    By,
    Row,
    Snapshot,
    Watch,
    Watched, //
};

/// Returns the rows of both files.
fn both() -> Snapshot {
    let mut all = Snapshot::parse(SITES, 4096).expect("sites");
    all.append(Snapshot::parse(WATCHED, 4096).expect("sites"));
    all
}

fn lives(snapshot: &Snapshot) -> Vec<(&str, bool, u64, u64)> {
    let rows = snapshot.rows.iter();
    rows.map(|row| (row.name.as_str(), row.is_watched(), row.live(), row.bytes()))
        .collect()
}

#[test]
fn watched_calls_are_read_like_sites() {
    let read = Snapshot::parse(WATCHED, 4096).unwrap();
    let call = read.rows[0].site.as_ref().unwrap();
    assert_eq!(call.function.as_deref(), Some("xlog_cil_push_work"));
    assert_eq!((call.frees_elsewhere, call.lost), (Some(2), Some(3)));
    assert_eq!(call.more["section"], "text");
    assert_eq!(
        (read.rows[0].module(), read.rows[0].function()),
        ("xfs", "xfs/xlog_cil_push_work")
    );
    // A site that kalloc counts itself has none of these.
    let read = Snapshot::parse(SITES, 4096).unwrap();
    assert!(!read.rows[0].is_watched());
    assert!(!read.to_json().contains("lost"));
}

#[test]
fn functions_are_groups() {
    assert_eq!(
        lives(&both().grouped(By::Function)),
        [
            ("exercise_cache", false, 4, 256),
            ("exercise_kvec", false, 3, 768),
            ("xfs/xlog_cil_push_work", true, 6, 4576),
            ("xfs/xfs_buf_alloc", true, 7, 2688),
            ("kalloc_exercise/workload.kvec#77aa", true, 3, 600),
        ]
    );
}

#[test]
fn truncated_names_of_one_function_are_one_group() {
    let text = WATCHED
        .replace("xlog_cil_push_work+0x8c", "xlog_ci~12ab+0x8c")
        .replace("xlog_cil_push_work+0x1f0", "xlog_c~12ab+0x1f0");
    let read = Snapshot::parse(&text, 4096).unwrap().grouped(By::Function);
    assert_eq!(read.rows[0].name, "xfs/xlog_ci~12ab");
    assert_eq!((read.rows.len(), read.rows[0].live()), (3, 6));
}

#[test]
fn modules_are_groups_and_nothing_is_counted_twice() {
    let all = both().grouped(By::Module);
    assert_eq!(
        lives(&all),
        [
            ("kalloc_exercise", false, 7, 1024),
            ("xfs", true, 13, 7264),
            ("kalloc_exercise", true, 3, 600),
        ]
    );
    assert_eq!(all.rows[2].nth, 1);
    assert_eq!(both().grouped(By::Site), both());
}

#[test]
fn a_group_has_the_sums_of_its_rows() {
    let read = Snapshot::parse(WATCHED, 4096).unwrap().grouped(By::Module);
    let site = read.rows[0].site.as_ref().unwrap();
    assert_eq!((site.name.as_str(), site.family.as_str()), ("xfs", "mixed"));
    assert_eq!(site.function.as_deref(), Some(""));
    assert_eq!((site.allocs, site.frees, site.live_bytes), (29, 13, 7264));
    assert_eq!((site.frees_elsewhere, site.lost), (Some(2), Some(3)));
    let sizes: Vec<_> = site
        .sizes
        .iter()
        .map(|it| (it.up_to, it.allocs, it.frees))
        .collect();
    assert_eq!(sizes, [(128, 21, 13), (512, 7, 0), (4096, 1, 0)]);
    assert!(site.more.is_empty());

    let read = Snapshot::parse(SITES, 4096).unwrap().grouped(By::Module);
    let site = read.rows[0].site.as_ref().unwrap();
    assert_eq!((site.failures.all(), site.unit, site.line), (6, 0, 0));
    assert_eq!(
        (site.file.as_str(), site.type_name.as_str()),
        ("samples/exercise/state.rs", "")
    );
    assert_eq!((site.cpus[0].cpu, site.cpus[0].allocs), (1, 100));
    assert_eq!(
        read.totals(),
        kallocinfo::Totals {
            rows: 1,
            ..Snapshot::parse(SITES, 4096).unwrap().totals()
        }
    );
}

#[test]
fn rows_of_slabinfo_are_grouped_by_their_names() {
    let slab = |name: &str, live: u64, size: u64, pages: u64, slabs: u64| {
        format!("{name} {live} 8 {size} 8 {pages} : tunables 0 0 0 : slabdata {slabs} {slabs} 0\n")
    };
    let text = HEADER.to_owned()
        + &slab("xfs/a+0x10", 3, 64, 1, 2)
        + &slab("xfs/a+0x2f", 4, 192, 2, 3)
        + &slab("xfs/b", 1, 8, 1, 1)
        + &row("dm/x+0xyz", 1, 1)
        + &row("kmalloc-8", 2, 1);
    let read = Snapshot::parse(&text, 4096).unwrap();
    let group = read.grouped(By::Function);
    assert_eq!(
        lives(&group)
            .iter()
            .map(|it| (it.0, it.2))
            .collect::<Vec<_>>(),
        [
            ("xfs/a", 7),
            ("xfs/b", 1),
            ("dm/x+0xyz", 1),
            ("kmalloc-8", 2)
        ]
    );
    let first = &group.rows[0];
    assert_eq!(
        (first.objects(), first.object_size(), first.slabs()),
        (16, 128, 8)
    );
    assert_eq!(first.bytes(), read.rows[0].bytes() + read.rows[1].bytes());
    let group = read.grouped(By::Module);
    let names: Vec<_> = group.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["xfs", "dm", "kmalloc-8"]);
    assert_eq!(group.totals().bytes, read.totals().bytes);
}

#[test]
fn equal_names_of_two_files_are_two_rows() {
    let slabs = || Snapshot::parse(&(HEADER.to_owned() + &row("x", 1, 1)), 4096).unwrap();
    let mut all = slabs();
    all.notes.push("a".to_owned());
    all.append(Snapshot {
        notes: vec!["b".to_owned()],
        ..slabs()
    });
    let keys: Vec<_> = all.rows.iter().map(Row::key).collect();
    assert_eq!(keys, [("x".to_owned(), 0), ("x".to_owned(), 1)]);
    assert_eq!(all.notes, ["a", "b"]);
    assert_eq!(Snapshot::parse(&all.to_json(), 1), Ok(all));
}

#[test]
fn the_watch_list_is_read() {
    let text = "# name kind state code\nxfs module loaded 1769472\nzram module waiting 0\nall all loaded 0\n\
        # probes tracepoints; rows by site; sites 12 of 2048; blocks 40 of 458752; live 40; lost 3; unattributed 2\n";
    let watch = Watch::parse(text);
    let entry = |name: &str, is_loaded| Watched {
        name: name.to_owned(),
        is_loaded,
    };
    assert_eq!(
        watch.entries,
        [entry("xfs", true), entry("zram", false), entry("all", true)]
    );
    assert_eq!(
        (watch.probes.as_str(), watch.lost, watch.unattributed),
        ("tracepoints", 3, 2)
    );
    let notes = watch.notes(|name| name != "xfs");
    for (note, start) in notes
        .iter()
        .zip(["Pages,", "3 blocks", "2 allocations", "zram is not"])
    {
        assert!(note.starts_with(start), "{note}");
    }
    assert_eq!(notes.len(), 4);
    let fine = "# name kind state code\nxfs module loaded 1\n# probes on; lost 0; unattributed 0\n";
    assert_eq!(Watch::parse(fine).notes(|_| true), Vec::<String>::new());
}
