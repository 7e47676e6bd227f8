# SPDX-License-Identifier: GPL-2.0-only
"""Output that is printed once: numbers of the file, texts for other programs, and error messages.
"""

import json
import os
import re
import signal
import stat
import subprocess
import threading
import time

import exposition
from given import Given, call, site, slabinfo
from shown import cells
from slabinfo import HEADER, Row


def table(given: Given) -> None:
    """--once prints the rows in every order."""
    rows = given.put()
    lines = given.run("--once", given.file).splitlines()
    assert lines[0] == "Rows: 4  Live: 779 / 912 (85.4%)  Slabs: 46  Size: 240.0K", lines[0]
    assert lines[2].split() == "NAME LIVE OBJS USE OBJSIZE SLABS SIZE SHARE".split(), lines[2]
    whole = sum(row.bytes for row in rows)
    by_size = sorted(rows, key=lambda row: -row.bytes)
    assert [line.split() for line in lines[3:]] == [cells(row, whole) for row in by_size], lines
    for words, order in (
            (("-s", "name"), sorted(rows, key=lambda row: row.name)), (("-s", "live"), sorted(rows, key=lambda row: -row.active)),
            (("-s", "obj-size", "-r"), sorted(rows, key=lambda row: row.size)), (("-n", "2"), by_size[:2]),
            (("-s", "OBJSIZE"), sorted(rows, key=lambda row: -row.size)),
            (("-s", "Objs"), sorted(rows, key=lambda row: -row.objects)),
            (("-s", "SHARE", "-n", "0"), []), (("-n", "99"), by_size), (("-f", "C IG"), [rows[1]]),
            (("--filter", "no such"), [])):
        shown = [line.split() for line in given.run("-1", *words, given.file).splitlines()[3:]]
        sums = sum(row.bytes for row in order) if "C IG" in words else whole
        assert shown == [cells(row, sums) for row in order], (words, shown)
    with_sites = given.run("--once", given.file, "--sites", given.sites, "-f", "driver.rs").splitlines()
    assert with_sites[2].split()[-3:] == ["FAILED", "WASTE", "PEAK"], with_sites
    assert with_sites[3].split()[-3:] == ["6", "12.1%", "50"], with_sites
    found = given.run("--once", "-s", "FAILED", given.file, "--sites", given.sites).splitlines()[3]
    assert found.startswith("vector"), found
    assert given.run("-1", given.file, "-o", "-") == given.run("-1", given.file)
    assert given.run("--once", "-", text=open(given.file, encoding="ascii").read()) == given.run("--once", given.file)


def as_json(given: Given) -> None:
    """--json prints all data, and can be read back."""
    rows = given.put()
    text = given.run("--json", given.file, "--sites", given.sites)
    read = json.loads(text)
    assert [row["name"] for row in read["rows"]] == [row.name for row in rows]
    assert [row["bytes"] for row in read["rows"]] == [row.bytes for row in rows]
    assert read["totals"]["bytes"] == sum(row.bytes for row in rows)
    assert read["rows"][3]["site"] == json.loads(site(40, 100))
    assert abs(read["taken_ms"] / 1000 - time.time()) < 60
    kept = str(given.directory / "kept.json")
    assert given.run("--json", given.file, "--sites", given.sites, "-o", kept) == ""
    assert given.run("-1", kept) == given.run("-1", given.file, "--sites", given.sites)
    assert given.run("--json", kept) == open(kept, encoding="utf-8").read()
    # In other formats, as jq and other programs write it.
    other = str(given.directory / "other.json")
    for sites, one in ((False, read), (True, read["rows"][3]["site"])):
        name = given.sites if sites else kept
        for text in (json.dumps(one, indent=2), json.dumps([one], indent="\t"), json.dumps(one, sort_keys=True),
                     json.dumps(one, separators=(",", ":")), "\ufeff \n" + json.dumps(one) + "\n\n"):
            given.write(other, text)
            assert given.run("-1", other) == given.run("-1", name), text
            if sites:
                assert given.run("-1", given.file, "--sites", other) == given.run("-1", kept), text
            given.write(other, text.rstrip()[:-1])
            last = len(text.rstrip().splitlines())
            said = given.run("-1", other, status=1)
            assert re.fullmatch(fr"kalloctop: {other}: line {last}: column \d+: EOF while parsing .*\n", said), said


