// SPDX-License-Identifier: GPL-2.0-only

//! The entry point of the program, which is in the crate's library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kalloctop::run_program()
}
