// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the parsers: each accepts a whole text or nothing.

mod common;

use common::{
    row,
    slabinfo,
    HEADER,
    SITES, //
};
use kallocinfo::{
    ParseError,
    Snapshot, //
};

fn fails(text: &str, line: usize, said: &str) {
    let ParseError { line: at, what } = Snapshot::parse(text, 4096).expect_err(text);
    assert!(at == line && what.contains(said), "line {at}: {what}");
}

#[test]
fn every_number_of_a_row_is_kept() {
    let read = Snapshot::parse(&slabinfo(), 4096).unwrap();
    let slab = read.rows[0].slab.as_ref().unwrap();
    assert_eq!(slab.name, "dentry");
    assert_eq!((slab.active_objs, slab.num_objs), (736053, 766563));
    assert_eq!(
        (slab.objsize, slab.objperslab, slab.pagesperslab),
        (192, 21, 1)
    );
    assert_eq!(
        (slab.active_slabs, slab.num_slabs, slab.sharedavail),
        (36503, 36503, 0)
    );
    assert_eq!(slab.tunables, [0; 3]);
    assert_eq!(read.rows[0].bytes(), 36503 * 4096);
}

#[test]
fn names_may_have_blanks_and_colons() {
    let read = Snapshot::parse(&slabinfo(), 4096).unwrap();
    let names: Vec<_> = read.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        ["dentry", ":A-0000192", "9p fcall: cache", "dma-kmalloc-8k"]
    );
}

#[test]
fn older_kernels_are_read() {
    let old = HEADER.replace("2.1", "2.0") + &row("x", 1, 1).replace("0 0 0 :", "120 60 8 :");
    let read = Snapshot::parse(&old, 4096).unwrap();
    assert_eq!(read.rows[0].slab.as_ref().unwrap().tunables, [120, 60, 8]);

    let statistics = HEADER.replace("2.1", "2.1 (statistics)")
        + &row("x", 1, 1).replace('\n', " : globalstat 1 2 3 : cpustat 4\n");
    for text in [statistics.replace('\n', "\r\n"), statistics] {
        let read = Snapshot::parse(&text, 4096).unwrap();
        let slab = read.rows[0].slab.as_ref().unwrap();
        assert_eq!(
            slab.statistics.as_deref(),
            Some("globalstat 1 2 3 : cpustat 4")
        );
    }
}

#[test]
fn a_byte_order_mark_and_other_ends_of_lines_are_read() {
    let wanted = Snapshot::parse(&slabinfo(), 4096).unwrap();
    let crlf = slabinfo().replace('\n', "\r\n");
    for other in [format!("\u{feff}{}", slabinfo()), crlf] {
        assert_eq!(Snapshot::parse(&other, 4096), Ok(wanted.clone()));
        let slabs = Snapshot::parse_slabs(&other).unwrap();
        assert_eq!(Snapshot::of(slabs, Vec::new(), 4096), wanted);
    }
}

#[test]
fn pages_may_have_other_sizes() {
    let read = Snapshot::parse(&slabinfo(), 65536).unwrap();
    assert_eq!(read.rows[0].bytes(), 36503 * 65536);
}

#[test]
fn a_text_of_no_kind_is_refused() {
    fails("", 1, "no slabinfo");
    fails("MemTotal: 1 kB\n", 1, "no slabinfo: `MemTotal: 1 kB`");
    fails(&slabinfo().replace("2.1", "3.0"), 1, "version `3.0`");
    fails("slabinfo - version: 2.1\n", 2, "names of columns");
}

