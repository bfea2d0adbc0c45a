"""How a HEIC is decoded fastest, and what its own thumbnail costs in other labels.

``python -m benchmarks.heic FOLDER [--keep DIR]`` makes HEICs of 12 megapixels from a folder of labelled photos,
with thumbnails as phones write them, and measures in turns: [least, median, most] milliseconds per image, and
first labels that differ from those of the whole images.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif

from benchmarks import agreement, photos, report
from tagtray.imaging import decode, formats
from tagtray.weights.store import ModelStore
from tagtray.worker.supervision.resources import available_cpus

#: Images that are decoded in each turn.
IMAGES = 8
#: Shorter sides in pixels of the thumbnails in images of 4 : 3.
SIDES = {f"a thumbnail of {side} x {side * 3 // 4}": side * 3 // 4 for side in photos.THUMBNAILS}

SPEC = ModelStore().default.input


def decoded(data: bytes, least: int | None = None, threads: int = 1) -> None:
    """One image into a slot of its own, by a thumbnail of ``least`` pixels, or as a whole."""
    with _options(least, threads):
        slot = np.empty((SPEC.side, SPEC.side, 3), np.uint8)
        decode.decode_into(slot, data, SPEC, exact=False, max_pixels=10**8)


@contextlib.contextmanager
def _options(least: int | None, threads: int = 1) -> Iterator[None]:
    usual = formats.THUMBNAIL_SHARE
    formats.THUMBNAIL_SHARE = least / (decode.DRAFT_FACTOR * SPEC.resize) if least else 10**6
    pillow_heif.options.DECODE_THREADS = threads
    yield
    formats.THUMBNAIL_SHARE, pillow_heif.options.DECODE_THREADS = usual, 1


def ways(images: Sequence[bytes], pool: Executor, processes: Executor) -> dict[str, Callable[[], Any]]:
    """Everything that is compared: one after the other, and with all cores."""
    cores = available_cpus()

    def each(least: int | None = None, threads: int = 1) -> None:
        for data in images:
            decoded(data, least, threads)

    return {
        "the whole image, one thread": each,
        f"the whole image, {cores} threads of libheif": partial(each, threads=cores),
        f"{cores} whole images at once, threads": lambda: list(pool.map(decoded, images)),
        f"{cores} whole images at once, processes": lambda: list(processes.map(decoded, images)),
        **{name: partial(each, least) for name, least in SIDES.items()},
    }


def speeds(images: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """Milliseconds per image of each way."""
    cores, context = available_cpus(), get_context("fork")
    with ThreadPoolExecutor(cores) as pool, ProcessPoolExecutor(cores, mp_context=context) as processes:
        compared = ways(images, pool, processes)
        rows = [{name: _timed(way, len(images)) for name, way in compared.items()} for _ in range(rounds + 1)]
    found: dict[str, Any] = report.medians(rows[1:])  # the first does not count
    return found


def _timed(way: Callable[[], Any], images: int) -> float:
    began = time.perf_counter()
    way()
    return 1e3 * (time.perf_counter() - began) / images


def flips(images: Sequence[bytes]) -> dict[str, Any]:
    """First labels by thumbnails of each size against those of whole images."""
    engine = agreement.classifier()
    with _options(None):
        whole = agreement.ours(engine, images, exact=False)
    found = {}
    for name, least in SIDES.items():
        with _options(least):
            found[name] = agreement.compared(agreement.ours(engine, images, exact=False), whole)
    return found


def main() -> int:
    """Make the HEICs, measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heic", description=__doc__)
    parser.add_argument("folder", type=Path, help="labelled photos")
    parser.add_argument("--keep", type=Path, help="where the HEICs stay; those that are there are taken")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = photos.heic(list(photos.in_order(options.folder)), options.keep or Path(scratch))
        images = [path.read_bytes() for path in photos.in_order(made)]
    found = {
        "ms_per_image": speeds(images[:IMAGES], options.rounds),
        "against_the_whole_image": flips(images),
    }
    print(json.dumps(found, indent=2))
    report.write("heic", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
