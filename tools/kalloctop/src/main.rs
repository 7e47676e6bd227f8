// SPDX-License-Identifier: GPL-2.0

//! The program; the crate's library has everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    kalloctop::run_program()
}
