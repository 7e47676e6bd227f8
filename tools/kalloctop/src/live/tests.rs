// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the contents of the screen, and of the effects of keys.

use super::{
    app::App,
    draw,
    keys::Outcome, //
};
use crate::{
    cli::Arguments,
    error::Error,
    theme::Theme, //
};
use clap::Parser;
use crossterm::event::{
    KeyCode,
    KeyEvent,
    KeyModifiers, //
};
use kallocinfo::Snapshot;
use ratatui::{
    backend::TestBackend,
    style::{
        Color,
        Modifier, //
    },
    Terminal, //
};
use std::io;

const HEADER: &str = "slabinfo - version: 2.1\n# name\n";
const SITE: &str = r#"{"name":"big","family":"kmalloc","type":"[u8]","module":"driver","file":"driver.rs","line":7,"unit":0,"live":40,"allocs":100,"frees":60,"failures":{"no_memory":1,"no_wait":2,"invalid":3},"live_bytes":3000,"live_allocated":4000,"peak":50,"peak_bytes":5000,"peak_allocated":6000,"sizes":[{"up_to":64,"allocs":90,"frees":60},{"up_to":128,"allocs":10,"frees":0}],"cpus":[{"cpu":0,"allocs":75,"frees":10},{"cpu":3,"allocs":25,"frees":50}]}
"#;

/// Returns a snapshot of rows with these names, live objects and slabs.
fn reading(rows: &[(&str, u64, u64)], sites: &str) -> Snapshot {
    let rows: String = rows
        .iter()
        .map(|(name, live, slabs)| {
            format!("{name} {live} 100 64 64 1 : tunables 0 0 0 : slabdata {slabs} {slabs} 0\n")
        })
        .collect();
    let slabs = Snapshot::parse_slabs(&(HEADER.to_owned() + &rows)).unwrap();
    Snapshot::of(slabs, Snapshot::parse_sites(sites).unwrap(), 4096)
}

/// Two watched calls in one function.
const CALLS: [&str; 2] = ["0x2c", "0x91"];

fn call(offset: &str) -> String {
    format!(
        r#"{{"name":"xfs/xfs_buf_alloc+{offset}","family":"cache","type":"","module":"xfs","file":"","line":0,"unit":0,"live":40,"allocs":100,"frees":58,"failures":{{"no_memory":0,"no_wait":0,"invalid":0}},"live_bytes":4000,"live_allocated":4000,"peak":50,"peak_bytes":5000,"peak_allocated":5000,"frees_elsewhere":7,"lost":2,"function":"xfs_buf_alloc","offset":44,"sizes":[{{"up_to":128,"allocs":100,"frees":58}},{{"up_to":9007199254740991,"allocs":1,"frees":1}}]}}
"#
    )
}

const ROWS: [(&str, u64, u64); 3] = [("small", 7, 1), ("big", 40, 6), ("none", 0, 3)];

struct Shown {
    app: App,
    terminal: Terminal<TestBackend>,
}

impl Shown {
    fn new(argv: &[&str], snapshot: Snapshot) -> Self {
        let options = Arguments::parse_from([&["kalloctop"], argv].concat()).options;
        let theme = Theme {
            colours: true,
            ascii: true,
        };
        Self {
            app: App::new(&options, theme, "/proc/kallocinfo".into(), snapshot),
            terminal: Terminal::new(TestBackend::new(110, 24)).unwrap(),
        }
    }

    fn plain() -> Self {
        Self::new(&[], reading(&ROWS, ""))
    }

    fn press(&mut self, keys: &str) -> Outcome {
        let mut last = Outcome::Stay;
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                '\x08' => KeyCode::Backspace,
                key => KeyCode::Char(key),
            };
            last = self.app.press(KeyEvent::new(code, KeyModifiers::NONE));
        }
        last
    }

    fn lines(&mut self) -> Vec<String> {
        let app = &mut self.app;
        let done = self.terminal.draw(|frame| draw::all(frame, app)).unwrap();
        let width = usize::from(done.area.width);
        let cells: Vec<&str> = done
            .buffer
            .content()
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        cells
            .chunks(width)
            .map(|row| row.concat().trim_end().to_owned())
            .collect()
    }

    /// Returns the words of each row below the titles.
    fn table(&mut self) -> Vec<Vec<String>> {
        let lines = self.lines();
        let head = lines
            .iter()
            .position(|line| line.starts_with("NAME"))
            .unwrap();
        lines[head + 1..lines.len() - 1]
            .iter()
            .filter(|line| !line.is_empty())
            .map(|line| line.split_whitespace().map(str::to_owned).collect())
            .collect()
    }

    fn names(&mut self) -> Vec<String> {
        self.table().into_iter().map(|row| row[0].clone()).collect()
    }

    fn has(&mut self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }
}

