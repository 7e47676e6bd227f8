# SPDX-License-Identifier: GPL-2.0-only
"""The preparation of the build tree."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rust_kbuild.console import Failure, run, say, step

from . import source as sources
from . import tools as programs
from .headers import Headers, options
from .symbols import exported

# The last file of a tree: its inputs.
STAMP = ".rust-kbuild"
LOG = "rust-kbuild.log"
# The source, if it comes from a tar file.
UNPACKED = "linux"
GIGABYTES = {"tree": 0.3, "source": 0.4}
# The variables by which Kbuild takes other tools or flags. A caller's make passes them on, too.
VARIABLES = re.compile(r"(HOST)?(CC|CXX|LD|AR|RUSTC)|LLVM(_IAS)?|NM|OBJCOPY|OBJDUMP|READELF|STRIP|RUSTDOC|BINDGEN|PAHOLE|ARCH|"
                       r"CROSS_COMPILE|LOCALVERSION|K(CPP|A|C|RUST)FLAGS|(HOST|USER)\w*(FLAGS|LIBS)|KBUILD_\w+|KCONFIG_\w+|"
                       r"O|M|V|W|C|MAKE(FLAGS|OVERRIDES|LEVEL)|MFLAGS|GNUMAKEFLAGS")
# The options with the versions of the tools and the paths of their files. They may differ, but not
# the options that depend on them.
OF_TOOLS = re.compile(r"(CC|RUSTC|BINDGEN|RUSTC_LLVM)_VERSION_TEXT|(GCC|CLANG|AS|LD|LLD|PAHOLE)_VERSION")


def tree(headers: Headers, source: Path | None, output: Path) -> Path:
    """Returns the directory to build modules in (make -C TREE M=…) for the kernel of these headers.

    # Errors

    Failure if a tree cannot be made. If its text lists several problems, nothing has been changed.
    """
    planned = plan(headers, source)
    if not planned:
        return _link(headers, output)
    if output.is_symlink():
        output.unlink()
    with _owned(output):
        _make(headers, planned[0].resolve(), output, planned[1])
    return output


def plan(headers: Headers, source: Path | None) -> tuple[Path, programs.Tools] | None:
    """Returns the source and the tools to make a tree with, or None if the headers are a tree.

    # Errors

    Failure with all problems that can be known before the build.
    """
    problems = list(headers.problems())
    if problems:
        raise Failure(programs.lines(problems))
    if headers.has_metadata:
        problem, listing = programs.metadata(headers)
        if problem:
            raise Failure(problem)
        fault = headers.incomplete(listing)
        if not fault:
            return None
        say(f"    the headers of Linux {headers.release} are no build tree for Rust: {fault}")
    tools = programs.choose(headers)
    try:
        found = source or sources.find(headers)
        if not found.exists():
            raise Failure(f"{found} does not exist")
        sources.check_package(found, headers)
        if found.is_dir():
            sources.Source(found).check(headers)
    except Failure as failure:
        tools.problems.append(str(failure))
    if tools.problems:
        raise Failure(programs.lines(tools.problems))
    return found, tools


def _link(headers: Headers, output: Path) -> Path:
    """Makes the output directory a link to headers that are a build tree."""
    say(f"    the headers of Linux {headers.release} have Rust's metadata: {headers.directory} is a build tree")
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.is_symlink():
        output.unlink()
    if output.exists():
        raise Failure(f"{output} has something else in it: name another directory with --output")
    output.symlink_to(headers.directory)
    return output


@contextmanager
def _owned(output: Path) -> Iterator[None]:
    """Holds a lock on the output directory, and checks that it is empty or a tree."""
    lock = output / f"{STAMP}.lock"
    if output.exists() and not lock.exists() and any(output.iterdir()):
        raise Failure(f"{output} has something else in it: name another directory with --output")
    output.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"    waiting for another run ({lock})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(headers: Headers, source: Path, output: Path, tools: programs.Tools) -> None:
    stamp, state = output / STAMP, _state(headers, source, tools)
    if stamp.exists() and stamp.read_text() == state:
        return
    for old in output.iterdir():
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        elif old.name != f"{STAMP}.lock":
            old.unlink()
    need = GIGABYTES["tree"] + (0 if source.is_dir() else GIGABYTES["source"])
    if (free := shutil.disk_usage(output).free / 1e9) < need:
        raise Failure(f"{output} has {free:.1f} GB free and needs {need:.1f} GB")
    with step(f"making a build tree with Rust for Linux {headers.release}", output / LOG) as log:
        if not source.is_dir():
            sources.unpack(source, output / UNPACKED, log)
            source = output / UNPACKED
            sources.Source(source).check(headers)
        _build(headers, source, output, tools, log)
        _check(headers, output)
    stamp.write_text(state)


def _state(headers: Headers, source: Path, tools: programs.Tools) -> str:
    """Returns a text that changes when the tree must be made again."""
    about = source.stat()
    digest = hashlib.sha256(headers.config.read_bytes() + headers.symvers.read_bytes()).hexdigest()
    return f"1 {headers.release} {digest} {source} {about.st_mtime_ns} {about.st_size} {tools.words()}\n"


def _build(headers: Headers, source: Path, output: Path, tools: programs.Tools, log: Path) -> None:
    shutil.copy(headers.config, output / ".config")
    # The release consists of the source's version, the configuration's suffix, and this suffix.
    suffix = headers.release.removeprefix(sources.Source(source).version)
    suffix = suffix.removeprefix(headers.options.get("LOCALVERSION", ""))
    clean = [f"--unset={name}" for name in os.environ if VARIABLES.fullmatch(name)]
    make: list[str | Path] = ["env", *clean, "make", "-C", source, f"O={output}", f"ARCH={headers.architecture}",
                              f"LOCALVERSION={suffix}", *tools.words()]
    run([*make, "olddefconfig"], log, "make olddefconfig")
    _check_options(headers, output, log)
    # With its BTF option off, make builds no tools for BTF, which modules do not need. The
    # configuration that the compilers read remains the distribution's.
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    run([*make, "CONFIG_DEBUG_INFO_BTF=", jobs, "modules_prepare"], log, "make modules_prepare")
    shutil.copy(headers.symvers, output)
    _keep(tools, output / "Makefile")


def _check_options(headers: Headers, output: Path, log: Path) -> None:
    """Fails if the configuration has changed: a tool is missing, or the source is another."""
    ours = options(output / ".config")
    different = sorted(name for name in headers.options.keys() | ours.keys()
                       if headers.options.get(name) != ours.get(name) and not OF_TOOLS.fullmatch(name))
    if "RUST" in different:
        raise Failure("the kernel's configuration finds no Rust here: make rustavailable in its source tells why", log)
    if different:
        shown = ", ".join(f"CONFIG_{name} ({headers.options.get(name, 'n')}, here {ours.get(name, 'n')})"
                          for name in different[:4])
        raise Failure(f"the source or a tool is not what built Linux {headers.release}: it configures "
                      f"{len(different)} options differently: {shown}", log)


def _keep(tools: programs.Tools, makefile: Path) -> None:
    """Makes the tree use these tools for every module that is built in it, whatever the caller of
    make has set.
    """
    lines = [f"override {name}={value}\nMAKEOVERRIDES := {name}={value} $(filter-out {name}=%,$(MAKEOVERRIDES))\n"
             for name, value in tools.variables.items()]
    makefile.write_text("".join(lines) + makefile.read_text())


def _check(headers: Headers, output: Path) -> None:
    """Fails if the kernel would not load modules that are built in the tree."""
    made = (output / "include/config/kernel.release").read_text().strip()
    if made != headers.release:
        raise Failure(f"the tree is of Linux {made}, the kernel is {headers.release}")
    there = exported(headers.symvers)
    names = {name for file in (output / "rust").glob("exports_*_generated.h")
             for name in re.findall(r"\((_R\w+)\)", file.read_text())}
    if lost := sorted(names - there.keys()):
        raise Failure(f"{len(lost)} of {len(names)} Rust symbols are not those of Linux {headers.release}, "
                      f"such as {lost[0]}: the compiler or the source is not what built it")
    say(f"    its {len(names)} Rust symbols are those of the kernel")
