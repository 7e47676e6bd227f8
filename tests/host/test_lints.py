# SPDX-License-Identifier: GPL-2.0-only
"""Checks reject exactly their defects: lost flags, large frames, imports that go up, wrapped
tables, hazards, dead links.
"""

from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.doc import sphinx
from kalloc_dev.lint import frames, gfp_flags, hazards, layers, tables

RUST = """
// SPDX-License-Identifier: GPL-2.0-only
/// Allocates with GFP_KERNEL.
pub fn given(len: usize, gfp: impl Into<Gfp>) -> Result<[u8; 4]> {{
    // Not GFP_KERNEL, nor "{{" either.
    let list = List::new(len, {given})?;
    Ok(list)
}}

fn chosen() -> Result {{
    {reason}
    let list = List::new(1, {chosen})?;
}}
"""
C = """
void *helper(size_t size, gfp_t gfp);
void *helper(size_t size, gfp_t gfp)
{{
	/* Not GFP_KERNEL. */
	return kmalloc(size, {given});
}}

void *other(size_t size)
{{
	return helper(size, GFP_KERNEL);
}}
"""
WHY = "// GFP: There is no caller's choice."
LISTING = """
0000000000000000 <small>:
   0:\tpush   %rbp
   1:\tsub    $0x3f8,%rsp
  10:\tcall   0 <small>
  14:\tadd    $0x3f8,%rsp
  18:\tjmp    0 <__x86_return_thunk>

0000000000000020 <of two pushes>:
  20:\tpush   %rbp
  21:\tpush   %rbx
  22:\tsub    $0x3f8,%rsp

0000000000000040 <of gcc>:
  40:\tadd    $0xffffffffffffff80,%rsp
  44:\tlea    -0x80(%rsp),%rsp

0000000000000060 <of an array>:
  60:\tsub    %rax,%rsp

0000000000000080 <none>:
  80:\tmov    %rsp,%rax
"""


# A simple table; docutils reads each line between the rules as a row.
TABLE = """
Text

=====  ======
You    Use
=====  ======
one    ``A``
\\      ``B``
{row}
=====  ======
"""
HAZARD = {"id": "H01", "group": "Slab caches", "hazard": "A hazard", "how": "type", "mechanism": "A mechanism",
          "tests": ["compile_fail/wrong_family"]}


def flags(name: str, text: str) -> list[str]:
    """Returns the complaints about a file, without the location."""
    return [complaint.split(": ", 1)[1] for complaint in gfp_flags.lost(Path(name), text, name)]


def rust(given: str = "gfp.into()", chosen: str = "gfp", reason: str = "", name: str = "rust/a.rs") -> list[str]:
    """Returns the complaints about a Rust file."""
    return flags(name, RUST.format(given=given, chosen=chosen, reason=reason))


def wrong(**changed: object) -> list[str]:
    """Returns the complaints about a hazard, without the file and the number."""
    return [complaint.split(": ", 2)[-1] for complaint in hazards.wrong(TREE, [HAZARD | changed])]


def test_no_flags() -> None:
    """A file without flags of its own is clean."""
    assert rust() == []


@pytest.mark.parametrize("choice", ["GFP_KERNEL", "GFP_KERNEL_ACCOUNT | __GFP_ZERO", "Gfp::NOIO", "Nonblocking::ATOMIC",
                                    "bindings::GFP_ATOMIC"])
def test_own_flags(choice: str) -> None:
    """A function with a flags parameter must use those flags; another function must give a reason
    for its choice.
    """
    word = choice.split()[0]
    assert rust(given=choice) == [f"{word} in a function that is given flags"], choice
    # A reason does not help where the caller passes flags.
    assert rust(given=choice, reason=WHY) == rust(given=choice), choice
    assert rust(chosen=choice)[0].startswith(f"{word} without a comment"), choice
    assert rust(chosen=choice, reason=WHY) == [], choice
    # A sample is a caller.
    assert rust(chosen=choice, name="samples/a.rs") == [], choice
    assert rust(given=choice, name="samples/a.rs") == rust(given=choice), choice


def test_modifiers() -> None:
    """Adding to the caller's flags is accepted."""
    for modifier in ("gfp | Gfp::ZERO", "gfp | __GFP_NOWARN", "gfp.nested()"):
        assert rust(given=modifier) == [], modifier


def test_c_files() -> None:
    """The same holds for C."""
    assert flags("rust/a.c", C.format(given="gfp"))[0].startswith("GFP_KERNEL without a comment")
    assert "GFP_KERNEL in a function that is given flags" in flags("rust/a.c", C.format(given="GFP_KERNEL"))