#[test]
fn numbers_are_those_of_the_file() {
    let mut shown = Shown::plain();
    let table = shown.table();
    // After one reading, the trend is one character, and there are no rates.
    let wanted = [
        "big", "40", "100", "40.0%", "64", "24.0K", "60.0%", "###", "_",
    ];
    assert_eq!(table[0], wanted);
    assert!(shown.has("Rows 3  Live 47 / 300 (15.7%)  Slabs 10  Size 40.0K"));
}

#[test]
fn each_key_sorts_by_its_column() {
    let mut shown = Shown::plain();
    for (key, wanted) in [
        ("c", ["big", "none", "small"]),
        ("n", ["big", "none", "small"]),
        ("a", ["big", "small", "none"]),
        ("l", ["big", "none", "small"]),
        ("r", ["small", "none", "big"]),
        ("a", ["none", "small", "big"]),
    ] {
        shown.press(key);
        assert_eq!(shown.names(), wanted, "{key}");
    }
    shown.press("r<<<<<<<<<");
    assert!(shown.has("NAME^"));
    shown.press(">");
    assert!(shown.has("LIVEv"));
}

#[test]
fn typed_words_choose_rows() {
    let mut shown = Shown::plain();
    shown.press("/Aq");
    assert_eq!(shown.names(), [""; 0]);
    shown.press("\x08L");
    assert_eq!(shown.names(), ["small"]);
    assert!(shown.has("/AL"));
    shown.press("\n");
    assert!(shown.has("/AL: 1 of 3"));
    shown.press("\x1b");
    assert_eq!(shown.names().len(), 3);
    // These words are in other members of the site, not in the name.
    let mut shown = Shown::new(&["--filter", "driver.RS kmalloc"], reading(&ROWS, SITE));
    assert_eq!(shown.names(), ["big"]);
}

#[test]
fn empty_rows_can_be_hidden() {
    let mut shown = Shown::plain();
    shown.press("z");
    assert_eq!(shown.names(), ["big", "small"]);
    shown.press("z");
    assert_eq!(shown.names().len(), 3);
}

#[test]
fn details_have_all_that_is_known() {
    let mut shown = Shown::new(&[], reading(&ROWS, SITE));
    shown.terminal = Terminal::new(TestBackend::new(110, 60)).unwrap();
    shown.press("\n");
    for text in [
        "Type [u8]  Family kmalloc, of any size",
        "Module driver  Declared driver.rs:7",
        "Live 40  Allocated 100  Freed 60  Peak 50",
        "Asked for 3000  Taken 4000  Waste 25.0%",
        "Failed for want of memory 1  unable to wait 2  impossible 3",
        "Slabs 6 / 6  Objects 40 / 100",
        "          64         30           90  ########################################",
        "         128         10           10  #############",
        "           0         75           10  ########################################",
        "           3         25           50  #############",
    ] {
        assert!(shown.has(text), "{text}\n{}", shown.lines().join("\n"));
    }
    shown.app.take(Ok(reading(&ROWS[..1], "")));
    assert!(shown.has("It has gone."));
    assert_eq!(shown.press("q"), Outcome::Stay);
    assert_eq!(shown.press("q"), Outcome::Quit);
}

#[test]
fn a_key_adds_up_the_rows_of_functions_and_modules() {
    let calls = CALLS.map(call).concat();
    let mut snapshot = reading(&[], &calls);
    snapshot.notes = vec!["Older blocks are not counted.".to_owned()];
    let mut shown = Shown::new(&[], snapshot);
    let of_calls = CALLS.map(|offset| format!("xfs/xfs_buf_alloc+{offset}"));
    assert_eq!(shown.names(), [&*of_calls[0], &*of_calls[1], "Older"]);
    for (name, label) in [
        ("xfs/xfs_buf_alloc", "by function: 1 of 1"),
        ("xfs", "by module: 1 of 1"),
    ] {
        shown.press("b");
        assert_eq!(shown.table()[0][..2], [name, "80"]);
        assert!(shown.has(label), "{label}");
        shown.app.take(Ok(reading(&[], &calls)));
        assert_eq!(shown.names(), [name]);
    }
    shown.press("b");
    assert_eq!(shown.names(), of_calls);
    let mut shown = Shown::new(&["--by", "module"], reading(&ROWS, &calls));
    assert_eq!(shown.names(), ["big", "none", "xfs", "small"]);
}

