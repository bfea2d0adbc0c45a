"""``python -m benchmarks --photos DIR``: tagtray, the peer and the upper bound, in turns, in one run.

Prints [least, median, most] of every figure and writes them to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import photos, report, runs

SIZES: Mapping[str, tuple[Callable[[Sequence[Path], Path, int], Path], int]] = {
    "camera": (photos.camera, 300),
    "small": (photos.small, 1500),
    "mixed": (photos.mixed, 200),
}


def main() -> int:
    """Measure what was asked for."""
    options = _options()
    sources = list(photos.in_order(options.photos))
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        for size in options.sizes:
            make, count = SIZES[size]
            folder = make(sources, Path(scratch) / size, options.count or count)
            result = _measure(folder, Path(scratch), options.ways, options.runs)
            _write(size, len(list(folder.iterdir())), options.runs, result)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="real photos to make the inputs from")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--ways", nargs="+", default=["torch-fp32"], metavar="ENGINE-PRECISION[-CHUNK]")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count", type=int, help="images instead of the usual number")
    return parser.parse_args()


def _measure(folder: Path, scratch: Path, ways: Sequence[str], rounds: int) -> dict[str, Any]:
    """In every round, one after the other: the peer, and for each way tagtray and the upper bound."""
    warm = scratch / "warm"
    warm.mkdir(mode=0o700, exist_ok=True)
    for way in ways:
        _ceiling(folder, warm, way)  # makes the network's file; not counted
    rows: list[dict[str, Any]] = []
    for _ in range(rounds):
        peer = runs.peer(folder)
        row = {"peer_seconds": peer, **{way: _compared(folder, warm, way, peer) for way in ways}}
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    return {"rounds": rows, "median": report.medians(rows)}


def _compared(folder: Path, warm: Path, way: str, peer: float) -> dict[str, float]:
    timed = runs.tagtray(folder, warm, _settings(way))
    assert timed.steady and timed.first_result, "too few images"
    ceiling = _ceiling(folder, warm, way)
    return {
        "seconds": timed.seconds,
        "times_faster": peer / timed.seconds,
        "first_result_seconds": timed.first_result,
        "steady_per_second": timed.steady,
        "ceiling_per_second": ceiling,
        "efficiency": timed.steady / ceiling,
    }


def _ceiling(folder: Path, home: Path, way: str) -> float:
    command = [sys.executable, "-m", "benchmarks.ceiling", str(folder)]
    environment = os.environ | _settings(way) | {"TAGTRAY_HOME": str(home)}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def _settings(way: str) -> dict[str, str]:
    engine, precision, *chunk = way.split("-")
    return {
        "TAGTRAY_ENGINE": engine,
        "TAGTRAY_PRECISION": precision,
        **({"TAGTRAY_CHUNK": chunk[0]} if chunk else {}),
    }


def _write(size: str, images: int, rounds: int, result: Mapping[str, Any]) -> None:
    report.write(size, {"images": images, "runs": rounds, **result})
    print(size, json.dumps(result["median"], indent=2))


if __name__ == "__main__":
    sys.exit(main())
