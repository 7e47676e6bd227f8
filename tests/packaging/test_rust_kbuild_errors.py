# SPDX-License-Identifier: GPL-2.0-only
"""rust-kbuild reports each mismatch in one line; every program that it calls is a stub."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE

RELEASE = "7.3.4+deb13-test"
RUSTC = "rustc 1.85.1 (4eb161250 2025-03-15)"
CONFIG = f"""CONFIG_X86=y
CONFIG_MODULES=y
CONFIG_RUST=y
CONFIG_CC_IS_GCC=y
CONFIG_GCC_VERSION=140200
CONFIG_CC_VERSION_TEXT="x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0"
CONFIG_RUSTC_VERSION_TEXT="{RUSTC}"
CONFIG_BINDGEN_VERSION_TEXT="bindgen 0.71.1"
CONFIG_DEBUG_INFO_BTF=y
CONFIG_OBJTOOL=y
CONFIG_GENDWARFKSYMS=y
CONFIG_MODULE_SIG_FORMAT=y
"""
SYMVERS = "0x00000000\t_RNvThere\tvmlinux\tEXPORT_SYMBOL_GPL\t\n0x12345678\tkmalloc\tvmlinux\tEXPORT_SYMBOL\t\n"
# A stub of make: configures the tree, prepares it.
MAKE = r"""
for word; do case $word in O=*) tree=${word#O=};; LOCALVERSION=*) local=${word#*=};; esac; done
echo "$@" >>"$tree/../calls"
case "$*" in
*olddefconfig*) sed -i "$CONFIGURES" "$tree/.config";;
*) mkdir -p "$tree/rust" "$tree/include/config"
   echo "7.3.4$local" >"$tree/include/config/kernel.release"
   echo "EXPORT_SYMBOL_RUST_GPL($MAKES);" >"$tree/rust/exports_kernel_generated.h"
   echo 'all: ; @echo $(CC)' >"$tree/Makefile";;