#[test]
fn details_of_a_watched_call_have_what_is_known() {
    let mut shown = Shown::new(&[], reading(&[], &call(CALLS[0])));
    shown.terminal = Terminal::new(TestBackend::new(110, 60)).unwrap();
    assert_eq!(shown.table()[0][0], "xfs/xfs_buf_alloc+0x2c");
    shown.press("\n");
    for text in [
        "Module xfs  Family cache",
        "Function xfs_buf_alloc",
        "Live 40  Allocated 100  Freed 58  by other code 7  Lost 2",
        "Asked for 4000  Peak seen 50  Peak seen of bytes 5000",
        "         128         42          100  ###",
        "         any          0            1",
    ] {
        assert!(shown.has(text), "{text}\n{}", shown.lines().join("\n"));
    }
    assert!(!shown.has("Failed for want"));
}

#[test]
fn notes_leave_room_for_the_rows() {
    let mut snapshot = reading(&ROWS, "");
    snapshot.notes = (0..30).map(|number| format!("note {number}")).collect();
    let mut shown = Shown::new(&[], snapshot);
    assert!(shown.has("note 5") && !shown.has("note 6"));
    assert_eq!(shown.names()[..3], ["big", "none", "small"]);
}

#[test]
fn rates_are_changes_in_a_second() {
    let mut shown = Shown::new(&[], reading(&ROWS, SITE));
    let more = SITE.replace("\"allocs\":100,\"frees\":60", "\"allocs\":300,\"frees\":60");
    shown.app.take(Ok(reading(
        &[("small", 3, 1), ("big", 240, 8), ("none", 0, 3)],
        &more,
    )));
    let signs = |name: &str, shown: &mut Shown| {
        let table = shown.table();
        let row = table.into_iter().find(|row| row[0] == name).unwrap();
        let signed = |cell: &String| cell.starts_with('+') || cell.starts_with('-');
        row.into_iter()
            .filter(signed)
            .map(|cell| cell[..1].to_owned())
            .collect::<String>()
    };
    assert_eq!(signs("big", &mut shown), "++");
    assert_eq!(signs("small", &mut shown), "-");
    assert_eq!(signs("none", &mut shown), "");
    // Sort by the allocation rate. Rows with an unknown rate are last.
    shown.press("nt");
    assert_eq!(shown.names(), ["big", "none", "small"]);
    assert!(shown.has("ALLOC/sv"));
}

#[test]
fn a_file_that_goes_is_told_and_may_come_again() {
    let mut shown = Shown::plain();
    let gone = || Error::Read {
        path: "/proc/kallocinfo".into(),
        source: io::ErrorKind::NotFound.into(),
    };
    shown.app.take(Err(gone()));
    assert!(shown.has("is kalloc.ko loaded?"));
    assert_eq!(shown.names().len(), 3);
    shown.app.take(Ok(reading(&ROWS, "")));
    assert!(!shown.has("is kalloc.ko loaded?"));
}

#[test]
fn a_long_path_hides_neither_the_pause_nor_an_error() {
    let path = "/a".repeat(200) + "/slabinfo";
    let mut shown = Shown::plain();
    shown.app.source.clone_from(&path);
    shown.press(" ");
    assert!(shown.has("/slabinfo  every 1s  for 0s  PAUSED"));
    shown.app.take(Err(Error::Read {
        path: path.into(),
        source: io::ErrorKind::NotFound.into(),
    }));
    assert!(shown.has("/slabinfo: entity not found"));
}

#[test]
fn the_cursor_stays_on_rows_that_are_there() {
    let many: Vec<String> = (0..10_000)
        .map(|number| format!("site_{number:05}"))
        .collect();
    let rows: Vec<_> = many.iter().map(|name| (name.as_str(), 1, 1)).collect();
    let mut shown = Shown::new(&["--sort", "name"], reading(&rows, ""));
    assert_eq!(shown.names()[0], "site_00000");
    shown.app.go(isize::MAX);
    assert_eq!(shown.names().last().unwrap(), "site_09999");
    shown.app.take(Ok(reading(&ROWS, "")));
    assert_eq!(shown.names(), ["big", "none", "small"]);
    shown.app.go(isize::MIN);
    assert_eq!(shown.app.cursor(), 0);
    shown.app.take(Ok(reading(&[], "")));
    assert_eq!(shown.names(), [""; 0]);
    assert_eq!(shown.press("\n"), Outcome::Stay);
}

