# SPDX-License-Identifier: GPL-2.0-only
"""The two forms of kalloc in a kernel tree: a crate in lib/, and abstractions in the kernel crate."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.export import states
from kalloc_dev.kernel import overlay
from rust_kbuild.console import Failure

HERE = TREE / "scripts/kalloc_dev/export"
NEW = HERE / "kernel_crate"
HELPER = """
__rust_helper void *rust_helper_kmem_cache_alloc(struct kmem_cache *s, gfp_t flags)
{
\treturn kmem_cache_alloc(s, flags);
}
"""
OPTION = """config SAMPLE_RUST_KMEM_CACHE
\ttristate "Slab cache"
\thelp
\t  This option builds the Rust slab cache sample. It allocates the
\t  requests of a queue from a cache of its own, and frees the
\t  requests and the cache when it is unloaded.

\t  To compile this as a module, choose M here:
\t  the module will be called rust_kmem_cache.

\t  If unsure, say N.

"""
# The files of the kernel that name the new ones: the text in front of which a text is inserted, or None for the end.
INSERTED: dict[Path, tuple[str | None, str]] = {
    Path("rust/kernel/lib.rs"): ("#[cfg(CONFIG_KUNIT)]\npub mod kunit;\n", "pub mod kmem_cache;\n"),
    Path("rust/helpers/slab.c"): (None, HELPER),
    Path("samples/rust/Kconfig"): ("config SAMPLE_RUST_MISC_DEVICE\n", OPTION),
    Path("samples/rust/Makefile"): ("obj-$(CONFIG_SAMPLE_RUST_MISC_DEVICE)",
                                    "obj-$(CONFIG_SAMPLE_RUST_KMEM_CACHE)\t\t+= rust_kmem_cache.o\n"),
}


def _inserted(source: Path) -> dict[Path, bytes]:
    """Returns the files of the kernel crate's form, new and changed."""
    files = {path.relative_to(NEW): path.read_bytes() for path in NEW.rglob("*") if path.is_file()}
    for path, (before, text) in INSERTED.items():
        old = (source / path).read_text()
        at = len(old) if before is None else old.find(before)
        if at < 0:
            raise Failure(f"{source / path} has no {before!r}")
        files[path] = (old[:at] + text + old[at:]).encode()
    return files


def _selected(files: Mapping[Path, bytes], present: Set[Path]) -> dict[Path, bytes]:
    return {path: files[path] for path in present}


@dataclass(frozen=True)
class Target:
    """A form: the data of its series, its files in a source tree, their states, and the options and variables of its build.

    Each option has the names of the others that it needs.
    """

    data: Path
    files: Callable[[Path], dict[Path, bytes]]
    reduced: Callable[[Mapping[Path, bytes], Set[Path]], dict[Path, bytes]]
    options: Mapping[str, tuple[str, ...]]
    kconfig: Path
    variables: tuple[str, ...] = ()


TARGETS = {
    # Everything that User-Mode Linux supports, built in.
    "lib": Target(HERE / "series.toml", lambda source: overlay.tree() | overlay.hooked(source), states.reduced,
                  {"KALLOC": (), "KALLOC_KUNIT_TEST": (), "SAMPLE_KALLOC_COMPARE": (), "SAMPLE_KALLOC_EXERCISE": (),
                   "SAMPLE_KALLOC_HASH": (), "SAMPLE_KALLOC_KV": (), "SAMPLE_KALLOC_MAP": (),
                   "KALLOC_WATCH": ("FTRACE", "ENABLE_DEFAULT_TRACERS")}, overlay.PLACE / "Kconfig"),
    # The file of all examples has a type that no example uses on User-Mode Linux.
    "kernel-crate": Target(HERE / "kernel_crate.toml", _inserted, _selected,
                           {"SAMPLE_RUST_MINIMAL": ("SAMPLES", "SAMPLES_RUST", "RUST_KERNEL_DOCTESTS"),
                            "SAMPLE_RUST_KMEM_CACHE": ()},
                           Path("samples/rust/Kconfig"), ("RUSTFLAGS_doctests_kernel_generated.o=-Adead_code",)),
}
# The files of the kernel that some form changes.
CHANGED = {*overlay.HOOKS, *INSERTED}
