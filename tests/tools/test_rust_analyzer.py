# SPDX-License-Identifier: GPL-2.0-only
"""rust-analyzer resolves definitions across crates, with the files that are generated for editors.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import ide, kbuild
from kalloc_dev.toolchain import crates
from kalloc_dev.toolchain.compilers import toolchain

pytestmark = pytest.mark.long

PATIENCE = 240.0
# A file, a line of it with the word in brackets, and the file and line of the definition.
WAYS = (
    ("samples/kalloc_exercise.rs", "kalloc::[register](module, workload::SITES)?;", "rust/accounting/registry.rs",
     "pub fn register("),
    ("samples/exercise/workload.rs", "[KmemCache]::", "rust/slab.rs", "pub struct KmemCache<"),
    ("samples/exercise/workload.rs", "[KBox]::", "rust/alloc/kmalloc.rs", "pub type KBox<"),
    ("tests/kunit/kmalloc.rs", "[usable_size](", "rust/alloc/kmalloc.rs", "pub fn usable_size("),
    ("bench/cache.rs", "KmemCache::[new](", "rust/slab.rs", "pub fn new("),
    ("rust/module.rs", "-> impl PinInit<Self, [Error]>", "rust/kernel/error.rs", "pub struct Error("),
    ("tools/kallocinfo/tests/comparing.rs", "-> [Snapshot]", "tools/kallocinfo/src/snapshot.rs", "pub struct Snapshot"),
)


class Server:
    """rust-analyzer, as an editor uses it."""

    def __init__(self) -> None:
        # It queries cargo about the programs, which may download crates.
        home, network = crates.home(), [Path(path) for path in crates.NETWORK if Path(path).exists()]
        call = toolchain().argv(["rust-analyzer"], env={"CARGO_HOME": str(home)}, binds=[home, *network])
        self._server = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._number = 0
        self._quiescent = False
        text = re.sub(r"^//.*", "", (TREE / ".vscode/settings.json").read_text())
        settings = {name.removeprefix("rust-analyzer."): value for name, value in json.loads(text).items()}
        # No build script runs, and nothing is compiled.
        settings |= {"cargo": {"buildScripts": {"enable": False}}, "checkOnSave": False, "procMacro": {"enable": False},
                     "cachePriming": {"enable": False}}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": TREE.as_uri(), "initializationOptions": settings,
                                "capabilities": {"experimental": {"serverStatusNotification": True},
                                                 "textDocument": {"definition": {"linkSupport": False}}}})
        self._say("initialized", {})

    def definition(self, file: Path, line: int, column: int) -> list[tuple[Path, int]]:
        """Returns the location of the definition, after all crates are loaded."""
        deadline = time.monotonic() + PATIENCE
        while not self._quiescent:
            assert time.monotonic() < deadline, "it does not become ready"
            self._receive()
        found = self.ask("textDocument/definition", {"textDocument": {"uri": file.as_uri()},
                                                     "position": {"line": line, "character": column}}) or []
        return [(Path(one["uri"].removeprefix("file://")), one["range"]["start"]["line"]) for one in found]

    def ask(self, method: str, params: object) -> Any:
        """Returns the answer to a request."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def end(self) -> None:
        """Ends the server."""
        self._server.kill()
        self._server.wait()

    def _say(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._server.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._server.stdout
        length = 0
        while line := self._server.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert length, "rust-analyzer has ended"
        message: dict[str, Any] = json.loads(self._server.stdout.read(length))
        if message.get("method") == "experimental/serverStatus":
            self._quiescent = message["params"]["quiescent"]
            print(f"status: {message['params'].get('health')} {message['params'].get('message') or ''}", flush=True)
        elif "id" in message and "method" in message:
            # It requests settings and file watches, and nothing else.
            items = message["params"].get("items") if isinstance(message["params"], dict) else None
            self._send({"id": message["id"], "result": [None] * len(items) if items else None})
        return message


def uses(text: str) -> Iterator[tuple[int, int, str]]:
    """Returns the names from other kernel crates in a source, each with its line and column."""
    for number, line in enumerate(text.splitlines()):
        for name in re.finditer(r"\b(?<!\$)(?:kalloc|kernel)::(\w+)", line.partition("//")[0]):
            yield number, name.start(1), name[1]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Returns the language server, with the description of the tree."""
    if not toolchain().program("rust-analyzer").exists():
        pytest.skip("the host has no rust-analyzer")
    debug, = set_up("debug")
    ide.rust_analyzer(kbuild.tree_of(debug))
    server = Server()
    yield server
    server.end()


@pytest.mark.parametrize(("name", "text", "target", "has"), WAYS, ids=[f"{way[0]}-{way[3].split()[-1]}" for way in WAYS])
def test_definition(server: Server, name: str, text: str, target: str, has: str) -> None:
    """The server finds the definition of a word in another crate."""
    file = TREE / name
    before, word, after = re.split(r"[\[\]]", text)
    lines = file.read_text().splitlines()
    line = next((number for number, one in enumerate(lines) if before + word + after in one), None)
    assert line is not None, f"{name} has no {before + word + after}"
    found = server.definition(file, line, lines[line].index(before + word + after) + len(before))
    assert any(str(path).endswith(target) and has in path.read_text().splitlines()[at] for path, at in found), found


@pytest.mark.parametrize("root", [pytest.param(root, id=str(root.relative_to(TREE))) for root in ide.roots()])
def test_crate(server: Server, root: Path) -> None:
    """From each crate, the server finds a definition in another one."""
    line, column, word = next(uses(root.read_text()))
    found = server.definition(root, line, column)
    assert any(not path.is_relative_to(root.parent) or path.parent == TREE / "rust" for path, _ in found), (word, found)
