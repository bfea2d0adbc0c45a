"""The tables of ``docs/performance.md``, from what the benchmarks wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"

#: Pictures of a benchmark, in words.
INPUTS = {
    "camera": "JPEGs of 12 megapixels",
    "small": "JPEGs of about 500 x 375",
    "mixed": "HEIC, PNG, WebP and JPEG in turns",
}
#: What the ablations compare, in words.
GROUPS = {
    "decode_camera": "decoding a JPEG of 12 megapixels, one core",
    "decode_small": "decoding a JPEG of about 500 x 375, one core",
    "network": "the network in fp32 on one core, each way with one step more",
    "sharing_camera": "all cores, decode and forward, 12 megapixels",
    "sharing_small": "all cores, decode and forward, about 500 x 375",
}

Median = Sequence[float]


def comparison() -> str:
    """The peer, tagtray and the ideal on every input."""
    parts = [
        _comparison(name, words) for name, words in INPUTS.items() if (RESULTS / f"{name}.json").exists()
    ]
    return "\n".join(parts)


def ablations() -> str:
    """Every choice on the hot path with and without it."""
    found = read("ablations")
    rows = []
    for group, words in GROUPS.items():
        ways = found[group]
        first = next(iter(ways.values()))
        rows += [(words, name, _median(ms), f"{first[1] / ms[1]:.2f}") for name, ms in ways.items()]
    return table(("what", "way", "ms per image", "times the first"), rows)


def read(name: str) -> Mapping[str, Any]:
    """What a benchmark wrote."""
    found: Mapping[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _comparison(name: str, words: str) -> str:
    report = read(name)
    median = report["median"]
    peer = median["peer_seconds"]
    rows: list[tuple[str, ...]] = [
        ("the peer", f"{_median(peer)} s", "1", "", f"{report['images'] / peer[1]:.1f}", "", "")
    ]
    rows += [_way(way, figures) for way, figures in median.items() if way != "peer_seconds"]
    head = (
        "",
        "whole process",
        "times faster",
        "first result",
        "steady images/s",
        "decode and forward alone",
        "share",
    )
    title = f"**{report['images']:,} {words}**, {report['runs']} runs in turns, {_machine(report)}\n\n"
    return title + table(head, rows)


def _way(way: str, figures: Mapping[str, Median]) -> tuple[str, ...]:
    return (
        way.replace("-", " "),
        f"{_median(figures['seconds'])} s",
        _median(figures["times_faster"], 2),
        f"{figures['first_result_seconds'][1]:.1f} s",
        f"{figures['steady_per_second'][1]:.1f}",
        f"{figures['ideal_per_second'][1]:.1f}",
        _median(figures["share_of_ideal"], 2),
    )


def _machine(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    return f"{machine['cores']} cores of {machine['processor']} ({machine['instructions']}), {report['date']}"


def _median(figures: Median, digits: int = 1) -> str:
    least, median, most = figures
    return f"{median:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"