esac
"""
CRATES = """triple target
=External Dependencies=
1 core hash ba22841cd90ef07b host_hash None kind Explicit public
2 pin_init hash 56306ae78c2d8134 host_hash None kind Explicit public
3 macros hash 8fe03546e3b3e693 host_hash None kind MacrosOnly public
"""
PROGRAMS = {
    "gcc": 'case $1 in -dumpversion) echo ${GCC:-14};; *) read include; case $include in *$LACKS*) exit 1;; esac;; esac',
    "rustc": f'case $1 in --version) echo "${{RUSTC_SAYS:-{RUSTC}}}";; -Zls=root) echo "$CRATES";; *) echo $SYSROOT;; esac',
    "make": MAKE,
    "dpkg-query": 'case "$1 $4" in "-S "*) case $2 in *.config) echo "headers: $2";; *) echo "source: $2";; esac;;'
                  ' "-W headers") printf 1;; *) printf ${SOURCE_IS:-1};; esac',
    **dict.fromkeys(("bindgen", "bison", "flex", "bc", "ld", "pahole"), ""),
}


class Machine:
    """A machine with all prerequisites: programs, a kernel's headers and its source."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.bin = directory, directory / "bin"
        self.headers, self.source, self.output = directory / "headers", directory / "source", directory / "output"
        self.bin.mkdir()
        for name, text in PROGRAMS.items():
            self.program(name, text)
        for name in ("sed", "mkdir", "sh", "tar", "env"):
            (self.bin / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
        self.write(self.headers / ".config", CONFIG)
        self.write(self.headers / "Module.symvers", SYMVERS)
        self.write(self.headers / "include/config/kernel.release", f"{RELEASE}\n")
        self.write(self.source / "Makefile", "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n")
        self.write(self.source / "rust/kernel/lib.rs", "")
        self.write(directory / "sysroot/lib/rustlib/src/rust/library/core/src/lib.rs", "")

    def program(self, name: str, text: str) -> None:
        """Puts a shell script on the path."""
        self.write(self.bin / name, f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Writes a file, and creates the directories above it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def call(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Calls rust-kbuild on this machine."""
        known = {"PATH": str(self.bin), "SYSROOT": str(self.directory / "sysroot"), "LACKS": "-", "MAKES": "_RNvThere"}
        return subprocess.run([sys.executable, "-B", TREE / "scripts/rust-kbuild", *map(str, words)],
                              env=known | environment, capture_output=True, text=True, check=False)

    def make(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Calls rust-kbuild to make the tree."""
        return self.call("--headers", self.headers, "--source", self.source, "--output", self.output, *words, **environment)

    def refuses(self, says: str, *words: object, lines: int = 1, **environment: str) -> None:
        """Checks that the call ends with this number of error lines, one of which contains this
        message.
        """
        refused(self.make(*words, **environment), says, lines)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Returns a machine with all prerequisites."""
    return Machine(tmp_path)


def refused(done: subprocess.CompletedProcess[str], says: str, lines: int = 1) -> None:
    """Checks that the call failed with this number of error lines, one of which contains this
    message.
    """
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1 and len(errors) == lines and any(says in line for line in errors) and not done.stdout, \
        f"wanted '{says}': status {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr


def test_headers(machine: Machine) -> None:
    """Errors of the kernel or of its metadata."""
    refused(machine.call("--release", "9.9.9-none"), "no headers of Linux 9.9.9-none in /lib/modules/9.9.9-none/build")
    refused(machine.call("--headers", "/nowhere"), "/nowhere is not a directory")
    machine.refuses(f"are of Linux {RELEASE}, not 7.3.4", "--release", "7.3.4")
    symvers = machine.headers / "Module.symvers"
    symvers.rename(symvers.with_name("away"))
    machine.refuses("it has no Module.symvers")
    symvers.with_name("away").rename(symvers)
    config = machine.headers / ".config"
    for option, says in (("RUST", "built without Rust (CONFIG_RUST is off)"), ("MODULES", "CONFIG_MODULES is off"),
                         ("X86", "for none of x86, arm64")):
        config.write_text(CONFIG.replace(f"CONFIG_{option}=y", f"# CONFIG_{option} is not set"))
        machine.refuses(says, lines=1)
    config.write_text(CONFIG)


def test_metadata(machine: Machine) -> None:
    """Headers with complete metadata are a tree for the compiler that built them."""
    files = ("scripts/target.json",
             *(f"rust/lib{name}" for name in ("core.rmeta", "kernel.rmeta", "macros.so", "pin_init.rmeta")))
    for name in files:
        machine.write(machine.headers / name, "")
    done = machine.make(CRATES=CRATES)
    assert done.returncode == 0 and done.stdout == f"{machine.output}\n", done
    assert machine.output.resolve() == machine.headers.resolve(), "not the headers"
    machine.refuses("the compiler here is rustc 1.99.0", RUSTC_SAYS="rustc 1.99.0")
    # Without one of the files, or with files that rustc cannot read, the tree is made from the source.
    for name in files:
        (machine.headers / name).unlink()
        done = machine.make(CRATES=CRATES)
        fault = f"no build tree for Rust: 1 of 5 files of its metadata are missing, such as {name}"
        assert fault in done.stderr or name == "rust/libkernel.rmeta", done
        assert done.returncode == 0 and not machine.output.is_symlink() and (machine.output / "Makefile").exists(), done
        machine.write(machine.headers / name, "")
    assert "rustc cannot read libkernel.rmeta" in machine.make(CRATES="").stderr


def test_variables(machine: Machine) -> None:
    """Variables of a caller of make, in its environment or on its command line, change neither the
    tree nor a module.
    """
    chosen = {"LLVM": "1", "CC": "clang", "KCFLAGS": "-O1", "MAKEFLAGS": " -- LLVM=1", "KBUILD_OUTPUT": "/nowhere"}
    machine.program("make", 'echo "$LLVM$CC$KCFLAGS$MAKEFLAGS$KBUILD_OUTPUT" >>"${0%/*}/../variables"\n' + MAKE)
    done = machine.make(**chosen)
    assert done.returncode == 0 and (machine.directory / "variables").read_text().split() == [], done
    tree = machine.output / "Makefile"
    tree.write_text(tree.read_text() + "all: ; @echo '[$(LLVM)]'; $(MAKE) -s -f inner\n")
    machine.write(machine.output / "inner", "all: ; @echo '[$(LLVM)]'\n")
    for words, environment in ((["LLVM=1"], {}), ([], {"LLVM": "1"})):
        said = subprocess.check_output(["make", "-s", "-C", machine.output, *words], text=True, stderr=subprocess.DEVNULL,
                                       env=os.environ | environment)
        assert said == "[]\n[]\n", said


def test_cause(machine: Machine) -> None:
    """A failed build shows its cause, not the end of its log."""
    noise = "for i in $(/usr/bin/seq 99); do echo more; done"
    for cause in ("helpers.c:1:2: fatal error: no.h: No such file", "error[E0432]: unresolved import",
                  "ld: undefined reference to x", "sh: 1: pahole: not found", "ERROR: modpost: x undefined!",
                  "make[1]: *** No rule to make target 'x'.  Stop."):
        machine.program("make", f'case "$*" in *olddefconfig*) ;; *) echo "{cause}"; {noise}; exit 2;; esac')
        done = machine.make()
        assert f"    | {cause}\n" in done.stderr and "make modules_prepare failed with status 2" in done.stderr, done
    early = 'echo "sh: 1: dtc: not found"'
    machine.program("make", f'case "$*" in *olddefconfig*) {early};; *) echo "x: error: y"; {noise}; exit 2;; esac')
    assert "    | x: error: y" in (said := machine.make().stderr) and "dtc" not in said, said


def test_tools(machine: Machine) -> None:
    """Missing programs, or programs of another version."""
    machine.refuses("was built by gcc 14, which is not here", GCC="13")
    machine.refuses("the compiler here is rustc 1.99.0", RUSTC_SAYS="rustc 1.99.0")
    machine.refuses("install rust-src", SYSROOT="/nowhere")
    machine.refuses("finds no gelf.h: install libelf-dev", LACKS="gelf")
    machine.refuses("finds no elfutils/libdw.h: install libdw-dev", LACKS="libdw")
    machine.refuses("finds no openssl/opensslv.h: install libssl-dev", LACKS="openssl")
    machine.refuses("install rust-src", lines=3, SYSROOT="/nowhere", LACKS="gelf", GCC="14", SOURCE_IS="2")
    for name in ("bindgen", "bison", "flex", "bc", "ld", "pahole", "make"):
        program = machine.bin / name
        program.rename(machine.directory / name)
        machine.refuses(f"there is no {name}")
        (machine.directory / name).rename(program)


def test_dry_run(machine: Machine) -> None:
    """The same problems, and no tree, with --dry-run."""
    machine.refuses("install rust-src", "--dry-run", lines=3, SYSROOT="/nowhere", LACKS="gelf", SOURCE_IS="2")
    done = machine.make("--dry-run")
    assert done.returncode == 0 and not done.stdout + done.stderr and not machine.output.exists(), done
    assert machine.make().returncode == 0 and machine.output.exists()


def test_source(machine: Machine) -> None:
    """Sources of another kernel, and a directory of another owner."""
    machine.refuses("/nowhere does not exist", "--source", "/nowhere")
    machine.refuses("not a Linux source tree with Rust", "--source", machine.headers)
    machine.refuses("is of the package version 2, the headers are of 1", SOURCE_IS="2")
    makefile = machine.source / "Makefile"
    text = makefile.read_text()
    for other in ("40", "3"):
        makefile.write_text(text.replace("SUBLEVEL = 4", f"SUBLEVEL = {other}"))
        machine.refuses(f"is of Linux 7.3.{other}, the kernel is {RELEASE}")
    makefile.write_text(text)
    machine.write(machine.source / ".config", "")
    machine.refuses("has been built in: run make mrproper")
    (machine.source / ".config").unlink()
    kernel_release = machine.headers / "include/config/kernel.release"
    kernel_release.write_text("9.9.9-none\n")
    refused(machine.call("--headers", machine.headers), "no source of Linux 9.9.9: install linux-source-9.9")
    kernel_release.write_text(f"{RELEASE}\n")
    machine.write(machine.directory / "tar", "no tar file")
    machine.refuses("is not a tar file with a source in it", "--source", machine.directory / "tar")
    machine.refuses("has something else in it", "--output", machine.headers)


def test_trees(machine: Machine) -> None:
    """The results of the build must match the kernel; a correct build passes."""
    calls = machine.directory / "calls"
    machine.refuses("finds no Rust here", CONFIGURES="/RUST=/d")
    machine.refuses("configures 1 options differently: CONFIG_OBJTOOL (y, here n)", CONFIGURES="/OBJTOOL/d")
    machine.refuses("1 of 1 Rust symbols are not those", MAKES="_RNvElsewhere")
    assert machine.make(CONFIGURES="s/14.2.0.*/14.2.1/").returncode == 0, "a compiler's own text matters"
    before = calls.read_text()
    done = machine.make()
    assert (done.returncode, done.stdout, calls.read_text()) == (0, f"{machine.output}\n", before), done
    assert "LOCALVERSION=+deb13-test" in before and "ARCH=x86" in before
    assert (machine.output / "Module.symvers").read_text() == SYMVERS
    # A compiler with another name is kept for all later builds in the tree; a tar file also works.
    (machine.bin / "gcc").rename(machine.bin / "x86_64-linux-gnu-gcc-14")
    tar = machine.directory / "source.tar"
    subprocess.run(["tar", "-C", machine.directory, "-cf", tar, "source"], check=True)
    done = machine.make("--source", tar)
    assert done.returncode == 0 and calls.read_text() != before, done
    said = subprocess.check_output(["make", "-s", "-C", machine.output], text=True)
    assert said == "x86_64-linux-gnu-gcc-14\n", said
    assert (machine.output / "linux/Makefile").exists()


def module(path: Path, imports: list[str], release: str = RELEASE, sums: bytes = b"", exports: tuple[str, ...] = ()) -> Path:
    """Writes a file with the relevant parts of a module."""
    names, symbols = b"\0", struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for name, section in [*((name, 0) for name in imports), *((f"__ksymtab_{name}", 1) for name in exports)]:
        symbols += struct.pack("<IBBHQQ", len(names), 0x10, 0, section, 0, 0)
        names += name.encode() + b"\0"
    parts = {"": b"", ".modinfo": f"vermagic={release} SMP\0".encode(), ".symtab": symbols, ".strtab": names,
             "__versions": sums, ".shstrtab": b""}
    titles = b"".join(name.encode() + b"\0" for name in parts)
    parts[".shstrtab"] = titles
    body, heads = b"", b""
    for name, part in parts.items():
        heads += struct.pack("<IIQQQQIIQQ", titles.index(name.encode() + b"\0"), 1, 0, 0, 64 + len(body), len(part), 0, 0, 1, 0)
        body += part
    path.write_bytes(struct.pack("<6s10xHHIQQQIHHHHHH", b"\x7fELF\2\1", 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64,
                                 len(parts), len(parts) - 1) + body + heads)
    return path


def test_modules(machine: Machine) -> None:
    """Tests rust-kbuild check."""
    def check(*words: object) -> subprocess.CompletedProcess[str]:
        return machine.call("check", "--headers", machine.headers, *words)

    here = machine.directory
    good = module(here / "good.ko", ["_RNvThere", "kmalloc"], exports=("offered",))
    done = check(good)
    assert done.returncode == 0 and "all of its 2 imports, 1 of them Rust's" in done.stderr, done
    refused(check(module(here / "old.ko", [], "6.12.0")), f"old.ko was built for Linux 6.12.0, not {RELEASE}")
    refused(check(module(here / "other.ko", ["_RNvGone", "_RNvLost"])),
            f"other.ko needs _RNvGone, which Linux {RELEASE} lacks: the compiler or the source differs")
    user = module(here / "user.ko", ["offered"])
    refused(check(user), "user.ko needs offered, which")
    assert check(user, good).returncode == 0
    machine.write(here / "symvers", "0x00000000\toffered\tgood\tEXPORT_SYMBOL\t\n")
    assert check("--symvers", here / "symvers", user).returncode == 0
    for value, status in ((0x12345678, 0), (0x12345679, 1)):
        done = check(module(here / "sums.ko", ["kmalloc"], sums=struct.pack("<Q56s", value, b"kmalloc")))
        assert done.returncode == status, done
        assert not status or "its checksum (CONFIG_MODVERSIONS) is 0x12345679" in done.stderr, done
    (here / "cut.ko").write_bytes(good.read_bytes()[:-80])
    refused(check(here / "cut.ko"), "cut.ko is cut short")
    machine.write(here / "text.ko", "x" * 100)
    refused(check(here / "text.ko"), "text.ko is not a kernel module")
    machine.write(here / "bad.ko.xz", "x" * 100)
    refused(check(here / "bad.ko.xz"), "bad.ko.xz cannot be unpacked")
    packed = here / "good.ko.zst"
    packed.write_bytes(good.read_bytes())
    refused(check(packed), "there is no zstd: install zstd")
    machine.program("zstd", "exec /bin/cat")
    assert "good.ko.zst: all of its 2 imports" in check(packed).stderr
    machine.program("zstd", "echo 'zstd: /*stdin*\\: unsupported format' >&2; exit 1")
    refused(check(packed), "good.ko.zst cannot be unpacked: /*stdin*\\: unsupported format")
    machine.write(here / "packed.ko.bz2", "")
    refused(check(here / "packed.ko.bz2"), "packed.ko.bz2 is neither a .ko")
    refused(machine.call("check", module(here / "away.ko", [], "9.9.9-none")), "no headers of Linux 9.9.9-none")
