# SPDX-License-Identifier: GPL-2.0-only
"""The headers package of a distribution's kernel."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rust_kbuild.console import Failure

# Debian and most other distributions; Debian without a kernel image; Fedora.
PLACES = ("/lib/modules/{}/build", "/usr/src/linux-headers-{}", "/usr/src/kernels/{}")
PACKAGES = "linux-headers-{0} (Debian, Ubuntu), kernel-devel-{0} (Fedora)"
# The metadata of the crate that modules name. It lists the other crates that rustc needs.
KERNEL = "libkernel.rmeta"
ARCHITECTURES = {"X86": "x86", "ARM64": "arm64", "RISCV": "riscv", "LOONGARCH": "loongarch"}


@dataclass(frozen=True)
class Headers:
    """An installed headers package: a kernel's configuration and its exports."""

    directory: Path
    release: str

    @property
    def config(self) -> Path:
        """Returns the configuration with which the kernel was built."""
        return self.directory / ".config"

    @property
    def symvers(self) -> Path:
        """Returns the list of the symbols that the kernel and its own modules export."""
        return self.directory / "Module.symvers"

    @cached_property
    def options(self) -> dict[str, str]:
        """Returns the enabled options, without CONFIG_ and quotes."""
        return options(self.config)

    @property
    def has_metadata(self) -> bool:
        """Returns whether the package has metadata of Rust, complete or not."""
        return (self.directory / "rust" / KERNEL).exists()

    def incomplete(self, listing: str) -> str | None:
        """Returns the fault of the package's metadata, or None if it is a build tree for Rust.

        `listing` is what rustc prints for KERNEL: all crates that it was compiled with.
        """
        crates = re.findall(r"^\d+ (\w+) hash .* kind (\w+)", listing, re.M)
        if not crates:
            return f"rustc cannot read {KERNEL}"
        files = [f"rust/lib{name}.{'so' if kind == 'MacrosOnly' else 'rmeta'}" for name, kind in crates]
        # The kernel's own description of the target, which x86_64 has.
        if re.search("^triple target$", listing, re.M):
            files.append("scripts/target.json")
        lost = [name for name in files if not (self.directory / name).exists()]
        return f"{len(lost)} of {len(files) + 1} files of its metadata are missing, such as {lost[0]}" if lost else None

    @property
    def architecture(self) -> str:
        """Returns the architecture's name, as in make's variable ARCH."""
        for option, name in ARCHITECTURES.items():
            if option in self.options:
                return name
        raise Failure(f"Linux {self.release} is for none of {', '.join(ARCHITECTURES.values())}")

    def problems(self) -> Iterable[str]:
        """Names the reasons why no Rust module can be built for this kernel."""
        if self.options.get("RUST") != "y":
            yield f"Linux {self.release} was built without Rust (CONFIG_RUST is off): no Rust module can run in it"
        if self.options.get("MODULES") != "y":
            yield f"Linux {self.release} loads no modules (CONFIG_MODULES is off)"


def options(config: Path) -> dict[str, str]:
    """Returns the options that a configuration enables, without CONFIG_ and quotes."""
    found = re.findall(r"^CONFIG_(\w+)=(.*)$", config.read_text(), re.M)
    return {name: value.strip('"') for name, value in found}


def find(release: str | None, directory: Path | None) -> Headers:
    """Returns the headers of a release, by default of the running kernel.

    They are in `directory`, or in one of the directories that packages use.

    # Errors

    Failure if they are missing, belong to another release, or lack a file.
    """
    if directory is None:
        release = release or os.uname().release
        places = [Path(place.format(release)) for place in PLACES]
        directory = next((place for place in places if place.is_dir()), None)
        if directory is None:
            raise Failure(f"no headers of Linux {release} in {', '.join(map(str, places))}: "
                          f"install {PACKAGES.format(release)}, or name their directory with --headers")
    if not directory.is_dir():
        raise Failure(f"{directory} is not a directory with the headers of a kernel")
    directory = directory.resolve()
    said = directory / "include/config/kernel.release"
    for needed in (said, directory / ".config", directory / "Module.symvers"):
        if not needed.exists():
            raise Failure(f"{directory} is not the headers package of a kernel: it has no {needed.relative_to(directory)}")
    theirs = said.read_text().strip()
    if release and release != theirs:
        raise Failure(f"the headers in {directory} are of Linux {theirs}, not {release}")
    return Headers(directory, theirs)
