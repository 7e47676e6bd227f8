# SPDX-License-Identifier: GPL-2.0-only
"""The licenses and notices of the crates that are linked into kalloctop."""

import json
import re
from pathlib import Path
from typing import Any

from kalloc_dev.core.paths import LOGS
from kalloc_dev.package.kalloctop import SOURCE
from kalloc_dev.toolchain import crates
from rust_kbuild.console import Failure

CALLS = (("fetch", "--locked", "--target", crates.TARGET),
         ("metadata", "--locked", "--format-version", "1", "--filter-platform", crates.TARGET))
TEXTS = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|UNLICENSE)[\w.-]*", re.I)


def notices() -> str:
    """Returns each crate's name, version, license and texts; a common text occurs once."""
    log = LOGS / "notices.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    for call in CALLS:
        crates.cargo(call, SOURCE, log, {})
    said = next((line for line in log.read_text().splitlines() if line.startswith('{"packages"')), None)
    if said is None:
        raise Failure("cargo metadata says nothing of packages", log)
    lines: list[str] = []
    texts: dict[str, list[str]] = {}
    metadata = json.loads(said)
    linked = _linked(metadata["resolve"])
    for package in sorted(metadata["packages"], key=lambda package: str(package["name"])):
        if not package["source"] or package["id"] not in linked:
            continue
        lines.append(f"{package['name']} {package['version']}: {package['license']}\n")
        for path in sorted(Path(package["manifest_path"]).parent.iterdir()):
            if TEXTS.fullmatch(path.name) and path.is_file():
                texts.setdefault(path.read_text(errors="replace").strip(), []).append(f"{package['name']} {path.name}")
    return "kalloctop is linked with these crates\n\n" + "".join(lines) + "".join(
        f"\n{'=' * 70}\n{', '.join(of)}\n{'=' * 70}\n\n{text}\n" for text, of in texts.items())


def _linked(resolve: dict[str, Any]) -> set[str]:
    """Returns the identifiers of the packages that the program needs when it runs or is built, not those of examples."""
    needs = {node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])]
             for node in resolve["nodes"]}
    linked: set[str] = set()
    left = [name for name in needs if "kalloctop" in name.rpartition("/")[2]]
    while left:
        name = left.pop()
        if name not in linked:
            linked.add(name)
            left += needs[name]
    return linked
