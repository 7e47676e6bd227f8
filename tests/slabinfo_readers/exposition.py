# SPDX-License-Identifier: GPL-2.0-only
"""A strict parser of Prometheus' text format 0.0.4: input that a collector would reject is an error.

prometheus_client's parser of this format is lax; its parser of OpenMetrics is strict, but drops a repeated sample and keeps
an unknown escape. For counters and gauges the formats differ in two points: OpenMetrics has a mark at the end, and the HELP
and TYPE of a counter lack the suffix of its samples.
"""

import re

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

SUFFIXES = {"counter": "_total", "gauge": ""}
TOTAL = re.compile(r"^(# (?:HELP|TYPE) \w+)_total ", re.M)
ESCAPE = re.compile(r'\\[\\"n]')

# The key that distinguishes a sample from all others.
Key = tuple[str, tuple[tuple[str, str], ...]]


def samples(text: str) -> dict[Key, int]:
    """Returns all samples; each belongs to the metric with the preceding HELP and TYPE."""
    if "\\" in ESCAPE.sub("", text):
        raise ValueError("an unknown escape")
    found: dict[Key, int] = {}
    for family in text_string_to_metric_families(TOTAL.sub(r"\1 ", text) + "# EOF\n"):
        if family.type not in SUFFIXES or not family.documentation or family.unit:
            raise ValueError(f"no HELP or TYPE, or more: {family}")
        for sample in family.samples:
            if sample != Sample(family.name + SUFFIXES[family.type], sample.labels, abs(sample.value)):
                raise ValueError(f"no sample of {family.name}: {sample}")
            found[sample.name, tuple(sorted(sample.labels.items()))] = int(sample.value)
    if len(found) != sum(not line.startswith("#") for line in text.splitlines()):
        raise ValueError("a sample twice")
    return found


def values(found: dict[Key, int], metric: str) -> dict[str, int]:
    """Returns the samples of a metric whose only labels are `source` and `site`; all have one source."""
    chosen = [(dict(labels_), value) for (name, labels_), value in found.items() if name == metric]
    if len({labels_["source"] for labels_, _ in chosen}) > 1:
        raise ValueError(f"sources: {chosen}")
    return {labels_["site"]: value for labels_, value in chosen if len(labels_) == 2}
