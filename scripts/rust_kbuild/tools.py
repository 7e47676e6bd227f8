# SPDX-License-Identifier: GPL-2.0-only
"""The compilers and programs that a kernel's Rust crates need, and the missing ones."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .headers import KERNEL, Headers

# Debian's names of the packages; other distributions use similar ones.
PROGRAMS = {"make": "make", "bison": "bison", "flex": "flex", "bc": "bc", "ld": "binutils"}
# The option that needs a header of a library, for the programs that the kernel's build compiles
# first.
LIBRARIES = {
    "OBJTOOL": ("gelf.h", "libelf-dev"),
    "GENDWARFKSYMS": ("elfutils/libdw.h", "libdw-dev"),
    "MODULE_SIG_FORMAT": ("openssl/opensslv.h", "libssl-dev"),
}


@dataclass
class Tools:
    """The programs that differ from make's defaults, and the problems found."""

    variables: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """Returns the variables as arguments of make."""
        return [f"{name}={value}" for name, value in self.variables.items()]


def choose(headers: Headers) -> Tools:
    """Returns the tools that built this kernel."""
    tools = Tools()
    compiler = _c_compiler(headers, tools)
    _rust(headers, tools)
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            tools.problems.append(f"there is no {program}: install {package}")
    if headers.options.get("DEBUG_INFO_BTF") == "y" and not shutil.which("pahole"):
        tools.problems.append("there is no pahole, without which the kernel's configuration cannot be had: install pahole")
    for option, (include, package) in LIBRARIES.items():
        if compiler and headers.options.get(option) == "y" and not _includes(compiler, include):
            tools.problems.append(f"{compiler} finds no {include}: install {package}")
    return tools


def metadata(headers: Headers) -> tuple[str | None, str]:
    """Returns rustc's listing of the crates in the metadata of these headers.

    The first value is the problem with the installed compiler, or None if it is suitable.
    """
    tools = Tools()
    rustc = _compiler_of_rust(headers, tools)
    if not rustc:
        return tools.problems[0], ""
    return None, _printed("env", "RUSTC_BOOTSTRAP=1", rustc, "-Zls=root", str(headers.directory / "rust" / KERNEL))


def _c_compiler(headers: Headers, tools: Tools) -> str | None:
    said = headers.options.get("CC_VERSION_TEXT", "")
    kind = "clang" if headers.options.get("CC_IS_CLANG") == "y" else "gcc"
    # 140200 is 14.2. The minor version changes no interface.
    major = int(headers.options.get(f"{kind.upper()}_VERSION", "0")) // 10000
    names = dict.fromkeys((kind, said.split(" ")[0], f"{kind}-{major}"))
    found = next((name for name in names if _major(name) == major), None)
    if not found:
        tools.problems.append(f"Linux {headers.release} was built by {kind} {major}, which is not here ({said}): "
                              f"install {kind}-{major}")
        return None
    # Empty for gcc: LLVM=1, which many modules' makefiles contain, would choose another compiler.
    tools.variables["LLVM"] = (found.removeprefix("clang") or "1") if kind == "clang" else ""
    if kind == "gcc" and found != kind:
        tools.variables["CC"] = found
    if kind == "gcc" and not shutil.which("gcc"):
        tools.variables["HOSTCC"] = found
    return found


def _major(compiler: str) -> int | None:
    text = _printed(compiler, "-dumpversion")
    return int(text.split(".")[0]) if re.match(r"\d+", text) else None


def _rust(headers: Headers, tools: Tools) -> None:
    rustc = _compiler_of_rust(headers, tools)
    if rustc:
        library = Path(_printed(rustc, "--print", "sysroot").strip(), "lib/rustlib/src/rust/library/core/src/lib.rs")
        if not library.exists():
            tools.problems.append("there is no source of Rust's core library for this rustc: install rust-src "
                                  "(or rustup component add rust-src)")
    version = re.search(r"\d+\.\d+", headers.options.get("BINDGEN_VERSION_TEXT", ""))
    _program(tools, "BINDGEN", ["bindgen", f"bindgen-{version[0]}" if version else "bindgen"],
             "there is no bindgen: install bindgen (or bindgen-cli)")


def _compiler_of_rust(headers: Headers, tools: Tools) -> str | None:
    wanted = headers.options.get("RUSTC_VERSION_TEXT", "")
    version = re.search(r"(\d+\.\d+)\.\d+", wanted)
    names = ["rustc", f"rustc-{version[1]}"] if version else ["rustc"]
    for name in names:
        if _printed(name, "--version").strip() == wanted:
            if name != "rustc":
                tools.variables["RUSTC"] = name
            return name
    ours = _printed("rustc", "--version").strip()
    tools.problems.append(f"Linux {headers.release} was built by {wanted}, the compiler here is {ours or 'none'}: "
                          "symbols have the same names by the same compiler only")
    return None


def _program(tools: Tools, variable: str, names: Sequence[str], problem: str) -> None:
    found = next((name for name in names if shutil.which(name)), None)
    if not found:
        tools.problems.append(problem)
    elif found != names[0]:
        tools.variables[variable] = found


def _includes(compiler: str, header: str) -> bool:
    done = subprocess.run([compiler, "-E", "-x", "c", "-", "-o", os.devnull], input=f"#include <{header}>\n",
                          capture_output=True, text=True, check=False)
    return done.returncode == 0


def _printed(*argv: str) -> str:
    """Returns the output of a program, or an empty string if it is missing or fails."""
    if not shutil.which(argv[0]):
        return ""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def lines(problems: Iterable[str]) -> str:
    """Joins the problems, each on a line that begins with "error: "."""
    return "\nerror: ".join(problems)
