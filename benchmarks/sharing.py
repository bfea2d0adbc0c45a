"""Ways to share all cores out between decoding and the network, without queue and ledger."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks import photos
from tagtray.config import settings as configuration
from tagtray.imaging.decode import decode_into
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, torch_engine
from tagtray.worker.engines.classifier import Classifier
from tagtray.worker.supervision.resources import available_cpus

BATCH = 16
SPEC = ModelStore().default.input

Batches = Sequence[Sequence[Path]]
Work = Callable[[Sequence[Classifier], Batches], None]


def ways(folder: Path) -> dict[str, Callable[[], float]]:
    """Each way as a function that classifies the images of ``folder`` and returns seconds."""
    cores = available_cpus()
    return {
        "a process for each core": partial(_seconds, folder, cores, 1, alternating),
        "one process, threads": partial(_seconds, folder, 1, cores, alternating),
        "one process, threads, decoding beside": partial(_seconds, folder, 1, cores, overlapping),
    }


def alternating(classifiers: Sequence[Classifier], batches: Batches) -> None:
    """Decode a batch, then classify it, and so on."""
    for batch in batches:
        _decode(classifiers[0], batch)
        classifiers[0].classify(len(batch))


def overlapping(classifiers: Sequence[Classifier], batches: Batches) -> None:
    """A thread for each core decodes the next batch while this one is classified; two sets of slots."""
    with ThreadPoolExecutor(available_cpus()) as pool:
        _decode(classifiers[0], batches[0], pool)
        for number, batch in enumerate(batches):
            here, other = classifiers[number % 2], classifiers[1 - number % 2]
            classified = pool.submit(here.classify, len(batch))
            if number + 1 < len(batches):
                _decode(other, batches[number + 1], pool)
            classified.result()


def _decode(into: Classifier, batch: Sequence[Path], pool: ThreadPoolExecutor | None = None) -> None:
    run = pool.map if pool else map
    list(run(_decode_one, into.slots, batch))


def _decode_one(slot: object, path: Path) -> None:
    decode_into(slot, path.read_bytes(), SPEC, exact=False, max_pixels=10**8)  # type: ignore[arg-type]


def _seconds(folder: Path, processes: int, threads: int, work: Work) -> float:
    """Wall clock from the moment that all have their network until the last image."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    paths = list(photos.in_order(folder))
    parts = [paths[number::processes] for number in range(processes)]
    running = [context.Process(target=_process, args=(part, threads, work, barrier)) for part in parts]
    for process in running:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    for process in running:
        process.join()
    return time.perf_counter() - began


def _process(paths: Sequence[Path], threads: int, work: Work, barrier: Barrier) -> None:
    model, home = ModelStore().default, configuration.load().home
    made = [torch_engine.load(model, home, rollup.load(model), BATCH, threads) for _ in range(2)]
    for one in made:
        one.warm_up()
    barrier.wait()
    work(made, [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)])
