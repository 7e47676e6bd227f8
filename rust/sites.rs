// SPDX-License-Identifier: GPL-2.0

//! The text of `/sys/kernel/debug/kalloc/sites`: all that is counted, a line for each site.

use crate::{
    registry,
    site::Site, //
};
use kernel::fmt;

/// Writes a header line, then a line of columns for each site.
pub(crate) fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(
        "# name family unit live allocs frees failures live_bytes live_slack type location\n",
    )?;
    let mut next = 0;
    while let Some(id) = registry::seek(next) {
        registry::with(id, |site| line(site, f)).unwrap_or(Ok(()))?;
        next = id + 1;
    }
    Ok(())
}

fn line(site: &Site, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let totals = site.totals();
    let (file, line) = site.location();
    write!(
        f,
        "{} {} {} {} {} {} {} {} {} ",
        site.name(),
        site.family(),
        site.unit(),
        totals.live(),
        totals.allocs,
        totals.frees,
        totals.failures,
        totals.live_bytes,
        totals.live_slack,
    )?;
    // One word a column: types such as `[u8; 4]` have spaces.
    for word in site.type_name().split_ascii_whitespace() {
        f.write_str(word)?;
    }
    writeln!(f, " {file}:{line}")
}
