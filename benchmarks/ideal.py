"""The ideal: decode and forward alone, one process per core, no queue, no ledger, no results kept.

``python -m benchmarks.ideal FOLDER`` prints images per second in steady state.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks import photos
from config import settings as configuration


def rate(folder: Path, workers: int) -> float:
    """Images per second of ``workers`` processes that share the pictures of ``folder``."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    paths = list(photos.in_order(folder))
    parts = [paths[number::workers] for number in range(workers)]
    processes = [context.Process(target=_work, args=(part, barrier)) for part in parts]
    for process in processes:
        process.start()
    barrier.wait()
    start = time.perf_counter()
    for process in processes:
        process.join()
    return len(paths) / (time.perf_counter() - start)


def _work(paths: Sequence[Path], barrier: Barrier) -> None:
    from imaging.decode import decode_into
    from weights import catalogue, manifest
    from worker import engines
    from worker.rollup import RollUp

    settings = configuration.load()
    entry = manifest.model("resnet18")
    roll_up = RollUp(*catalogue.membership())
    choice = engines.choose(settings)
    classifier = engines.load(choice, entry, settings.home, roll_up, settings.batch_size, 1)
    classifier.warm_up()
    barrier.wait()
    for start in range(0, len(paths), settings.batch_size):
        batch = paths[start : start + settings.batch_size]
        for slot, path in enumerate(batch):
            decode_into(
                classifier.slots[slot],
                path.read_bytes(),
                exact=settings.exact,
                max_pixels=settings.max_pixels,
            )
        classifier.classify(len(batch))


if __name__ == "__main__":
    from worker.cpus import available_cpus

    print(f"{rate(Path(sys.argv[1]), available_cpus()):.1f}")
