# SPDX-License-Identifier: GPL-2.0
"""Checks of sources and of objects refuse exactly their faults: lost flags, large stack frames, imports of upper layers."""

from pathlib import Path

import pytest

from kalloc_dev.lint import frames, gfp_flags, layers

RUST = """
// SPDX-License-Identifier: GPL-2.0
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


def flags(name: str, text: str) -> list[str]:
    """What is said of a file, without where."""
    return [complaint.split(": ", 1)[1] for complaint in gfp_flags.lost(Path(name), text, name)]


def rust(given: str = "gfp.into()", chosen: str = "gfp", reason: str = "", name: str = "rust/a.rs") -> list[str]:
    """What is said of a Rust file."""
    return flags(name, RUST.format(given=given, chosen=chosen, reason=reason))


def test_no_flags() -> None:
    """A file without flags of its own is clean."""
    assert rust() == []


@pytest.mark.parametrize("choice", ["GFP_KERNEL", "GFP_KERNEL_ACCOUNT | __GFP_ZERO", "Gfp::NOIO", "Nonblocking::ATOMIC",
                                    "bindings::GFP_ATOMIC"])
def test_own_flags(choice: str) -> None:
    """A function that is given flags uses those; another one states why it chooses."""
    word = choice.split()[0]
    assert rust(given=choice) == [f"{word} in a function that is given flags"], choice
    # A reason is none where there are the caller's.
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
    """The stack frames of a disassembly."""
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
    """An import that goes up, or leaves the layers, is refused."""
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