#[test]
fn a_bad_row_is_told_by_its_line() {
    let bad = |row: &str, said: &str| fails(&format!("{}{row}\n", slabinfo()), 7, said);
    bad("", "no tunables");
    bad("x 1 1 64 64 1", "no tunables");
    bad(
        "x 1 1 64 64 : tunables 0 0 0 : slabdata 0 0 0",
        "no name and five numbers",
    );
    bad(
        "1 1 1 64 64 : tunables 0 0 0 : slabdata 0 0 0",
        "no name and five numbers",
    );
    bad(
        "x 1 -1 64 64 1 : tunables 0 0 0 : slabdata 0 0 0",
        "`-1` is not a number",
    );
    bad(
        "x 1 1 64 64 1 : tunables 0 0 : slabdata 0 0 0",
        "not 3 numbers",
    );
    bad(
        "x 1 1 64 64 1 : tunables 0 0 0 : slabdata 0 0 0 0",
        "not 3 numbers",
    );
    bad(
        "x 1 1 64 64 1 : tunables 0 0 0 : slabdata 0 0 99999999999999999999",
        "too large",
    );
    bad(
        "x 1 1 64 64 1 : tunables 0 0 0 : slabdata 0 0 0 : globalstat 1",
        "`:` is not a number",
    );
}

#[test]
fn a_row_that_is_cut_off_is_told() {
    let text = slabinfo();
    // Without the end of the line, `…0` could be the start of a larger number.
    fails(&text[..text.len() - 1], 6, "cut off");
}

#[test]
fn every_member_of_a_site_is_kept() {
    let read = Snapshot::parse(SITES, 4096).unwrap();
    let site = read.rows[0].site.as_ref().unwrap();
    assert_eq!(
        (site.name.as_str(), site.family.as_str()),
        ("exercise_cache", "cache")
    );
    assert_eq!(
        (site.type_name.as_str(), site.line),
        ("exercise::Object", 24)
    );
    assert_eq!((site.live, site.allocs, site.frees), (4, 100, 96));
    assert_eq!(site.failures.all(), 6);
    let sizes = &read.rows[1].site.as_ref().unwrap().sizes;
    assert_eq!((sizes[1].up_to, sizes[1].live()), (256, 3));
    assert_eq!(read.rows[1].bytes(), 768);
    assert_eq!(read.rows[1].object_size(), 256);
}

#[test]
fn members_of_a_later_version_are_kept() {
    let more = SITES.replace("\"sizes\":[]", "\"sizes\":[],\"nodes\":[[1,2],[3,4]]");
    let read = Snapshot::parse(&more, 4096).unwrap();
    assert!(read.to_json().contains("\"nodes\":[[1,2],[3,4]]"));
}

#[test]
fn a_bad_site_is_told_by_its_line_and_column() {
    fails(
        &SITES.replace("\"family\":\"kmalloc\",", ""),
        2,
        "missing field `family`",
    );
    fails(
        &SITES.replace("\"live\":3", "\"live\":-3"),
        2,
        "invalid value",
    );
    fails(
        &SITES.replace("\"line\":30", "\"line\":30 30"),
        2,
        "column 130: expected",
    );
    let pretty = pretty(SITES);
    let bad = pretty.replace("\"line\": 30", "\"line\": -30");
    let line = bad.lines().position(|line| line.contains("-30")).unwrap();
    fails(&bad, line + 1, "column 13: invalid value: integer `-30`");
    fails(&format!("{SITES}x"), 3, "column 1: expected value");
    fails(&format!("[{SITES}]"), 2, "column 1: expected `,` or `]`");
}

/// Returns the values of a stream, each on many lines.
fn pretty(text: &str) -> String {
    serde_json::Deserializer::from_str(text)
        .into_iter::<serde_json::Value>()
        .map(|value| format!("{:#}\n", value.expect(text)))
        .collect()
}

/// Returns the text in other formats.
fn formats(text: &str) -> Vec<String> {
    let values: Vec<serde_json::Value> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .map(|value| value.expect(text))
        .collect();
    let array = serde_json::Value::from(values.clone());
    vec![
        pretty(text),
        pretty(text).replace('\n', "\r\n"),
        values.iter().map(|value| value.to_string()).collect(),
        array.to_string(),
        format!("{array:#}"),
        format!("\n\t {text}"),
        format!("\u{feff}{text}"),
        format!("{text}\n\n"),
        text.trim_end().to_owned(),
    ]
}