def metrics(given: Given) -> None:
    """--prometheus follows the format, and has the numbers of the file."""
    rows = given.put()
    found = exposition.samples(given.run("--prometheus", given.file, "--sites", given.sites))
    assert exposition.values(found, "kalloc_active_objects") == {row.name: row.active for row in rows}
    assert exposition.values(found, "kalloc_held_bytes") == {row.name: row.bytes for row in rows}
    assert exposition.values(found, "kalloc_frees_total") == {"vector": 60}
    assert found["kalloc_sized_allocations_total", (("site", "vector"), ("source", given.file), ("up_to", "256"))] == 100
    # Both files have rows of the same names.
    other = str(given.directory / "other")
    given.write(other, slabinfo(rows))
    both = [exposition.samples(given.run("--prometheus", file)) for file in (given.file, other)]
    assert len(both[0]) == len(both[1]) == 5 * len(rows) and not set(both[0]) & set(both[1]), both
    text = given.run("--prometheus", "-", text=slabinfo(rows))
    assert {dict(labels)["source"] for _, labels in exposition.samples(text)} == {"-"}


def differences(given: Given) -> None:
    """--diff prints exactly the changes between files of either kind."""
    before, after = str(given.directory / "before"), str(given.directory / "after")
    given.put()
    given.write(given.sites, site(40, 100))
    given.run("--json", given.file, "--sites", given.sites, "-o", before)
    given.put(vector=5, dentry=-6)
    given.write(given.sites, site(45, 200))
    given.run("--json", given.file, "--sites", given.sites, "-o", after)
    lines = [line.split() for line in given.run("--diff", before, after).splitlines()]
    assert lines[0] == ["NAME", "LIVE", "+LIVE", "SIZE", "+SIZE", "ALLOCS", "FREES"], lines
    assert lines[1] == ["vector", "45", "+5", "36.0K", "+20.0K", "100", "95"], lines
    assert lines[2] == ["dentry", "730", "-6", "136.0K", "-24.0K", "-", "-"], lines
    assert lines[3][:5] == ["TOTAL", "778", "-1", "236.0K", "-4.0K"] and len(lines) == 4, lines
    assert lines[3][5:6] == ["in"], lines
    for count in (0, 1, 2):
        shorter = [line.split() for line in given.run("--diff", before, after, "-n", str(count)).splitlines()]
        assert shorter == lines[:1 + count] + lines[3:], (count, shorter)
    with open(before, encoding="utf-8") as file:
        assert given.run("--diff", "-", after, text=file.read()) == given.run("--diff", before, after)
    # Two kalloc files are compared in the same way; a file does not differ from itself.
    assert given.run("--diff", given.file, after).splitlines()[-1].split()[2] == "0"
    assert len(given.run("--diff", before, before).splitlines()) == 2


def leaks(given: Given) -> None:
    """--leaks prints the sites that did not shrink, the fastest growing first."""
    given.put(vector=9)

    def change() -> None:
        for more in range(1, 12):
            time.sleep(0.1)
            given.put(vector=9 - more if more < 5 else 5, dentry=min(more, 7))

    changes = threading.Thread(target=change)
    changes.start()
    lines = given.run("--leaks=1.5", "-d", "0.1", given.file).splitlines()
    changes.join()
    assert lines[1].split() == ["dentry", "743", "+7", "188.0K", "+28.0K", "-", "1s"], lines
    assert lines[2].split()[:5] == ["big", "cache", "3", "0", "64.0K"] and len(lines) == 3, lines
    lines = given.run("--leaks=0.1", "-n", "1", given.file, "-o", "-").splitlines()
    assert len(lines) == 2 and lines[1].startswith("dentry"), lines


def files(given: Given) -> None:
    """-o replaces a whole file, or the target of a link, or nothing."""
    kept = given.directory / "kept.prom"
    link = given.directory / "link.prom"
    kept.write_text("as it was\n")
    link.symlink_to(kept)
    given.run("--prometheus", str(given.directory / "none"), "-o", str(link), status=1)
    assert kept.read_text() == "as it was\n"
    given.run("--prometheus", given.file, "-o", str(link))
    assert link.is_symlink() and exposition.samples(kept.read_text())
    given.run("--prometheus", given.file, "-o", "/dev/null")
    assert not os.path.isfile("/dev/null")
    left = [path.name for path in given.directory.iterdir() if "tmp" in path.name]
    assert not left, left


