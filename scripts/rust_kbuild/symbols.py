# SPDX-License-Identifier: GPL-2.0-only
"""The imports of modules, compared with the exports of a kernel."""

import gzip
import lzma
import re
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rust_kbuild.console import Failure

UNDEFINED, GLOBAL, WEAK = 0, 1, 2
# The symbols that the kernel's loader or the linker provides.
PROVIDED = {"_GLOBAL_OFFSET_TABLE_"}


def _zstd(data: bytes) -> bytes:
    # Python has no module for it before 3.14.
    try:
        done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
    except FileNotFoundError:
        raise Failure("there is no zstd: install zstd") from None
    if done.returncode:
        raise ValueError(done.stderr.decode(errors="replace").strip().removeprefix("zstd: "))
    return done.stdout


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".ko": bytes, ".xz": lzma.decompress, ".gz": gzip.decompress, ".zst": _zstd}


def exported(symvers: Path) -> dict[str, int]:
    """Returns the symbols of a Module.symvers with their checksums.

    Without CONFIG_MODVERSIONS each checksum is 0.
    """
    lines = (line.split("\t") for line in symvers.read_text().splitlines())
    return {fields[1]: int(fields[0], 16) for fields in lines if len(fields) > 1}


@dataclass(frozen=True)
class Module:
    """The file of a module, and a reader of its ELF sections."""

    path: Path

    @cached_property
    def _data(self) -> bytes:
        unpack = UNPACK.get(self.path.suffix)
        if unpack is None:
            raise Failure(f"{self.path.name} is neither a .ko, nor one compressed by xz, gzip or zstd: unpack it first")
        try:
            data = unpack(self.path.read_bytes())
        except (ValueError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise Failure(f"{self.path.name} cannot be unpacked: {error}") from error
        # 64 bits, little-endian, relocatable.
        if data[:6] != b"\x7fELF\2\1" or len(data) < 64 or data[16:18] != b"\1\0":
            raise Failure(f"{self.path.name} is not a kernel module for a 64-bit machine")
        return data

    @cached_property
    def _sections(self) -> dict[str, tuple[bytes, int]]:
        """Returns the contents of each section, and the index of the section that it links to."""
        data = self._data
        start, = struct.unpack_from("<Q", data, 40)
        size, count, names = struct.unpack_from("<HHH", data, 58)
        try:
            heads = [struct.unpack_from("<IIQQQQI", data, start + size * number) for number in range(count)]
            text = _part(data, heads[names])
            return {_string(text, head[0]): (_part(data, head), head[6]) for head in heads}
        except (struct.error, IndexError) as error:
            raise Failure(f"{self.path.name} is cut short") from error

    def section(self, name: str) -> bytes:
        """Returns a section's contents, or an empty string if there is no section of this name."""
        return self._sections.get(name, (b"", 0))[0]

    @cached_property
    def information(self) -> dict[str, str]:
        """Returns the fields that modinfo prints."""
        pairs = (entry.partition(b"=") for entry in self.section(".modinfo").split(b"\0"))
        return {name.decode(): value.decode(errors="replace") for name, _, value in pairs if name}

    @property
    def release(self) -> str:
        """Returns the release for which the module was built."""
        words = self.information.get("vermagic", "").split()
        if not words:
            raise Failure(f"{self.path.name} is not a kernel module: it has no vermagic")
        return words[0]

    def _symbols(self) -> Iterator[tuple[str, int, int]]:
        """Returns each symbol's name, binding and section."""
        names = self.section(".strtab")
        for name, info, _, section, _, _ in struct.iter_unpack("<IBBHQQ", self.section(".symtab")):
            yield _string(names, name), info >> 4, section

    @cached_property
    def imports(self) -> set[str]:
        """Returns the symbols that it imports."""
        return {name for name, binding, section in self._symbols()
                if section == UNDEFINED and binding == GLOBAL} - PROVIDED

    @cached_property
    def exports(self) -> set[str]:
        """Returns the symbols that it exports to other modules."""
        found = (re.fullmatch(r"__ksymtab_(\w+)", name) for name, _, _ in self._symbols())
        return {match[1] for match in found if match}

    @cached_property
    def checksums(self) -> dict[str, int]:
        """Returns the expected checksum of each symbol, if it was built with CONFIG_MODVERSIONS."""
        short = struct.iter_unpack("<Q56s", self.section("__versions"))
        sums = {name.split(b"\0")[0].decode(): value for value, name in short}
        # Names of Rust do not fit in the older table.
        values = (value for value, in struct.iter_unpack("<I", self.section("__version_ext_crcs")))
        names = self.section("__version_ext_names").rstrip(b"\0").split(b"\0")
        return sums | dict(zip((name.decode() for name in names), values))


def _part(data: bytes, head: Sequence[int]) -> bytes:
    offset, size = head[4], head[5]
    # Type 8 is a section without contents in the file.
    return b"" if head[1] == 8 else data[offset:offset + size]


def _string(table: bytes, offset: int) -> str:
    return table[offset:table.index(b"\0", offset)].decode(errors="replace")


def problems(modules: Iterable[Module], release: str, symbols: Mapping[str, int]) -> Iterator[str]:
    """Names the reasons for which a kernel that exports `symbols` would refuse these modules."""
    modules = list(modules)
    own = set().union(*(module.exports for module in modules))
    for module in modules:
        name = module.path.name
        if module.release != release:
            yield f"{name} was built for Linux {module.release}, not {release}"
        wanted = module.imports - own
        lacking = sorted(wanted - symbols.keys(), key=lambda symbol: (not symbol.startswith("_R"), symbol))
        if lacking:
            yield missing(name, lacking[0], release) + (f" ({len(lacking) - 1} more)" if lacking[1:] else "")
        for symbol in sorted(wanted & symbols.keys() & module.checksums.keys()):
            if symbols[symbol] != module.checksums[symbol]:
                yield (f"{name} takes {symbol} for what it is not in Linux {release}: its checksum (CONFIG_MODVERSIONS) "
                       f"is {module.checksums[symbol]:#010x}, the kernel's {symbols[symbol]:#010x}")
                break


def missing(module: str, symbol: str, release: str) -> str:
    """Returns the message for an imported symbol that has no export."""
    cause = ("the compiler or the source differs from what this kernel was built with, or another module exports it"
             if symbol.startswith("_R") else "this kernel does not export it to modules, nor does one that was named")
    return f"{module} needs {symbol}, which Linux {release} lacks: {cause}"
