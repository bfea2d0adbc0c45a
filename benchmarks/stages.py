"""Where the time of one worker goes: milliseconds per image of each stage, on one core.

``python -m benchmarks.stages --photos DIR``: the real queue, ledger and pipeline with torch in fp32.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import overhead, photos, report
from tagtray.config import settings as configuration
from tagtray.db.ledger import Ledger
from tagtray.weights.store import ModelStore
from tagtray.worker.batch import fill
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines import rollup, torch_engine
from tagtray.worker.engines.classifier import BatchClassifier
from tagtray.worker.supervision.resources import ONE_BLAS_THREAD

#: Images of each size; full batches.
CAMERA, SMALL, BATCH = 96, 512, 16
#: Stages by where they happen; a stage that lies in another one is taken off that one.
STAGES = {
    "read, hash": (RootReader, "read"),
    "decode": (fill, "decode_into"),
    "network": (BatchClassifier, "_infer"),
    "Top-3, tags": (BatchClassifier, "classify"),
    "ledger: claim": (Ledger, "claim"),
    "ledger: known": (Ledger, "classified"),
    "ledger: commit": (Ledger, "commit"),
}


def measure(folder: Path, network: BatchClassifier) -> dict[str, float]:
    """Milliseconds per image of each stage; ``queue and the rest`` is what no stage holds."""
    spent: dict[str, float] = dict.fromkeys(STAGES, 0.0)
    with (
        overhead.world(folder, network, BATCH, BATCH) as (feeder, worker, _),
        contextlib.ExitStack() as stack,
    ):
        for name, (owner, attribute) in STAGES.items():
            stack.enter_context(_timed(owner, attribute, name, spent))
        began = time.perf_counter()
        feeder.feed()
        worker.work(logging_level="ERROR")
        total = time.perf_counter() - began
    spent["Top-3, tags"] -= spent["network"]
    spent["queue and the rest"] = total - sum(spent.values())
    images = len(list(folder.iterdir()))
    return {name: 1e3 * seconds / images for name, seconds in spent.items()}


@contextlib.contextmanager
def _timed(owner: Any, attribute: str, name: str, spent: dict[str, float]) -> Iterator[None]:
    work: Callable[..., Any] = getattr(owner, attribute)

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - began

    with mock.patch.object(owner, attribute, timed):
        yield


def _rounds(folders: Mapping[str, Path], rounds: int) -> list[dict[str, dict[str, float]]]:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    home = configuration.load().home
    model = ModelStore().default
    network = torch_engine.load(model, home, rollup.load(model), BATCH)
    return [{name: measure(folder, network) for name, folder in folders.items()} for _ in range(rounds)]


def main() -> int:
    """Both sizes in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="real photos to make the inputs from")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.update(ONE_BLAS_THREAD)
    sources = list(photos.in_order(options.photos))
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folders = {
            "camera": photos.camera(sources, Path(scratch) / "camera", CAMERA),
            "small": photos.small(sources, Path(scratch) / "small", SMALL),
        }
        # A process of its own: numpy reads the environment when it is imported.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            rows = pool.submit(_rounds, folders, options.rounds).result()
    found = report.medians(rows)
    print(json.dumps(found, indent=2))
    report.write("stages", {"unit": "ms per image", "rounds": options.rounds, "median": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
