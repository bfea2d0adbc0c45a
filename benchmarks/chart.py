"""``python -m benchmarks.chart`` draws docs/performance.png from what the benchmarks wrote."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tools import performance_page

TARGET = Path(__file__).resolve().parents[1] / "docs" / "performance.png"


def main() -> None:
    """One panel for each input: times faster than the peer, with least and most."""
    inputs = performance_page.INPUTS
    figure = Figure((8, 1.2 + 1.3 * len(inputs)), layout="constrained")
    panels = figure.subplots(len(inputs), sharex=True, squeeze=False)[:, 0]
    for axes, (name, words) in zip(panels, inputs.items(), strict=True):
        _panel(axes, name, words)
    panels[-1].set_xlabel("times as fast as the peer's script, whole process")
    figure.savefig(TARGET, dpi=120)


def _panel(axes: Axes, name: str, words: str) -> None:
    median = performance_page.read(name)["median"]
    ways = {way: found["times_faster"] for way, found in median.items() if way != "peer_seconds"}
    middle = [most[1] for most in ways.values()]
    spread = [[m - w[0] for m, w in zip(middle, ways.values(), strict=True)]]
    spread.append([w[2] - m for m, w in zip(middle, ways.values(), strict=True)])
    bars = axes.barh([performance_page.in_words(way) for way in ways], middle, xerr=spread, capsize=3)
    axes.bar_label(bars, [f"{value:.2f}" for value in middle], padding=12)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_title(words, loc="left", fontsize="medium")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
