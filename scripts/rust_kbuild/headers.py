# SPDX-License-Identifier: GPL-2.0
"""What a distribution's headers package tells of its kernel."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rust_kbuild.console import Failure

# Debian and most others; Debian's without a kernel image; Fedora's.
PLACES = ("/lib/modules/{}/build", "/usr/src/linux-headers-{}", "/usr/src/kernels/{}")
PACKAGES = "linux-headers-{0} (Debian, Ubuntu), kernel-devel-{0} (Fedora)"
# Without any of these, rustc cannot compile a module.
METADATA = ("libcore.rmeta", "libkernel.rmeta", "libmacros.so")
ARCHITECTURES = {"X86": "x86", "ARM64": "arm64", "RISCV": "riscv", "LOONGARCH": "loongarch"}


@dataclass(frozen=True)
class Headers:
    """An installed headers package: a kernel's configuration, and what it exports."""

    folder: Path
    release: str

    @property
    def config(self) -> Path:
        """The configuration that the kernel was built with."""
        return self.folder / ".config"

    @property
    def symvers(self) -> Path:
        """What the kernel and its own modules export."""
        return self.folder / "Module.symvers"

    @cached_property
    def options(self) -> dict[str, str]:
        """The options that are set, without CONFIG_ and quotes."""
        return options(self.config)

    @property
    def has_metadata(self) -> bool:
        """Whether the package is a build tree for Rust already."""
        return all((self.folder / "rust" / name).exists() for name in METADATA)

    @property
    def architecture(self) -> str:
        """What make calls ARCH."""
        for option, name in ARCHITECTURES.items():
            if option in self.options:
                return name
        raise Failure(f"Linux {self.release} is for none of {', '.join(ARCHITECTURES.values())}")

    def problems(self) -> Iterable[str]:
        """Why no Rust module can be built for this kernel, whatever else is installed."""
        if self.options.get("RUST") != "y":
            yield f"Linux {self.release} was built without Rust (CONFIG_RUST is off): no Rust module can run in it"
        if self.options.get("MODULES") != "y":
            yield f"Linux {self.release} loads no modules (CONFIG_MODULES is off)"


def options(config: Path) -> dict[str, str]:
    """The options that a configuration sets, without CONFIG_ and quotes."""
    found = re.findall(r"^CONFIG_(\w+)=(.*)$", config.read_text(), re.M)
    return {name: value.strip('"') for name, value in found}


def find(release: str | None, folder: Path | None) -> Headers:
    """The headers of a release, by default the running kernel's, in `folder` or where packages have them.

    # Errors

    Failure if they are not there, are of another release, or lack a file.
    """
    if folder is None:
        release = release or os.uname().release
        places = [Path(place.format(release)) for place in PLACES]
        folder = next((place for place in places if place.is_dir()), None)
        if folder is None:
            raise Failure(f"no headers of Linux {release} in {', '.join(map(str, places))}: "
                          f"install {PACKAGES.format(release)}, or name their folder with --headers")
    if not folder.is_dir():
        raise Failure(f"{folder} is not a folder with the headers of a kernel")
    folder = folder.resolve()
    said = folder / "include/config/kernel.release"
    for needed in (said, folder / ".config", folder / "Module.symvers"):
        if not needed.exists():
            raise Failure(f"{folder} is not the headers package of a kernel: it has no {needed.relative_to(folder)}")
    theirs = said.read_text().strip()
    if release and release != theirs:
        raise Failure(f"the headers in {folder} are of Linux {theirs}, not {release}")
    return Headers(folder, theirs)
