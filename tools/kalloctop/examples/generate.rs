// SPDX-License-Identifier: GPL-2.0-only

//! A generator of the manual page and the shell completions of kalloctop.

use clap_complete::{
    generate,
    Shell, //
};
use clap_mangen::{
    roff::{
        roman,
        Roff, //
    },
    Man, //
};
use std::{
    env,
    fs::File,
    io,
    path::PathBuf, //
};

// Each shell finds its completion by this file name.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "kalloctop"),
    (Shell::Zsh, "_kalloctop"),
    (Shell::Fish, "kalloctop.fish"),
];
const FILES: [(&str, &str); 2] = [
    (
        "/proc/kallocinfo",
        "a row for each site, in the format of slabinfo",
    ),
    (
        "/sys/kernel/debug/kalloc/sites.json",
        "the types, source locations, failures and sizes of the sites",
    ),
];
const EXIT_STATUS: [(&str, &str); 3] = [
    ("0", "success"),
    ("1", "a file could not be read or written"),
    ("2", "a usage error"),
];
const SIGNALS: &str = "A signal restores the terminal and ends the program with that signal.";
const EXAMPLE: [&str; 4] = [
    "kalloctop --json -o before",
    "echo \"cache count=10000 keep=100\" > /sys/kernel/debug/kalloc/exercise",
    "kalloctop --json -o after",
    "kalloctop --diff before after",
];

fn main() -> io::Result<()> {
    let directory = PathBuf::from(
        env::args_os()
            .nth(1)
            .ok_or_else(|| io::Error::other("usage: generate DIRECTORY"))?,
    );
    let mut command = kalloctop::command();
    for (shell, name) in COMPLETIONS {
        generate(
            shell,
            &mut command,
            "kalloctop",
            &mut File::create(directory.join(name))?,
        );
    }
    manual(&mut File::create(directory.join("kalloctop.8"))?)
}

/// Writes the manual page.
fn manual(page: &mut File) -> io::Result<()> {
    let man = Man::new(kalloctop::command()).section("8").manual("kalloc");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    let mut rest = Roff::new();
    list(&mut rest, "COLUMNS", kalloctop::columns());
    list(&mut rest, "FILES", FILES);
    list(
        &mut rest,
        "ENVIRONMENT",
        [("NO_COLOR", "if set and not empty, disables colors")],
    );
    list(&mut rest, "EXIT STATUS", EXIT_STATUS);
    rest.control("PP", []).text([roman(SIGNALS)]);
    rest.control("SH", ["EXAMPLE"]).control("nf", []);
    for line in EXAMPLE {
        rest.text([roman(line)]);
    }
    rest.control("fi", []).control("SH", ["SEE ALSO"]);
    rest.text([roman("kallocinfo(5), slabtop(1), slabinfo(5)")]);
    rest.to_writer(page)
}

/// Appends a section with a list of terms.
fn list<'a>(page: &mut Roff, title: &str, terms: impl IntoIterator<Item = (&'a str, &'a str)>) {
    page.control("SH", [title]);
    for (term, text) in terms {
        page.control("TP", [])
            .text([roman(term)])
            .text([roman(text)]);
    }
}
