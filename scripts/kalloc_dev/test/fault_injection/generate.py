# SPDX-License-Identifier: GPL-2.0-only
"""The generator of a module that runs the KUnit cases under fault injection; Kbuild runs it.

A failed assertion of KUnit ends the thread of its case, so the values of the case are never
dropped. Here the cases are plain functions that return: each suite is copied without the attributes
that make a KUnit suite of it. Each example of the documentation is a function, as in rustdoc.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.doc import doctests

SUITE = re.compile(r"^#\[kunit_tests\((\w+)\)\]\nmod tests", re.M)
CASE = re.compile(r"^( *)#\[test\]\n((?: *#\[.*\n)*) *fn (\w+)\(\)", re.M)
SITES = re.compile(r"^kalloc::sites! ", re.M)


def module(path: Path, text: str) -> Iterator[str]:
    """Returns a file as a module in another file."""
    text = SUITE.sub("pub(crate) mod tests", text)
    # Some files have code that only another scenario uses.
    yield f"#[allow(dead_code)] mod {path.stem} {{"
    yield CASE.sub(r"\1\2\1pub(crate) fn \3()", text)
    yield "}"


# An example. Its own sites are registered at the first run. Objects that it leaves there count as
# leaks.
EXAMPLE = """
pub(crate) fn {name}() -> Result {{
    let mut sites = crate::sites::Sites::new();
    let result = example(&mut sites);
    return if sites.are_empty() {{ result }} else {{ Err(EBUSY) }};

    fn example(declared: &mut crate::sites::Sites) -> Result {{
        {register}
        {code}
    }}
}}
"""
# The examples that hold only once, of new sites: numbers of allocations or registrations.
ONCE = {f"accounting_{name}" for name in ("registry_register", "site", "site_Site", "stats_Totals", "stats_Failures",
                                          "stats_sizes_Sizes", "stats_on_cpu_OnCpu")}
END = re.compile(r"Ok::<.*>\(\(\)\)$")


def example(name: str, found: doctests.Example) -> str:
    """Returns an example as a function that fails with an error of the kernel."""
    code = "\n".join(found.code)
    code = END.sub("Ok(())", code) if END.search(code) else f"{code}\nOk(())"
    return EXAMPLE.format(name=name, code=code, register="declared.register(SITES)?;" if found.declares else "")


def main() -> None:
    """Prints the suites and examples of the given files, and lists of their cases and sites."""
    root, *files = map(Path, sys.argv[1:])
    suites: list[str] = []
    cases: list[tuple[str, str, str]] = []
    sites: list[str] = []
    for path in files:
        text = path.read_text()
        if not (suite := SUITE.search(text)):
            continue
        suites += module(path, text)
        cases += [(suite[1], name, f"{path.stem}::tests::{name}") for _, _, name in CASE.findall(text)]
        sites += [f"{path.stem}::SITES,"] if SITES.search(text) else []
    examples = dict(doctests.named([found for path in files for found in doctests.examples(root, path) if found.runs]))
    if gone := ONCE - set(examples):
        raise ValueError(f"no examples any more: {', '.join(sorted(gone))}")
    suites += ["#[allow(non_snake_case, unreachable_pub, unused)] mod examples {", "use kernel::prelude::*;"]
    for name, found in examples.items():
        if name in ONCE:
            continue
        suites.append(example(name, found))
        cases.append(("kalloc_doctests", name, f"examples::{name}"))
    # REUSE-IgnoreStart
    print("// SPDX-License-Identifier: GPL-2.0-only", *suites, "}",
    # REUSE-IgnoreEnd
          "#[allow(clippy::unit_arg)] // Some cases return nothing.", "const CASES: &[Case] = &[",
          *(f'Case {{ suite: "{suite}", name: "{name}", run: || {path}().end() }},' for suite, name, path in cases),
          "];", "const SITES: &[&[fn() -> &'static Site]] = &[", *sites, "];", sep="\n")


if __name__ == "__main__":
    main()
