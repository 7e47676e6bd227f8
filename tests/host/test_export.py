# SPDX-License-Identifier: GPL-2.0-only
"""The states of the tree between the patches of the series."""

import re
from functools import cache
from pathlib import Path

from kalloc_dev.export import rust_names, series, states
from kalloc_dev.kernel import overlay

TREE = overlay.tree()
RUST = overlay.PLACE / "rust"


def state(*absent: str) -> dict[Path, str]:
    """Returns the tree without the files that match these patterns."""
    gone = {path for path in TREE if any(path.match(pattern) for pattern in absent)}
    assert gone
    return {path: content.decode() for path, content in states.reduced(TREE, TREE.keys() - gone).items()}


@cache
def growing() -> list[tuple[str, dict[Path, bytes]]]:
    """Returns the subject of each patch and the tree after it."""
    present: set[Path] = set()
    made = []
    for patch in series.read().patches:
        present |= {path for path in TREE if patch.has(path)}
        made.append((patch.subject, states.reduced(TREE, present)))
        assert made[-1][1].keys() == present
    return made


def test_complete_state_is_the_tree() -> None:
    """Nothing is omitted if nothing is missing."""
    assert states.reduced(TREE, TREE.keys()) == TREE


def test_states_grow_to_the_tree() -> None:
    """No state names a file of a later patch, and the last one is the tree."""
    for subject, made in growing():
        for path, content in made.items():
            if path.suffix != ".rs":
                continue
            for attributes, name in rust_names.MOD.findall(content.decode()):
                child = rust_names.child(path, attributes, name, TREE)
                assert child not in TREE or child in made, f"{subject}: {path} has {name}"
    assert growing()[-1][1] == TREE


def test_states_have_their_functions() -> None:
    """A state defines each function that its C files take from Rust files, or its Rust files from C files."""
    def defined(files: dict[Path, bytes]) -> dict[str, set[str]]:
        text = {suffix: "\n".join(content.decode() for path, content in files.items() if path.suffix == suffix)
                for suffix in (".rs", ".c")}
        return {".rs": set(re.findall(r'extern "C" fn (kalloc_\w+)', text[".rs"])),
                ".c": set(re.findall(r"^\w[^;{}#]*?\b(kalloc_\w+)\([^;{}]*\)\n\{", text[".c"], re.M))}

    everything = defined(TREE)
    assert all(len(names) > 5 for names in everything.values())
    for subject, made in growing():
        here = defined(made)
        for path, content in made.items():
            if path.suffix in everything:
                other = ".c" if path.suffix == ".rs" else ".rs"
                named = set(re.findall(r"\bkalloc_\w+", content.decode()))
                assert not named & (everything[other] - here[other]), f"{subject}: {path}"


def test_files_are_in_one_patch() -> None:
    """A file in no patch, a file in two, and a pattern without a file are named."""
    whole = series.read()
    paths = [*TREE, *overlay.HOOKS]
    assert list(series.misplaced(whole, paths)) == []
    first = whole.patches[0]
    twice = series.Patch("again", "", ("rust/kalloc.rs", "rust/nothing.rs"))
    wrong = list(series.misplaced(series.Series("", "", (first, *whole.patches[2:], twice), {}), paths))
    assert f"{RUST}/kalloc.rs: in 2 patches; {first.subject} and again" in wrong
    assert f"{RUST}/sys/percpu.rs: in 0 patches; add it to the series" in wrong
    assert "rust/nothing.rs: no such file" in wrong


def test_rust_names_of_missing_files() -> None:
    """Declarations, re-exports, and the aliases and implementations for a re-exported type are omitted."""
    made = state("page/kind/virt.rs", "page/arena.rs")
    page, root = made[RUST / "page.rs"], made[RUST / "kalloc.rs"]
    for name in ("mod arena;", "arena::Arena", "pub type FreePages", "impl Sealed for Virt {}"):
        assert name in TREE[RUST / "page.rs"].decode() and name not in page, name
    assert "pub type Pages" in page and "impl Sealed for StructPage {}" in page
    assert not re.search(r"^ +(Arena|FreePages|ExactPages),", root, re.M) and re.search(r"^ +Pages,", root, re.M)
    assert "allow(dead_code" in root and "module! {" in root


def test_imports_are_in_the_kernels_style() -> None:
    """A shortened import has the form that rustfmt keeps."""
    text = "crate::{\n    a::{\n        B,\n        C, //\n    },\n    d::E, //\n}"
    leaves = list(rust_names.leaves(text))
    assert leaves == [("crate", "a", "B"), ("crate", "a", "C"), ("crate", "d", "E")]
    assert rust_names.shown(leaves) == text
    assert rust_names.shown(leaves[1:]) == "crate::{\n    a::C,\n    d::E, //\n}"
    assert rust_names.shown(leaves[:2]) == "crate::a::{\n    B,\n    C, //\n}"
    assert rust_names.shown(leaves[2:]) == "crate::d::E"


def test_crate_without_module() -> None:
    """The option cannot be `m`, and the messages have a prefix."""
    made = state("rust/module.rs", "samples/*.rs", "samples/**/*.rs", "watch/*", "watch/**/*", "tests/kunit/*.rs")
    root, options = made[RUST / "kalloc.rs"], made[overlay.PLACE / "Kconfig"]
    assert "module! {" not in root and '__LOG_PREFIX: &[u8] = b"kalloc\\0"' in root
    assert "bool" in options and "tristate" not in options and re.findall(r"^config (\w+)", options, re.M) == ["KALLOC"]


def test_objects_of_missing_files() -> None:
    """Kbuild has no object of a missing file, and Kconfig has no option of a missing module."""
    made = state("rust/testing/faults.*", "watch/*.*", "watch/**/*.rs", "samples/kalloc_kv.rs")
    kbuild, options = made[overlay.PLACE / "Kbuild"], made[overlay.PLACE / "Kconfig"]
    for name in ("kalloc_watch", "kalloc_kv", "KALLOC_KV", "KALLOC_WATCH", "faults.o"):
        assert name in TREE[overlay.PLACE / "Kbuild"].decode() and name not in kbuild, name
        assert name not in options
    assert "kalloc_kunit-y := tests/kunit/kalloc_kunit.o" in kbuild and "SAMPLE_KALLOC_MAP" in options


def test_calls_of_missing_suites() -> None:
    """The root of the suites names only the present ones."""
    root = state("tests/kunit/arena.rs", "tests/kunit/fs.rs", "tests/kunit/fault.rs", "tests/kunit/fault/*")[
        overlay.PLACE / "tests/kunit/kalloc_kunit.rs"]
    assert not re.search(r"\b(arena|fs|fault)::", root) and "slab::SITES," in root and "_files" in root


def test_included_files() -> None:
    """A C file includes only present files."""
    helpers = state("rust/helpers/slab.c")[RUST / "helpers/helpers.c"]
    assert '#include "slab.c"' not in helpers and '#include "page.c"' in helpers
