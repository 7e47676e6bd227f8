# SPDX-License-Identifier: GPL-2.0-only
"""The generator of a KUnit suite from the examples in the crate's documentation; Kbuild runs it.

An example is code that rustdoc would compile: fenced code in doc comments without another mark,
with the hidden lines. `ignore` and `compile_fail` exclude an example.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOC = re.compile(r"\s*//([/!])(?!/) ?(.*)")
ITEM = re.compile(r"\s*(?:pub(?:\([^)]*\))? )?(?:(?:const|unsafe|async) )*"
                  r"(?:fn|struct|enum|union|trait|type|const|static|mod|macro_rules!) (\w+)")
OWNER = re.compile(r"\s*(?:pub(?:\([^)]*\))? )?(?:unsafe )?(?:impl|trait)\b")
HIDDEN = re.compile(r"\s*#(\s|$)")
# The words after the fence of an example. Blocks with other words are text, or are not compiled.
WORDS = {"", "rust", "no_run"}


@dataclass(frozen=True)
class Example:
    """An example: the place of its code, its item, and whether it runs."""

    file: str
    line: int
    item: str
    text: list[str]
    runs: bool

    @property
    def code(self) -> list[str]:
        """Returns the code for the compiler, with the hidden lines."""
        return [without_mark(line) for line in self.text]

    @property
    def declares(self) -> bool:
        """Returns whether the example declares sites and does not register them itself."""
        code = "\n".join(self.code)
        return "sites!" in code and "register(" not in code

    @property
    def shown(self) -> list[str]:
        """Returns the code for readers, without the hidden lines."""
        return [line for line in self.text if not HIDDEN.match(line)]

    @property
    def name(self) -> str:
        """Returns the name of the case: the file and the item."""
        words = [*Path(self.file).with_suffix("").parts[1:], *self.item.split("::")]
        return "_".join(word for word in words if word)


def examples(root: Path, path: Path) -> Iterator[Example]:
    """Returns the examples of a file under `root`."""
    file, lines = str(path.relative_to(root)), path.read_text().splitlines()
    fence: tuple[int, set[str]] | None = None
    text: list[str] = []
    for number, line in enumerate(lines, 1):
        doc = DOC.fullmatch(line)
        if not doc:
            if fence:
                raise ValueError(f"{file}:{fence[0]}: the fence has no end")
            continue
        if not doc[2].lstrip().startswith("```"):
            text += [doc[2]] if fence else []
        elif not fence:
            fence, text = (number, set(re.split(r"[,\s]", doc[2].strip("` ")))), []
        else:
            start, words = fence
            if words <= WORDS:
                item = "" if doc[1] == "!" else item_after(lines, number)
                yield Example(file, start + 1, item, text, "no_run" not in words)
            fence = None


def without_mark(line: str) -> str:
    """Returns a line without the mark that hides it. A doubled mark stands for a visible one."""
    return line.replace("#", "", 1) if HIDDEN.match(line) or line.lstrip().startswith("##") else line


def item_after(lines: list[str], number: int) -> str:
    """Returns the item after a line, with its type or trait."""
    for at in range(number, len(lines)):
        if item := ITEM.match(lines[at]):
            return f"{owner(lines, at)}::{item[1]}".removeprefix("::")
    return ""


def owner(lines: list[str], at: int) -> str:
    """Returns the type or trait of the item on a line."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    for start in range(at, -1, -1):
        line = lines[start]
        if len(line) - len(line.lstrip()) < indent and OWNER.match(line):
            header = " ".join(lines[start:at]).partition("{")[0].replace("->", "")
            while header != (header := re.sub(r"<[^<>]*>", "", header)):
                pass
            found = re.search(r"\b(?:impl|trait)\s+(?:[\w:]+\s+for\s+)?&?(?:\w+::)*(\w+)", header)
            return found[1] if found else ""
    return ""


# The code before an example. It defines assertions with the example's name and place. The example's
# sites are registered before it runs, and must be empty afterwards.
HEAD = """
// {file}:{first}
{test}#[allow(non_snake_case, unreachable_pub, unused, clippy::disallowed_names)]
fn {name}() {{
    macro_rules! assert {{
        ($condition:expr $(,)?) => {{{{ ::kernel::kunit_assert!({place}, $condition); }}}};
    }}
    macro_rules! assert_eq {{
        ($left:expr, $right:expr $(,)?) => {{{{ assert!($left == $right); }}}};
    }}
    macro_rules! assert_ne {{
        ($left:expr, $right:expr $(,)?) => {{{{ assert!($left != $right); }}}};
    }}

    // Names the first line of the example.
    macro_rules! check {{
        ($condition:expr) => {{{{
            ::kernel::kunit_assert!("{name}", c"{file}", ::core::line!() as i32 - {first}, $condition);
        }}}};
    }}

    let mut sites = crate::Sites::new();
    let result = example(&mut sites);
    check!(crate::succeeded("{file}:{first}", &result));
    check!(sites.are_empty());

    fn example(declared: &mut crate::Sites) -> ::core::result::Result<(), impl ::core::fmt::Debug> {{
        check!({register});
"""
# The result of an example without such a line.
END = "Ok::<(), ::core::convert::Infallible>(())"


def case(example: Example, name: str, line: int) -> list[str]:
    """Returns the case of an example that begins at a line of the suite."""
    offset = line + HEAD.count("\n") - example.line
    code = "\n".join(example.code)
    head = HEAD.format(name=name, file=example.file, first=example.line, test="#[test] " if example.runs else "",
                       place=f'"{name}", c"{example.file}", {offset}',
                       register="declared.register(SITES).is_ok()" if example.declares else "true")
    end = [] if code.endswith("(())") else [END]
    return [*head.splitlines(), *example.code, *end, "}}"]


def suite(found: list[Example]) -> str:
    """Returns the suite of these examples."""
    lines = ["// SPDX-License-Identifier: GPL-2.0-only", "#[kunit_tests(kalloc_doctests)]", "mod doctests {",
             "use kernel::prelude::*;"]
    for name, example in named(found):
        lines += case(example, name, len(lines) + 1)
    return "".join(line + "\n" for line in [*lines, "}"])


def named(found: list[Example]) -> Iterator[tuple[str, Example]]:
    """Returns the examples with the unique names of their cases."""
    names: dict[str, int] = {}
    for example in found:
        count = names[example.name] = names.get(example.name, 0) + 1
        yield example.name + (f"_{count}" if count > 1 else ""), example


def main() -> None:
    """Prints the suite of the files that follow the root of their tree on the command line."""
    root, *files = map(Path, sys.argv[1:])
    print(suite([example for file in files for example in examples(root, file)]), end="")


if __name__ == "__main__":
    main()