def modes(given: Given) -> None:
    """-o keeps the mode, group and owner of the file that it replaces; a new file has mode 0644."""
    path = given.directory / "kept.prom"
    # Root may choose any owner and group, other users one of their groups.
    owner, group = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getgroups()[-1])
    mask = os.umask(0o077)
    try:
        for mode in (None, 0o640, 0o600, 0o666):
            if mode is not None:
                os.chown(path, owner, group)
                path.chmod(mode)
            before = path.stat() if mode is not None else None
            given.run("--prometheus", given.file, "-o", str(path))
            after = path.stat()
            assert stat.S_IMODE(after.st_mode) == (mode or 0o644), (mode, oct(after.st_mode))
            if before:
                assert before.st_ino != after.st_ino, "it was written in place"
                assert (after.st_uid, after.st_gid) == (owner, group), (mode, after)
    finally:
        os.umask(mask)


def mistakes(given: Given) -> None:
    """An error is one line with status 1; a usage error has status 2."""
    bad = str(given.directory / "bad")
    given.write(bad, open(given.file, encoding="ascii").read().replace("slabdata 2 2", "slabdata two 2"))
    for words, said in (
            ((bad,), f"kalloctop: {bad}: line 4: `two` is not a number\n"),
            (("/none",), "kalloctop: /none: No such file or directory\n"),
            ((str(given.directory),), f"kalloctop: {given.directory}: Is a directory\n"),
            ((given.file, "-s", "LIVE/s"), "kalloctop: --sort LIVE/s: the table has no such column, only "
             "NAME, LIVE, OBJS, USE, OBJSIZE, SLABS, SIZE, SHARE\n"),
            ((given.file, "-o", "/none/x"), "kalloctop: /none/x: No such file or directory\n"),
            ((given.file, "-o", "/dev/full"), "kalloctop: /dev/full: No space left on device\n")):
        assert given.run("--once", *words, status=1) == said, (words, said)
    given.write(bad, "slabinfo - version: 2.1\n# name\n\xff\n")
    (given.directory / "bad").write_bytes(b"slabinfo - version: 2.1\n# name\n\xff\n")
    assert given.run("--json", bad, status=1) == f"kalloctop: {bad}: line 3: it is no UTF-8 text\n"
    assert "is no terminal: try --once" in given.run(given.file, status=1)
    wrong: tuple[tuple[str, ...], ...] = (
        ("--once", "--json"), ("-d", "0"), ("-d", "nan"), ("--diff", "one"), ("--leaks=x",), ("-s", "none"),
        ("--no-such",), ("-o", "x"), ("-o", "-"), ("-n", "1"), ("--json", "-n", "1"), ("--prometheus", "-n", "1"),
        ("--json", "-s", "live"), ("--prometheus", "-r"), ("--leaks", "-s", "live"), ("--diff", "x", "x", "-r"))
    for mistake in wrong:
        given.run(*mistake, status=2)


def read_once(given: Given) -> None:
    """A mode that reads repeatedly rejects standard input and a pipe at once; no mode reads standard input twice."""
    end, pipe = os.pipe()
    once = "it can be read only once: try --once, or --json or --prometheus\n"
    with subprocess.Popen([given.program, f"/dev/fd/{end}"], pass_fds=[end], stderr=subprocess.PIPE, text=True) as program:
        assert program.communicate(timeout=60)[1] == f"kalloctop: /dev/fd/{end}: {once}"
        assert program.returncode == 1
    for words in (("-",), ("--leaks=600", "-"), ("--leaks=600", given.file, "--sites", "-")):
        assert given.run(*words, status=1) == f"kalloctop: -: {once}", words
    for twice in (("--diff", "-", "-"), ("--once", "-", "--sites", "-")):
        assert given.run(*twice, status=1) == "kalloctop: -: standard input can be only one of the files\n", twice
    assert given.run("--leaks=600", given.file, "-o", "/none/x", status=1) == "kalloctop: /none/x: No such file or directory\n"
    os.close(end)
    os.close(pipe)


