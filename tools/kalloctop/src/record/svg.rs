// SPDX-License-Identifier: GPL-2.0-only

//! The recording as an animated SVG file without a script.
//!
//! All pictures are side by side on a strip, and the view jumps from one to the next. Without
//! animation, the strip shows the last picture.

use super::{
    Film,
    Run, //
};
use ratatui::{
    style::{
        Color,
        Modifier, //
    },
    text::Span, //
};
use std::fmt::Write;

/// The width of a character's cell, in SVG units.
const WIDTH: usize = 8;
/// The height of a cell.
const HEIGHT: usize = 17;
/// The margin around the screen.
const MARGIN: usize = 10;
/// The distance from the top of a cell to the baseline of its character.
const BASE: usize = 13;

const FOREGROUND: &str = "#d0d4dc";
const BACKGROUND: &str = "#15181e";

/// Seconds that the last picture stays before the animation restarts.
const PAUSE: f64 = 2.0;

/// Returns the text of the file.
pub(super) fn text(film: &Film) -> String {
    let mut text = String::new();
    // A write to a `String` cannot fail.
    // REUSE-IgnoreStart
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n\
         <!-- SPDX-License-Identifier: GPL-2.0-only -->\n\
         <title>A session of kalloctop</title>\n\
         <style>{2}</style>",
        width(film),
        height(film),
        animation(film),
    );
    // REUSE-IgnoreEnd
    text + &screen(film) + "</svg>\n"
}

pub(super) fn width(film: &Film) -> usize {
    film.columns * WIDTH + 2 * MARGIN
}

pub(super) fn height(film: &Film) -> usize {
    film.rows * HEIGHT + 2 * MARGIN
}

/// Returns the distance by which the strip moves to the left for this picture.
pub(super) fn shift(film: &Film, picture: usize) -> usize {
    picture * film.columns * WIDTH
}

/// Returns the style sheet with the time of each picture, as a fraction of the whole duration.
fn animation(film: &Film) -> String {
    let whole = film.end.as_secs_f64() + PAUSE;
    let mut text = String::from("@keyframes play{");
    for (number, picture) in film.pictures.iter().enumerate() {
        let part = 100.0 * picture.at.as_secs_f64() / whole;
        let _ = write!(
            text,
            "{part:.3}%{{transform:translateX(-{}px)}}",
            shift(film, number)
        );
    }
    let last = shift(film, film.pictures.len().saturating_sub(1));
    let _ = write!(
        text,
        "100%{{transform:translateX(-{last}px)}}}}\
         #strip{{transform:translateX(-{last}px)}}\
         @media(prefers-reduced-motion:no-preference){{\
         #strip{{animation:play {whole:.3}s steps(1,end) infinite}}}}"
    );
    text
}

/// Returns the frame of the screen, and the strip of all pictures.
pub(super) fn screen(film: &Film) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n\
         <svg x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{}\" height=\"{}\" overflow=\"hidden\">\n\
         <defs>",
        film.columns * WIDTH,
        film.rows * HEIGHT,
    );
    for (number, line) in film.lines.iter().enumerate() {
        let _ = write!(text, "<g id=\"l{number}\">");
        line.iter().for_each(|run| write_run(run, &mut text));
        text.push_str("</g>\n");
    }
    let last = shift(film, film.pictures.len().saturating_sub(1));
    let _ = writeln!(
        text,
        "</defs>\n<g id=\"strip\" transform=\"translate(-{last} 0)\" fill=\"{FOREGROUND}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"13\">"
    );
    for (number, picture) in film.pictures.iter().enumerate() {
        let _ = write!(
            text,
            "<g transform=\"translate({} 0)\">",
            shift(film, number)
        );
        for (row, line) in picture.rows.iter().enumerate() {
            if !film.lines[*line].is_empty() {
                let _ = write!(text, "<use href=\"#l{line}\" y=\"{}\"/>", row * HEIGHT);
            }
        }
        text.push_str("</g>\n");
    }
    text + "</g>\n</svg>\n"
}

fn write_run(run: &Run, text: &mut String) {
    let style = run.style;
    let has = |modifier| style.add_modifier.contains(modifier);
    let mut colour = hex(style.fg.unwrap_or(Color::Reset), FOREGROUND);
    let mut ground = hex(style.bg.unwrap_or(Color::Reset), BACKGROUND);
    if has(Modifier::REVERSED) {
        (colour, ground) = (ground, colour);
    }
    let (x, width) = (run.column * WIDTH, run.width * WIDTH);
    if ground != BACKGROUND {
        let _ = write!(
            text,
            "<rect x=\"{x}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{ground}\"/>"
        );
    }
    let mut attributes = String::new();
    if colour != FOREGROUND {
        let _ = write!(attributes, " fill=\"{colour}\"");
    }
    if has(Modifier::BOLD) {
        attributes.push_str(" font-weight=\"bold\"");
    }
    if has(Modifier::UNDERLINED) {
        attributes.push_str(" text-decoration=\"underline\"");
    }
    let mut column = run.column;
    for words in run.text.split_inclusive("  ") {
        write_words(words, column, &attributes, text);
        column += Span::raw(words).width();
    }
}

/// Writes words with at most one blank in between, because renderers differ in the treatment of
/// several blanks. The element has an explicit position and length, so that columns are aligned in
/// every font.
fn write_words(words: &str, column: usize, attributes: &str, text: &mut String) {
    let start = words.len() - words.trim_start().len();
    let words = words.trim();
    if !words.is_empty() {
        let (x, width) = ((column + start) * WIDTH, Span::raw(words).width() * WIDTH);
        let _ = write!(
            text,
            "<text x=\"{x}\" y=\"{BASE}\" textLength=\"{width}\"{attributes}>{}</text>",
            escaped(words)
        );
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Returns the color code of a color of the theme.
fn hex(colour: Color, reset: &'static str) -> &'static str {
    match colour {
        Color::Cyan => "#56b6c2",
        Color::Green => "#7fb069",
        Color::Blue => "#61a0e0",
        Color::DarkGray => "#343b48",
        Color::LightRed => "#e8716d",
        Color::LightGreen => "#98d379",
        _ => reset,
    }
}
