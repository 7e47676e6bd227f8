# SPDX-License-Identifier: GPL-2.0
"""The KUnit cases as functions of a module that refuses them memory. Kbuild runs this.

KUnit ends a case that finds something wrong by ending its thread, and so nothing that the case had is dropped.
Here the cases are what their source says, functions that return: each suite is taken as it is, but for
the attributes that make KUnit's of it; and each example of the documentation is a function, as rustdoc has it.
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
    """A file as a module in another."""
    text = SUITE.sub("pub(crate) mod tests", text)
    # Some have what another scenario needs.
    yield f"#[allow(dead_code)] mod {path.stem} {{"
    yield CASE.sub(r"\1\2\1pub(crate) fn \3()", text)
    yield "}"


# An example. Its own sites are registered the first time; what it leaves there counts as anybody's.
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
# What these show is so once, of sites that are new: how often something has been allocated, or registered.
ONCE = {f"accounting_{name}" for name in ("registry_register", "site", "site_Site", "stats_Totals", "stats_Failures",
                                          "stats_sizes_Sizes", "stats_on_cpu_OnCpu")}
END = re.compile(r"Ok::<.*>\(\(\)\)$")


def example(name: str, found: doctests.Example) -> str:
    """An example as a function that fails with an error of the kernel's."""
    code = "\n".join(found.code)
    code = END.sub("Ok(())", code) if END.search(code) else f"{code}\nOk(())"
    return EXAMPLE.format(name=name, code=code, register="declared.register(SITES)?;" if found.declares else "")


def main() -> None:
    """Prints the suites and examples that the given files have, and lists of their cases and sites."""
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
    print("// SPDX-License-Identifier: GPL-2.0", *suites, "}",
    # REUSE-IgnoreEnd
          "#[allow(clippy::unit_arg)] // Some cases return nothing.", "const CASES: &[Case] = &[",
          *(f'Case {{ suite: "{suite}", name: "{name}", run: || {path}().end() }},' for suite, name, path in cases),
          "];", "const SITES: &[&[fn() -> &'static Site]] = &[", *sites, "];", sep="\n")


if __name__ == "__main__":
    main()
