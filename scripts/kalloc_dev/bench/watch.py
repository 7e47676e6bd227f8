# SPDX-License-Identifier: GPL-2.0-only
"""The costs that kalloc_watch adds to allocations on Debian's kernel, in instructions."""

import io
from collections.abc import Iterator

from kalloc_dev.bench.bounds import WATCH_ALLOC, WATCH_FREE, WATCH_LOAD, WATCH_PAIR, WATCHED
from kalloc_dev.bench.result import Result
from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.modules import kbuild
from rust_kbuild.console import Failure

GROUP = "watch"
SCRIPT = TREE / "tests/guest/watch/cost.sh"


def measure(timeout: float) -> list[Result]:
    """Returns the costs without a watch as those of C, and the costs with one as those of kalloc."""
    stock, = set_up("stock")
    text = io.BytesIO()
    guest = Guest(stock, f"sh /{SCRIPT.name}", cpus=1, icount=True, timeout=timeout, add=[(SCRIPT, SCRIPT.name)],
                  modules=kbuild.image(stock))
    ended = boot(guest, text)
    if ended.status:
        raise Failure(f"the costs of kalloc_watch are not measured: the guest's status is {ended.status}", ended.log)
    return list(_parse(text.getvalue().decode()))


def _parse(text: str) -> Iterator[Result]:
    """Yields the results in the lines of the script: a name and numbers, of which the least count."""
    costs: dict[str, list[float]] = {}
    for name, *numbers in (line.split() for line in text.splitlines() if not line.startswith("#")):
        now = [float(number) for number in numbers]
        costs[name] = [min(pair) for pair in zip(now, costs.get(name, now))]
    for state, watched in WATCHED.items():
        load = state.startswith("load")
        scenarios = (WATCH_LOAD,) if load else (WATCH_PAIR, WATCH_ALLOC, WATCH_FREE)
        for side, name in (("c", "load-none" if load else "none"), ("kalloc", state)):
            for scenario, cost in zip(scenarios, costs[name]):
                yield _result(f"{scenario}, {watched}", side, cost)


def _result(scenario: str, side: str, cost: float) -> Result:
    """Returns a result without a parameter."""
    return Result(GROUP, scenario, 0, side, cost, cost, cost, cost, cost, False)
