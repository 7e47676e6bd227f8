# SPDX-License-Identifier: GPL-2.0
"""Prometheus' text format 0.0.4, read strictly: what a collector would refuse is an error here."""

import re

HELP = re.compile(r"# HELP ([a-zA-Z_:][\w:]*) (\S.*)")
TYPE = re.compile(r"# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge)")
# Go writes large numbers with an exponent.
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\d+(?:\.\d+)?(?:e\+\d+)?)")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

# What tells a sample from all others.
Key = tuple[str, tuple[tuple[str, str], ...]]


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """The labels between the braces, sorted."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        label = LABEL.match(text, at)
        if not label or label[1] in found:
            raise ValueError(f"no label: {text[at:]!r}")
        found[label[1]] = re.sub(r"\\.", lambda escape: ESCAPED[escape[0]], label[2])
        at = label.end()
    return tuple(sorted(found.items()))


def samples(text: str) -> dict[Key, int]:
    """All samples; each belongs to the metric whose HELP and TYPE stand above it."""
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no end")
    found: dict[Key, int] = {}
    metrics: set[str] = set()
    helped = typed = None
    for line in text.splitlines():
        if is_help := HELP.fullmatch(line):
            helped, typed = is_help[1], None
            if helped in metrics:
                raise ValueError(f"twice: {line!r}")
            metrics.add(helped)
        elif is_type := TYPE.fullmatch(line):
            typed = is_type[1]
            if typed != helped or (is_type[2] == "counter") != typed.endswith("_total"):
                raise ValueError(f"not its type: {line!r}")
        elif sample := SAMPLE.fullmatch(line):
            key = sample[1], labels(sample[2] or "")
            if sample[1] != typed or key in found:
                raise ValueError(f"not here: {line!r}")
            found[key] = int(float(sample[3]))
        else:
            raise ValueError(f"no line of the format: {line!r}")
    return found


def values(found: dict[Key, int], metric: str) -> dict[str, int]:
    """What a metric with no label but `site` says of each."""
    return {dict(labels_)["site"]: value for (name, labels_), value in found.items()
            if name == metric and len(labels_) == 1}