def test_stack_frames() -> None:
    """Finds the stack frames in a disassembly."""
    assert dict(frames.frames(LISTING)) == {
        "": 0, "small": 0x400, "of two pushes": 0x408, "of gcc": 0x80, "of an array": float("inf"), "none": 0}


@pytest.mark.parametrize(("file", "source", "complaint"), [
    ("sys/a.rs", "use crate::{\n    accounting::{\n        site::Site, //\n    },\n    sys::gfp, //\n};",
     "sys imports accounting"),
    ("accounting/a.rs", "macro_rules! m { () => { $crate::slab::KmemCache::new() } }", "accounting imports slab"),
    ("fs/a.rs", "use crate::page::Pages;", "fs imports page"),
    ("mm/a.rs", "fn f() { crate::module::start() }", "mm imports module"),
    ("slab.rs", "use crate::Array;", "crate::Array is a re-export"),
    ("cache.rs", "", "cache is not a layer"),
])
def test_layers(tmp_path: Path, file: str, source: str, complaint: str) -> None:
    """An import that goes up, or leaves the layers, is rejected."""
    path = tmp_path / "rust" / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    found = list(layers.wrong(tmp_path / "rust"))
    assert len(found) == 1 and complaint in found[0], found


def test_layers_below(tmp_path: Path) -> None:
    """An import that goes down is clean, and so is a mention in a comment."""
    path = tmp_path / "rust" / "mm" / "vmap.rs"
    path.parent.mkdir(parents=True)
    path.write_text("//! See crate::fs::procfs.\nuse crate::{\n    page::PageArray,\n    sys::bindings, //\n};\n")
    assert not list(layers.wrong(tmp_path / "rust"))


@pytest.mark.parametrize("row", ["two    ``C``", "two,", "two"])
def test_continued_row(row: str) -> None:
    """A line of a simple table without its second cell continues the row above."""
    refused = [] if "``" in row else [row]
    assert [line for _, line in tables.wrapped(TABLE.format(row=row))] == refused


def test_wrapped_cells() -> None:
    """A cell may not continue in the next line of a simple table."""
    assert list(tables.wrapped(TABLE.format(row="       ``C``"))) == [(9, "``C``")]
    assert list(tables.wrapped(TABLE.format(row="one,   ``C``\nor two ``D``"))) == [(10, "or two ``D``")]


@pytest.mark.parametrize("test", ["kmalloc.kbox_drop_once", "guest.leak_reported", "test/module_lifecycle",
                                  "model/shared-owner-gone", "fault/page.page_array_list_gfp_flags"])
def test_evidence(test: str) -> None:
    """A hazard names tests that exist."""
    assert wrong(tests=[test]) == []
    assert wrong(tests=[f"{test}_not"]) == [f"no test {test}_not"]


def test_hazards() -> None:
    """A hazard has a test or an argument, and the keys that it needs."""
    assert wrong() == []
    assert wrong(tests=[], argument="A reason") == []
    assert wrong(tests=[]) == ["neither a test nor an argument"]
    assert wrong(how="doc") == ["how is none of type, error"]
    assert wrong(mechanism="") == ["no mechanism"]
    assert wrong(test="kmalloc.box") == ["unknown key test"]
    assert [*hazards.wrong(TREE, [HAZARD, HAZARD])][0].endswith("H01 occurs 2 times")


def test_evidence_of_pages() -> None:
    """The tables of the pages name tests that exist."""
    assert list(hazards.unknown(TREE, "``kmalloc.no_such_case``")) == ["no test kmalloc no_such_case"]
    assert list(hazards.unknown(TREE, "test ``module_lifecycle``, ``no_such_module``")) == ["no test test no_such_module"]


@pytest.mark.parametrize(("page", "crate", "complaints"), [
    ('<a href="../index.html#place">', '<a href="../../howto/a.html"><a href="../index.html">', []),
    ('<a href="../b.html">', "", ["howto/a.html: ../b.html: no such file"]),
    ('<a href="../index.html#nowhere">', "", ["howto/a.html: ../index.html#nowhere: no such place"]),
    ("", '<a href="../../a.html">', ["kalloc/b/index.html: ../../a.html: no such file"])])
def test_links(page: str, crate: str, complaints: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links of the pages, and those of the crate that lead to pages, lead to places that exist."""
    monkeypatch.setattr(sphinx, "OUT", tmp_path)
    for name, text in (("howto/a.html", page), ("kalloc/b/index.html", crate), ("index.html", '<p id="place">')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(sphinx.broken_links()) == complaints