#[test]
fn json_may_have_any_formatting() {
    let snapshot = Snapshot::parse(&slabinfo(), 4096).unwrap().to_json();
    for text in [SITES, &snapshot] {
        let wanted = Snapshot::parse(text, 4096).unwrap();
        for other in formats(text) {
            let read = Snapshot::parse(&other, 4096);
            assert_eq!(read.as_ref(), Ok(&wanted), "{other}");
            // Text that is cut off in its last value is an error.
            let end = other.trim_end().len();
            for cut in end - 200..end {
                let part = &other[..cut];
                assert!(Snapshot::parse(part, 4096).is_err(), "{part}");
            }
        }
    }
    let sites = Snapshot::parse_sites(SITES);
    for other in formats(SITES) {
        assert_eq!(Snapshot::parse_sites(&other), sites, "{other}");
    }
    for none in ["", "\u{feff}", " \n", "[]"] {
        assert_eq!(Snapshot::parse_sites(none), Ok(vec![]), "{none}");
    }
}

#[test]
fn members_may_have_any_order() {
    let text = Snapshot::parse(&slabinfo(), 4096).unwrap().to_json();
    let format = "\"format\":\"kalloctop-1\",";
    let last = text.replacen(format, "", 1);
    let last = last.replace("\n]}", &format!("\n],{}}}", format.trim_end_matches(',')));
    assert_eq!(
        Snapshot::parse(&last, 1),
        Snapshot::parse(&text, 1),
        "{last}"
    );
    fails(&format!("{text}{text}"), 1, "several snapshots");
}

#[test]
fn two_files_make_rows_of_both() {
    let slabs = HEADER.to_owned() + &row("exercise_cache", 4, 1) + &row("only_slab", 1, 1);
    let slabs = Snapshot::parse_slabs(&slabs).unwrap();
    let sites = Snapshot::parse_sites(SITES).unwrap();
    let read = Snapshot::of(slabs, sites, 4096);
    let has: Vec<_> = read
        .rows
        .iter()
        .map(|row| (row.name.as_str(), row.slab.is_some(), row.site.is_some()))
        .collect();
    assert_eq!(
        has,
        [
            ("exercise_cache", true, true),
            ("only_slab", true, false),
            ("exercise_kvec", false, true)
        ]
    );
    // The size is that of the slabs' pages for a cache, and that of the live blocks for a site
    // without slabs.
    assert_eq!((read.rows[0].bytes(), read.rows[2].bytes()), (4096, 768));
}

#[test]
fn no_sites_are_no_mistake() {
    assert_eq!(Snapshot::parse_sites("").unwrap(), []);
}

#[test]
fn json_is_read_back_as_it_was() {
    let slabs = Snapshot::parse_slabs(&slabinfo()).unwrap();
    let sites = Snapshot::parse_sites(SITES).unwrap();
    let twice = slabs.iter().chain(&slabs).cloned().collect();
    let mut snapshot = Snapshot::of(twice, sites, 16384);
    snapshot.taken_ms = Some(1_795_388_400_123);
    let text = snapshot.to_json();
    assert_eq!(Snapshot::parse(&text, 1).unwrap(), snapshot);
    fails(
        &text.replace("kalloctop-1", "kalloctop-9"),
        1,
        "kalloctop-9",
    );
    let bad = text.replace("\"num_objs\":4,", "");
    fails(&bad, 4, "missing field `num_objs`");
    // The position is the end of the object without the member.
    let column = bad.lines().nth(3).unwrap().find('}').unwrap() + 1;
    assert_eq!(
        Snapshot::parse(&bad, 1).unwrap_err().to_string(),
        format!("line 4: column {column}: missing field `num_objs`")
    );
}
