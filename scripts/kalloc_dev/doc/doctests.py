# SPDX-License-Identifier: GPL-2.0
"""The examples in the crate's documentation, made a KUnit suite. Kbuild runs this.

What rustdoc would compile is taken: fenced code in doc comments that is not marked as something
else, with the lines that readers do not see. `ignore` and `compile_fail` are left out.
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
# What may follow the fence of an example; the rest is text, or not to be compiled.
WORDS = {"", "rust", "no_run"}


@dataclass(frozen=True)
class Example:
    """An example: where its code begins, what it is an example of, and whether it is to be run."""

    file: str
    line: int
    item: str
    text: list[str]
    runs: bool

    @property
    def code(self) -> list[str]:
        """What the compiler sees of it."""
        return [without_mark(line) for line in self.text]

    @property
    def declares(self) -> bool:
        """Whether it has sites, and leaves it to us to register them."""
        code = "\n".join(self.code)
        return "sites!" in code and "register(" not in code

    @property
    def shown(self) -> list[str]:
        """What readers see of it."""
        return [line for line in self.text if not HIDDEN.match(line)]

    @property
    def name(self) -> str:
        """The case's name: the file, and the item in it."""
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
    """A line without the mark that hides it; two of them are one that is shown."""
    return line.replace("#", "", 1) if HIDDEN.match(line) or line.lstrip().startswith("##") else line


def item_after(lines: list[str], number: int) -> str:
    """The item that comes after a line, with the type or trait that it is part of."""
    for at in range(number, len(lines)):
        if item := ITEM.match(lines[at]):
            return f"{owner(lines, at)}::{item[1]}".removeprefix("::")
    return ""


def owner(lines: list[str], at: int) -> str:
    """The type or trait that the item on a line is part of."""
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


# What comes before an example's code: its name and place in what is asserted, and its sites, which are
# registered before and empty afterwards.
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

    // Of the whole example, the first line is named.
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
# What makes it a function that may fail, if it has no such line itself.
END = "Ok::<(), ::core::convert::Infallible>(())"


def case(example: Example, name: str, line: int) -> list[str]:
    """The case of an example, to be put at a line."""
    offset = line + HEAD.count("\n") - example.line
    code = "\n".join(example.code)
    head = HEAD.format(name=name, file=example.file, first=example.line, test="#[test] " if example.runs else "",
                       place=f'"{name}", c"{example.file}", {offset}',
                       register="declared.register(SITES).is_ok()" if example.declares else "true")
    end = [] if code.endswith("(())") else [END]
    return [*head.splitlines(), *example.code, *end, "}}"]


def suite(found: list[Example]) -> str:
    """The suite of these examples."""
    lines = ["// SPDX-License-Identifier: GPL-2.0", "#[kunit_tests(kalloc_doctests)]", "mod doctests {",
             "use kernel::prelude::*;"]
    for name, example in named(found):
        lines += case(example, name, len(lines) + 1)
    return "".join(line + "\n" for line in [*lines, "}"])


def named(found: list[Example]) -> Iterator[tuple[str, Example]]:
    """The examples with the names of their cases, of which no two are alike."""
    names: dict[str, int] = {}
    for example in found:
        count = names[example.name] = names.get(example.name, 0) + 1
        yield example.name + (f"_{count}" if count > 1 else ""), example


def main() -> None:
    """Prints the suite of the files that are given after the root of their tree."""
    root, *files = map(Path, sys.argv[1:])
    print(suite([example for file in files for example in examples(root, file)]), end="")


if __name__ == "__main__":
    main()
