// SPDX-License-Identifier: GPL-2.0-only

//! A generator of the manual page and the shell completions of kalloctop.

use clap::Arg;
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
const FILES: [(&str, &str); 5] = [
    (
        "/proc/kallocinfo",
        "a row for each site, in the format of slabinfo",
    ),
    (
        "/sys/kernel/debug/kalloc/sites.json",
        "the types, source locations, failures and sizes of the sites",
    ),
    (
        "/proc/kallocwatch",
        "a row for each watched call, in the format of slabinfo",
    ),
    (
        "/sys/kernel/debug/kalloc/watch.json",
        "the functions, allocations, frees and sizes of the watched calls",
    ),
    (
        "/sys/kernel/debug/kalloc/watch",
        "the watch list, which the command watch changes",
    ),
];
const EXIT_STATUS: [(&str, &str); 3] = [
    ("0", "success"),
    (
        "1",
        "a file could not be read or written, or a module not be watched",
    ),
    ("2", "a usage error"),
];
const SIGNALS: &str = "A signal restores the terminal and ends the program with that signal.";
const EXAMPLE: [&str; 6] = [
    "kalloctop --json -o before",
    "echo \"cache count=10000 keep=100\" > /sys/kernel/debug/kalloc/exercise",
    "kalloctop --json -o after",
    "kalloctop --diff before after",
    "kalloctop watch all --by module",
    "kalloctop watch xfs",
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
    commands(&mut rest);
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
    rest.text([roman(
        "kallocinfo(5), kallocwatch(5), slabtop(1), slabinfo(5)",
    )]);
    rest.to_writer(page)
}

/// Appends a section with the commands, and those of their options that the program itself lacks.
fn commands(page: &mut Roff) {
    let main = kalloctop::command();
    page.control("SH", ["COMMANDS"]);
    for command in main.get_subcommands() {
        let about = command.get_long_about().or(command.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        let own = |arg: &&Arg| main.get_arguments().all(|it| it.get_id() != arg.get_id());
        let (options, operands): (Vec<&Arg>, Vec<&Arg>) = command
            .get_arguments()
            .filter(own)
            .partition(|arg| arg.get_long().is_some());
        let names = |arg: &Arg| arg.get_value_names().unwrap_or_default().join(" ");
        let operands: Vec<String> = operands.into_iter().map(names).collect();
        page.control("TP", [])
            .text([roman(format!(
                "{} {}...",
                command.get_name(),
                operands.join(" ")
            ))])
            .text([roman(about)]);
        page.control("RS", []);
        for arg in options {
            let short = arg.get_short().map(|it| format!("-{it}, "));
            let long = arg.get_long().unwrap_or_default();
            let term = format!("{}--{long} {}", short.unwrap_or_default(), names(arg));
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            page.control("TP", [])
                .text([roman(term)])
                .text([roman(help)]);
        }
        page.control("RE", []);
    }
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
