// SPDX-License-Identifier: GPL-2.0-only

//! Formatting of numbers, bars and curves for the user.

use crate::theme::Theme;
use ratatui::{
    style::Style,
    text::Span, //
};

/// Formats bytes: exactly below 1 KiB, otherwise with one digit after the decimal point.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if count < 1024 {
        return count.to_string();
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // A value that would be rounded to 1024.0 becomes 1.0 of the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// Formats a change in bytes with its sign.
pub(crate) fn change_of_bytes(count: i128) -> String {
    let size = bytes(u64::try_from(count.unsigned_abs()).unwrap_or(u64::MAX));
    signed(count, &size)
}

/// Formats a change of a number with its sign.
pub(crate) fn change(count: i128) -> String {
    signed(count, &count.unsigned_abs().to_string())
}

fn signed(count: i128, size: &str) -> String {
    match count.signum() {
        1 => format!("+{size}"),
        -1 => format!("-{size}"),
        _ => "0".to_owned(),
    }
}

/// Formats events per second; a small rate has one digit after the decimal point.
pub(crate) fn rate(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value < 9.95 {
        format!("{value:.1}")
    } else if value < 1e7 {
        format!("{value:.0}")
    } else {
        format!("{:.1}M", value / 1e6)
    }
}

/// Formats a rate like [`rate`], with its sign.
pub(crate) fn signed_rate(value: f64) -> String {
    let text = rate(value.abs());
    match value {
        value if value > 0.0 => format!("+{text}"),
        value if value < 0.0 => format!("-{text}"),
        _ => text,
    }
}

/// Formats bytes per second with their sign.
pub(crate) fn rate_of_bytes(value: f64) -> String {
    // CAST: The cast saturates outside the range of `i128`, which no counter exceeds.
    #[expect(clippy::cast_possible_truncation)]
    change_of_bytes(value.round() as i128)
}

/// Formats a fraction of 1 as a percentage.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// Returns `some` as a fraction of `all`, or 0 if `all` is 0.
pub(crate) fn part(some: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        some as f64 / all as f64
    }
}

