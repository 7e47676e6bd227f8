# SPDX-License-Identifier: GPL-2.0-only
"""The contents of the packages: the modules in the DKMS configuration, the tool that it calls, the
versions.

make test-deb builds and installs them.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from kalloc_dev.core.paths import TREE

DKMS = TREE / "debian/kalloc-dkms.dkms"
# The variables that DKMS sets for the configuration of a source.
KNOWN = "kernel_source_dir=/nowhere dkms_tree=/dkms"


def configured(expression: str, kernel: str = "9.9.9-none", known: str = KNOWN) -> str:
    """Returns the settings of the DKMS configuration for a kernel, read as DKMS reads it."""
    script = f'{known} kernelver={kernel}; . "$0"; printf "%s\\n" {expression}'
    return subprocess.check_output(["bash", "-euc", script, DKMS], text=True).strip()


def test_versions() -> None:
    """The packages and kalloctop have one version."""
    version = re.match(r"kalloc \((.+)\) ", (TREE / "debian/changelog").read_text())
    cargo = re.search(r'^version = "(.+)"', (TREE / "tools/Cargo.toml").read_text(), re.M)
    assert version and cargo and version[1] == cargo[1], "the package and kalloctop have different versions"


def test_dkms_builds_what_kbuild_builds() -> None:
    """The DKMS configuration lists the modules that Kbuild builds for a kernel."""
    rules = (TREE / "Kbuild").read_text()
    values = dict(re.findall(r"^CONFIG_(\w+) := (.+)$", rules, re.M))
    for kernel, kinds in (("9.9.9-none", ("m", "$(if $(kalloc-7.2),,m)")), ("7.2.9+deb13-amd64", ("m",))):
        modules = configured('"${BUILT_MODULE_NAME[@]}"', kernel).splitlines()
        built = re.findall(r"^obj-\$\(CONFIG_(\w+)\) \+= (\w+)\.o$", rules, re.M)
        assert modules == [module for option, module in built if values[option] in kinds], modules
        assert len(configured('"${DEST_MODULE_LOCATION[@]}"', kernel).splitlines()) == len(modules)


def test_source_package_is_whole(tmp_path: Path) -> None:
    """Every file of the crate and of the samples is in the source that DKMS builds."""
    copy = tmp_path
    for part in ("Kbuild", "debian", "rust", "samples", "scripts", "watch"):
        source = TREE / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / part)
    subprocess.run(["make", "-s", "-C", copy, "-f", "debian/rules", "override_dh_auto_install",
                    "DEB_VERSION_UPSTREAM=1.2.3"], check=True)
    source = copy / "debian/kalloc-dkms/usr/src/kalloc-1.2.3"
    there = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    # All source files of a crate or a helper of the modules.
    wanted = {str(path.relative_to(TREE)) for top in ("rust", "samples", "watch") for path in (TREE / top).rglob("*.[rch]*")
              if "userspace" not in path.parts and path.suffix in (".rs", ".c", ".h")}
    assert wanted <= there and {"Kbuild", "rust/sys/bindgen_parameters"} <= there, wanted - there
    assert not [path for path in there if "__pycache__" in path], there
    # DKMS calls the tool in its copy of the source, which calls the package rust-kbuild by its name:
    # that is complete, accepts its options, and rejects a missing kernel.
    dkms = copy / "dkms/kalloc/1.2.3/build"
    shutil.copytree(source, dkms, symlinks=True)
    path = f"{copy / 'debian/rust-kbuild/usr/share/rust-kbuild'}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", configured('"$PRE_BUILD"')], cwd=dkms, env=os.environ | {"PATH": path},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == "error: /nowhere is not a directory with the headers of a kernel\n", done


def test_make_command() -> None:
    """DKMS calls make in the tree that rust-kbuild makes."""
    make = configured('"${MAKE[0]}"')
    assert make.startswith("make -C /dkms/kalloc/") and "/build/kbuild M=/dkms/kalloc/" in make, make


def test_dkms_skips(tmp_path: Path) -> None:
    """DKMS skips a kernel for which rust-kbuild cannot make a tree, and only such a kernel."""
    tool = tmp_path / "kalloc/#MODULE_VERSION#/source/scripts/rust-kbuild"
    tool.parent.mkdir(parents=True)
    for status, kernels in ((1, "^$"), (0, "")):
        tool.write_text(f'#!/bin/sh\necho "$*" >"{tmp_path}/words"\nexit {status}\n')
        tool.chmod(0o755)
        known = f"kernel_source_dir={tmp_path} dkms_tree={tmp_path}"
        assert configured('"${BUILD_EXCLUSIVE_KERNEL:-}"', known=known) == kernels
        assert (tmp_path / "words").read_text() == f"--dry-run --release 9.9.9-none --headers {tmp_path}\n"
    # Without headers, DKMS itself states the reason.
    assert configured('"${BUILD_EXCLUSIVE_KERNEL:-}"') == ""