#[test]
fn names_of_63_characters_are_shown_where_there_is_room() {
    let long = "x".repeat(63);
    let mut shown = Shown::new(&[], reading(&[(&long, 1, 1)], ""));
    assert_eq!(shown.names()[0], "x".repeat(25) + "~");
    shown.terminal = Terminal::new(TestBackend::new(220, 24)).unwrap();
    assert_eq!(shown.names()[0], long);
}

#[test]
fn wide_names_align_and_no_name_deceives() {
    /// Returns the column of the object size, which is 64 in each row.
    fn columns(shown: &mut Shown) -> Vec<usize> {
        shown.lines();
        let buffer = shown.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let rows = buffer.content().chunks(width);
        rows.filter_map(|cells| {
            let symbols: Vec<&str> = cells.iter().map(|cell| cell.symbol()).collect();
            symbols
                .windows(4)
                .position(|part| part == [" ", "6", "4", " "])
        })
        .collect()
    }
    let names = [
        "漢字キャッシュ",
        "e\u{301}xe\u{301}",
        "🐧",
        "esc\x1b[31m",
        "bidi\u{202e}",
    ];
    let mut shown = Shown::new(&[], reading(&names.map(|name| (name, 1, 1)), ""));
    let found = columns(&mut shown);
    assert_eq!(found, [found[0]; 5]);
    for text in ["esc\\u{1b}[31m ", "bidi\\u{202e} ", "e\u{301}xe\u{301} "] {
        assert!(shown.has(text), "{text}\n{}", shown.lines().join("\n"));
    }
    // Names that are too long: by their width, and by their escapes.
    let (wide, steering) = ("漢".repeat(30), "\x1b".repeat(30));
    let names = [wide.as_str(), steering.as_str(), "x"];
    let mut shown = Shown::new(&[], reading(&names.map(|name| (name, 1, 1)), ""));
    let found = columns(&mut shown);
    assert_eq!(found, [found[0]; 3]);
}

#[test]
fn any_size_of_terminal_will_do() {
    let mut shown = Shown::new(&[], reading(&ROWS, SITE));
    for (width, height) in [(0, 0), (1, 1), (20, 3), (20, 6), (80, 24), (400, 100)] {
        shown.terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        for keys in ["", "\n", "q", "?", "q"] {
            shown.press(keys);
            let app = &mut shown.app;
            shown.terminal.draw(|frame| draw::all(frame, app)).unwrap();
        }
    }
}

#[test]
fn every_key_that_does_anything_is_in_the_help() {
    let mut shown = Shown::new(&[], reading(&ROWS, SITE));
    shown.terminal = Terminal::new(TestBackend::new(110, 60)).unwrap();
    shown.press("?");
    for look in crate::column::LOOKS {
        let line = format!("{}  {}: {}", look.key, look.head, look.help);
        assert!(shown.has(&line), "{line}");
    }
    for key in [
        "Ctrl-C", "Enter", "  r  ", "  b  ", "  L  ", "  z  ", "Space", "Ctrl-Z", "Ctrl-L", "+ -",
        "< >",
    ] {
        assert!(shown.has(key), "{key}");
    }
}

#[test]
fn no_key_does_two_things() {
    let mut keys: Vec<char> = crate::column::LOOKS.iter().map(|look| look.key).collect();
    keys.extend("qkjrbLz?/<>+- ".chars());
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all);
}

#[test]
fn without_colours_there_are_none() {
    let mut shown = Shown::new(&[], reading(&ROWS, SITE));
    let coloured = |shown: &mut Shown| {
        shown.lines();
        let cells = shown.terminal.backend().buffer().content();
        let reversed = cells
            .iter()
            .any(|cell| cell.modifier.contains(Modifier::REVERSED));
        assert!(reversed, "the cursor is not visible");
        cells
            .iter()
            .any(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset))
    };
    assert!(coloured(&mut shown));
    shown.app.theme.colours = false;
    assert!(!coloured(&mut shown));
}

#[test]
fn the_interval_can_be_changed_within_bounds() {
    let mut shown = Shown::new(&["-d", "0.3"], reading(&ROWS, ""));
    assert_eq!(shown.press("+"), Outcome::Pace);
    shown.press("+++");
    assert_eq!(shown.app.interval().as_millis(), 100);
    shown.press("-");
    assert_eq!(shown.app.interval().as_millis(), 200);
}