/// Formats a duration in its largest one or two units.
pub(crate) fn seconds(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Escapes the characters of a text from a file that could control the terminal or deceive the
/// reader: control characters, format characters such as those that reverse the direction, blanks
/// other than the space, and unassigned characters.
pub(crate) fn clean(text: &str) -> String {
    // Characters that `escape_debug` escapes although they are visible.
    const VISIBLE: [char; 3] = ['\\', '\'', '"'];
    let mut clean = String::new();
    for part in text.split_inclusive(VISIBLE) {
        let rest = part.trim_end_matches(VISIBLE);
        clean.extend(rest.escape_debug());
        clean.push_str(&part[rest.len()..]);
    }
    clean
}

/// Returns the columns that a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Pads a text to `width` columns, on the right or on the left. Returns a longer text unchanged.
pub(crate) fn padded(text: &str, to: usize, left_aligned: bool) -> String {
    let blanks = " ".repeat(to.saturating_sub(width(text)));
    if left_aligned {
        text.to_owned() + &blanks
    } else {
        blanks + text
    }
}

/// Returns the start of a text that is at most `most` columns wide. A longer text ends with `~`.
pub(crate) fn start_of(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut start = String::new();
    for part in characters(text) {
        if width(&start) + width(&part) >= most {
            break;
        }
        start += &part;
    }
    start.extend((most > 0).then_some('~'));
    start
}

/// Returns the end of a path that is at most `most` columns wide. A longer path begins with `~`.
pub(crate) fn end_of(path: &str, most: usize) -> String {
    if width(path) <= most {
        return path.to_owned();
    }
    let mut end = String::new();
    for part in characters(path).into_iter().rev() {
        if width(&end) + width(&part) >= most {
            break;
        }
        end.insert_str(0, &part);
    }
    end.insert_str(0, if most > 0 { "~" } else { "" });
    end
}

/// Returns the characters of a text as the terminal shows them, each with its combining marks.
fn characters(text: &str) -> Vec<String> {
    Span::raw(text)
        .styled_graphemes(Style::new())
        .map(|part| part.symbol.to_owned())
        .collect()
}

const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_LEVELS: [char; 8] = ['_', '.', ',', '-', '~', '+', '*', '#'];

/// Returns a bar that fills the fraction `part` of `width` characters.
pub(crate) fn bar(part: f64, width: usize, theme: Theme) -> String {
    let steps = if theme.ascii { 1 } else { 8 };
    let filled = level(part, width * steps);
    let mut text: String = if theme.ascii { "#" } else { "█" }.repeat(filled / steps);
    if let Some(part) = (filled % steps).checked_sub(1) {
        text.push(EIGHTHS[part]);
    }
    text
}

/// Returns a curve of the last values, with one character per value. The scale ranges from their
/// minimum to their maximum.
pub(crate) fn curve(
    values: impl DoubleEndedIterator<Item = u64>,
    width: usize,
    theme: Theme,
) -> String {
    let levels = if theme.ascii { ASCII_LEVELS } else { LEVELS };
    let mut last: Vec<u64> = values.rev().take(width).collect();
    last.reverse();
    let least = last.iter().copied().min().unwrap_or(0);
    let most = last.iter().copied().max().unwrap_or(0);
    last.iter()
        .map(|value| levels[level(part(value - least, most - least), levels.len() - 1)])
        .collect()
}

/// Converts a fraction of 1 to a whole number of steps.
fn level(part: f64, steps: usize) -> usize {
    // CAST: The value is a whole number from 0 to `steps`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let level = (part.clamp(0.0, 1.0) * steps as f64).round() as usize;
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Theme = Theme {
        colours: false,
        ascii: true,
    };
    const BLOCKS: Theme = Theme {
        colours: false,
        ascii: false,
    };

    #[test]
    fn bytes_have_the_unit_that_fits() {
        for (count, said) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (12 * 1024 + 512, "12.5K"),
            (1024 * 1024 - 1, "1.0M"),
            (5 << 30, "5.0G"),
            (u64::MAX, "16.0E"),
        ] {
            assert_eq!(bytes(count), said);
        }
        assert_eq!(change_of_bytes(-4096), "-4.0K");
        assert_eq!(change_of_bytes(i128::from(u64::MAX)), "+16.0E");
    }

    #[test]
    fn rates_have_a_sign_and_few_digits() {
        assert_eq!(signed_rate(0.0), "0");
        assert_eq!(signed_rate(-0.5), "-0.5");
        assert_eq!(signed_rate(9.97), "+10");
        assert_eq!(rate(12_345_678.0), "12.3M");
        assert_eq!(rate_of_bytes(-2048.4), "-2.0K");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(seconds(59), "59s");
        assert_eq!(seconds(61), "1m01s");
        assert_eq!(seconds(3 * 3600 + 120), "3h02m");
    }

    #[test]
    fn bars_fill_their_part() {
        assert_eq!(bar(0.5, 8, PLAIN), "####");
        assert_eq!(bar(1.0, 2, BLOCKS), "██");
        assert_eq!(bar(0.0, 2, BLOCKS), "");
        assert_eq!(bar(3.0 / 16.0, 2, BLOCKS), "▍");
    }

    #[test]
    fn curves_go_from_least_to_most() {
        assert_eq!(curve([1, 5, 3].into_iter(), 8, BLOCKS), "▁█▅");
        assert_eq!(curve([9, 9].into_iter(), 8, PLAIN), "__");
        assert_eq!(curve([0, 1, 2, 3].into_iter(), 2, BLOCKS), "▁█");
        assert_eq!(curve([].into_iter(), 2, BLOCKS), "");
    }

    #[test]
    fn long_paths_lose_their_beginning() {
        assert_eq!(end_of("/a/b/c", 6), "/a/b/c");
        assert_eq!(end_of("/a/é/c", 5), "~/é/c");
        assert_eq!(end_of("/a/b/c", 1), "~");
        assert_eq!(end_of("/a/b/c", 0), "");
        assert_eq!(end_of("/漢字/漢字", 6), "~/漢字");
        assert_eq!(end_of("/漢字/漢字", 5), "~漢字");
        assert_eq!(end_of("/漢字/漢字", 4), "~字");
    }

    #[test]
    fn long_names_lose_their_end() {
        assert_eq!(start_of("abc", 3), "abc");
        assert_eq!(start_of("abcd", 3), "ab~");
        assert_eq!(start_of("漢字", 4), "漢字");
        assert_eq!(start_of("漢字", 3), "漢~");
        assert_eq!(start_of("漢字", 2), "~");
        assert_eq!(start_of("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}~");
        assert_eq!(start_of("abc", 0), "");
    }

    #[test]
    fn padding_counts_columns() {
        for text in ["ab", "漢", "🐧", "e\u{301}x"] {
            assert_eq!(padded(text, 4, true), format!("{text}  "));
            assert_eq!(padded(text, 4, false), format!("  {text}"));
            assert_eq!(padded(text, 1, true), text);
        }
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        for plain in [
            "vec<\"é\">",
            "'\\\\n'",
            "e\u{301}\"",
            "漢字キャッシュ",
            "🐧",
            "a b",
        ] {
            assert_eq!(clean(plain), plain);
        }
        // A name that starts with a combining mark would change the character before it.
        assert_eq!(clean("\u{301}e"), "\\u{301}e");
        for c in (0..0x20)
            .chain(0x7f..0xa0)
            .chain([0x61c, 0xfeff, 0xffff])
            .chain(0x200b..0x2010)
            .chain(0x2028..0x202f)
            .chain(0x2060..0x2070)
        {
            let c = char::from_u32(c).unwrap();
            let shown = clean(&format!("a{c}b"));
            assert!(shown.starts_with("a\\") && !shown.contains(c), "{c:?}");
        }
    }
}
