// SPDX-License-Identifier: GPL-2.0-only

//! The screen with all data of one row.

use super::{
    app::App,
    draw::{
        labelled,
        scrolled, //
    }, //
};
use crate::{
    format,
    view::View, //
};
use kallocinfo::{
    Site,
    Slab,
    Track, //
};
use ratatui::{
    layout::Rect,
    text::{
        Line,
        Span, //
    },
    Frame, //
};

/// The width of a bar in characters.
const BAR: usize = 40;

/// The limit of the last range of sizes of a watched call, which has none.
const NO_LIMIT: u64 = u64::MAX >> 11;

/// Draws the details, with the most important ones first.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let title = Span::styled(format::clean(app.opened_name()), app.theme.title());
    let mut lines = vec![Line::from(title), Line::default()];
    match app.opened() {
        Some(view) => lines.extend(of(app, &view)),
        None => lines.push(Line::styled("It has gone.", app.theme.wrong())),
    }
    scrolled(frame, app, area, &lines);
}

fn of(app: &App, view: &View<'_>) -> Vec<Line<'static>> {
    let row = view.row;
    let mut lines = Vec::new();
    if let Some(site) = &row.site {
        lines.extend(of_site(app, site));
    }
    if let Some(slab) = &row.slab {
        lines.push(of_slab(app, slab, row.bytes()));
    }
    if let Some(rates) = view.rates {
        let mut pairs = vec![
            ("Live/s", format::signed_rate(rates.live)),
            ("Size/s", format::rate_of_bytes(rates.bytes)),
        ];
        if let Some((allocs, frees)) = rates.events {
            pairs.push(("Alloc/s", format::rate(allocs)));
            pairs.push(("Free/s", format::rate(frees)));
        }
        lines.push(labelled(&pairs, app));
    }
    if let Some(track) = view.track {
        lines.extend(of_track(app, track));
    }
    if let Some(site) = &row.site {
        lines.extend(of_sizes(app, site));
        lines.extend(of_cpus(app, site));
    }
    lines
}

/// Returns the numbers of a watched call, or of a group of such calls. Its failures are not known.
fn of_call(app: &App, site: &Site, function: &str) -> Vec<Line<'static>> {
    let count = |value: Option<u64>| value.unwrap_or(0).to_string();
    let pairs: [&[(&str, String)]; 4] = [
        &[
            ("Module", format::clean(&site.module)),
            ("Family", format::clean(&site.family)),
        ],
        &[("Function", format::clean(function))],
        &[
            ("Live", site.live.to_string()),
            ("Allocated", site.allocs.to_string()),
            ("Freed", site.frees.to_string()),
            ("by other code", count(site.frees_elsewhere)),
            ("Lost", count(site.lost)),
        ],
        &[
            ("Asked for", site.live_bytes.to_string()),
            ("Peak seen", site.peak.to_string()),
            ("Peak seen of bytes", site.peak_bytes.to_string()),
        ],
    ];
    let lines = pairs.into_iter().map(|pairs| labelled(pairs, app));
    lines.collect()
}

fn of_site(app: &App, site: &Site) -> Vec<Line<'static>> {
    if let Some(function) = &site.function {
        return of_call(app, site, function);
    }
    let unit = match site.unit {
        0 => "of any size".to_owned(),
        unit => format!("of {unit} bytes"),
    };
    let failures = &site.failures;
    let pairs: [&[(&str, String)]; 6] = [
        &[
            ("Type", format::clean(&site.type_name)),
            ("Family", format!("{}, {unit}", format::clean(&site.family))),
        ],
        &[
            ("Module", format::clean(&site.module)),
            (
                "Declared",
                format!("{}:{}", format::clean(&site.file), site.line),
            ),
        ],
        &[
            ("Live", site.live.to_string()),
            ("Allocated", site.allocs.to_string()),
            ("Freed", site.frees.to_string()),
            ("Peak", site.peak.to_string()),
        ],
        &[
            ("Asked for", site.live_bytes.to_string()),
            ("Taken", site.live_allocated.to_string()),
            (
                "Waste",
                format::percent(format::part(
                    site.live_allocated.saturating_sub(site.live_bytes),
                    site.live_allocated,
                )),
            ),
        ],
        &[
            ("Peak asked for", site.peak_bytes.to_string()),
            ("Peak taken", site.peak_allocated.to_string()),
        ],
        &[
            ("Failed for want of memory", failures.no_memory.to_string()),
            ("unable to wait", failures.no_wait.to_string()),
            ("impossible", failures.invalid.to_string()),
        ],
    ];
    pairs
        .into_iter()
        .map(|pairs| labelled(pairs, app))
        .collect()
}