def odd_names(given: Given) -> None:
    """Wide characters align; control and format characters are escaped in every table and error."""
    wide = {"漢字": 4, "\N{PENGUIN}": 2, "e\u0301": 1}
    control = {"esc\x1b[31m": r"esc\u{1b}[31m", "csi\x9b1m": r"csi\u{9b}1m", "bidi\u202e": r"bidi\u{202e}",
               "iso\u2066": r"iso\u{2066}", "line\u2028": r"line\u{2028}", "bom\ufeff": r"bom\u{feff}"}
    found = [Row(name, 1, 1, 64, 64, 1, 1, 1) for name in (*wide, *control)]
    given.write(given.file, HEADER + "".join(
        f"{row.name} 1 1 64 64 1 : tunables 0 0 0 : slabdata 1 1 0\n" for row in found))
    empty = str(given.directory / "empty")
    given.write(empty, HEADER)
    for words, start in ((("--once", given.file), 3), (("--diff", empty, given.file), 1), (("--leaks=0.1", given.file), 1)):
        text = given.run(*words)
        lines = [line for line in text.splitlines()[start:] if not line.startswith("TOTAL")]
        widths = {}
        for line in lines:
            name, numbers = re.split("  +", line, maxsplit=1)
            blanks = len(line) - len(name) - len(numbers)
            widths[name] = wide.get(name, len(name)) + blanks + len(numbers)
        assert set(widths) == set(wide) | set(control.values()), (words, text)
        assert len(set(widths.values())) == 1, (words, widths)
    given.write(given.sites, json.dumps({"format": "\x1b\u202e"}))
    said = given.run("-1", given.sites, status=1)
    assert r"unknown variant `\u{1b}\u{202e}`" in said, said


def closed_pipe(given: Given) -> None:
    """If the reader of the output exits, the program ends silently, like other programs."""
    for mode in ("--once", "--json", "--prometheus"):
        end, pipe = os.pipe()
        os.close(end)
        done = subprocess.run([given.program, mode, given.file], stdout=pipe, stderr=subprocess.PIPE, check=False)
        os.close(pipe)
        assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b""), done


def groups(given: Given) -> None:
    """--by adds up the rows of functions and modules, in each mode."""
    calls = [("xfs/xlog_alloc+0x1c", "xlog_alloc", 30), ("xfs/xlog_alloc+0x9a", "xlog_alloc", 12),
             ("zram/zs_new+0x11", "zs_new", 7)]
    given.write(given.sites, "".join(call(*words) for words in calls))
    for by, wanted in (("site", [("xfs/xlog_alloc+0x1c", 30), ("xfs/xlog_alloc+0x9a", 12), ("zram/zs_new+0x11", 7)]),
                       ("function", [("xfs/xlog_alloc", 42), ("zram/zs_new", 7)]), ("module", [("xfs", 42), ("zram", 7)])):
        lines = [line.split() for line in given.run("-1", "-b", by, given.sites).splitlines()]
        assert [(line[0], int(line[1])) for line in lines[3:]] == wanted, lines
        # The failures of a watched call are not known, nor is its waste.
        assert lines[2][-3:] == ["FAILED", "WASTE", "PEAK"] and lines[3][-3:-1] == ["-", "-"], lines
        read = json.loads(given.run("--json", "--by", by, given.sites))
        assert [(row["name"], row["live"]) for row in read["rows"]] == wanted, read
        found = exposition.samples(given.run("--prometheus", "--by", by, given.sites))
        assert exposition.values(found, "kalloc_active_objects") == dict(wanted), found
    before = str(given.directory / "before")
    given.run("--json", given.sites, "-o", before)
    given.write(given.sites, "".join(call(name, function, live + 1) for name, function, live in calls))
    lines = [line.split() for line in given.run("--diff", before, given.sites, "--by", "module").splitlines()]
    assert [line[:3] for line in lines[1:3]] == [["xfs", "44", "+2"], ["zram", "8", "+1"]], lines
    assert given.run("-1", "-f", "ZS_new", given.sites).splitlines()[3].startswith("zram/zs_new+0x11 ")


def not_watched(given: Given) -> None:
    """A module that cannot be watched is an error of one line."""
    refused = (("no_such_module", "no_such_module: there is no such module, loaded or in /lib/modules/"),
               ("a/../b", "a/../b: it is not the name of a module"))
    for name, said in refused:
        wanted = said if os.geteuid() == 0 else "watch: only root may load kalloc_watch"
        for words in (("-1",), ("--json", "-t", "1"), ("--leaks",), ()):
            told = given.run("watch", name, *words, status=1)
            assert told.startswith(f"kalloctop: {wanted}") and told.count("\n") == 1, told
    wrong: tuple[tuple[str, ...], ...] = ((), ("xfs", "-t", "5"), ("xfs", "--json", "-t", "0"),
                                          ("xfs", "--diff", "x", "x"))
    for mistake in wrong:
        given.run("watch", *mistake, status=2)
    given.run("--once", "watch", "xfs", status=2)


PARTS = (table, as_json, metrics, groups, not_watched, differences, leaks, files, modes, mistakes, read_once, odd_names,
         closed_pipe)
