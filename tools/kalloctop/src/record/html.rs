// SPDX-License-Identifier: GPL-2.0-only

//! The recording as a page with a slider, which needs only a browser.

use super::{
    svg,
    Film, //
};

const PLAYER: &str = include_str!("player.js");
const STYLE: &str = "body{background:#0c0e12;color:#d0d4dc;font:14px sans-serif;margin:2em}\
    svg{max-width:100%;height:auto}#controls{display:flex;gap:1em;align-items:center;max-width:60em}\
    #at{flex:1}";

/// Returns the text of the file.
pub(super) fn text(film: &Film) -> String {
    let times: Vec<String> = film
        .pictures
        .iter()
        .map(|picture| format!("{:.3}", picture.at.as_secs_f64()))
        .collect();
    // REUSE-IgnoreStart
    format!(
        "<!DOCTYPE html>\n\
         <!-- SPDX-License-Identifier: GPL-2.0-only -->\n\
         <html lang=\"en\"><meta charset=\"utf-8\"><title>A session of kalloctop</title>\n\
         <style>{STYLE}</style>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\">\n{screen}</svg>\n\
         <div id=\"controls\"><button id=\"play\">Pause</button>\
         <input id=\"at\" type=\"range\" min=\"0\" max=\"{end:.3}\" step=\"0.01\" value=\"0\">\
         <output id=\"time\"></output></div>\n\
         <script>\nconst times = [{times}], end = {end:.3}, shift = {shift};\n{PLAYER}</script>\n</html>\n",
        width = svg::width(film),
        height = svg::height(film),
        screen = svg::screen(film),
        end = film.end.as_secs_f64(),
        times = times.join(","),
        shift = svg::shift(film, 1),
    )
    // REUSE-IgnoreEnd
}