fn of_slab(app: &App, slab: &Slab, bytes: u64) -> Line<'static> {
    let pairs = [
        (
            "Slabs",
            format!("{} / {}", slab.active_slabs, slab.num_slabs),
        ),
        (
            "Objects",
            format!("{} / {}", slab.active_objs, slab.num_objs),
        ),
        ("Object", format!("{} bytes", slab.objsize)),
        (
            "Slab",
            format!("{} objects in {} pages", slab.objperslab, slab.pagesperslab),
        ),
        ("Size", bytes.to_string()),
    ];
    labelled(&pairs, app)
}

/// Returns two curves, with their minimum and maximum.
fn of_track(app: &App, track: &Track) -> Vec<Line<'static>> {
    let curve = |name: &'static str, values: Vec<u64>, say: fn(u64) -> String| {
        let least = values.iter().copied().min().unwrap_or(0);
        let most = values.iter().copied().max().unwrap_or(0);
        let text = format::curve(values.into_iter(), super::app::REMEMBERED, app.theme);
        [
            Line::default(),
            Line::from(vec![
                Span::styled(format!("{name} "), app.theme.label()),
                Span::raw(format!("from {} to {}", say(least), say(most))),
            ]),
            Line::styled(text, app.theme.bar()),
        ]
    };
    let live = track.samples.iter().map(|sample| sample.live).collect();
    let bytes = track.samples.iter().map(|sample| sample.bytes).collect();
    [
        curve("Live", live, |value| value.to_string()),
        curve("Size", bytes, format::bytes),
    ]
    .concat()
}

/// Returns a line for each power of two if sizes vary.
fn of_sizes(app: &App, site: &Site) -> Vec<Line<'static>> {
    let heads = format!("{:>12} {:>10} {:>12}  live", "UP TO", "LIVE", "ALLOCATED");
    let rows = site.sizes.iter().map(|class| {
        let up_to = match class.up_to {
            NO_LIMIT.. => "any".to_owned(),
            limit => limit.to_string(),
        };
        let text = format!("{:>12} {:>10} {:>12}  ", up_to, class.live(), class.allocs);
        (text, class.live())
    });
    bars(app, heads, rows.collect())
}

/// Returns a line for each CPU with counts.
fn of_cpus(app: &App, site: &Site) -> Vec<Line<'static>> {
    let heads = format!(
        "{:>12} {:>10} {:>12}  allocated",
        "CPU", "ALLOCATED", "FREED"
    );
    let rows = site.cpus.iter().map(|on| {
        let text = format!("{:>12} {:>10} {:>12}  ", on.cpu, on.allocs, on.frees);
        (text, on.allocs)
    });
    bars(app, heads, rows.collect())
}

/// Returns a title and lines. Each line ends with a bar whose length is proportional to its value.
fn bars(app: &App, heads: String, rows: Vec<(String, u64)>) -> Vec<Line<'static>> {
    let Some(most) = rows.iter().map(|(_, value)| *value).max() else {
        return Vec::new();
    };
    let mut lines = vec![Line::default(), Line::styled(heads, app.theme.label())];
    lines.extend(rows.into_iter().map(|(text, value)| {
        let bar = format::bar(format::part(value, most), BAR, app.theme);
        Line::from(vec![Span::raw(text), Span::styled(bar, app.theme.bar())])
    }));
    lines
}
