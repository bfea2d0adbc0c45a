"""What each choice on the hot path gives: the same work with and without it, in turns.

``python -m benchmarks.ablations --photos DIR`` prints and keeps [least, median, most] milliseconds
per image: decoding and the network on one core, and ways to share all cores out between the two.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import peer, photos, report, sharing
from tagtray.config import settings as configuration
from tagtray.imaging import decode
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import classifier, rollup, selection, torch_engine
from tagtray.worker.networks import eager, torchscript
from tagtray.worker.supervision.resources import ONE_BLAS_THREAD

#: Images that are decoded, and that are classified, in each turn.
IMAGES, BATCH = 16, 32
#: Images of the runs on all cores: of 12 megapixels, and small.
CAMERA, SMALL = 96, 384

#: Does its work and returns the seconds that it took.
Way = Callable[[], float]


def decoding(folder: Path) -> dict[str, Way]:
    """The images of a folder into a slot: in full, and with drafts of two sizes."""
    images = [path.read_bytes() for path in photos.in_order(folder)][:IMAGES]
    spec = ModelStore().default.input
    slot = np.empty((spec.side, spec.side, 3), np.uint8)

    def way(exact: bool, factor: int) -> Way:
        def run() -> None:
            with _draft_factor(factor):
                for data in images:
                    decode.decode_into(slot, data, spec, exact=exact, max_pixels=10**8)

        return _timed(run)

    return {
        "exact": way(True, 2),
        f"draft of {2 * spec.resize}": way(False, 2),
        f"draft of {spec.resize}": way(False, 1),
    }


def networks() -> dict[str, Way]:
    """A batch through the network, each way with one step more than the one before it."""
    model = ModelStore().default
    side = model.input.side
    pixels = torch.randint(0, 256, (BATCH, side, side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    floats = pixels.contiguous().float()
    plain = peer.network()
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    folded = eager.build(model)
    traced = torchscript.load(model, configuration.load().home)
    step = classifier.SLICE
    ways: dict[str, Callable[[], Any]] = {
        "eager": lambda: plain(floats),
        "channels last": lambda: last(floats.to(memory_format=torch.channels_last)),
        "batch norms folded": lambda: folded(pixels),
        "traced, frozen, fused": lambda: traced(pixels),
        f"{step} at a time": lambda: [traced(part) for part in torch.split(pixels, step)],
        "1 at a time": lambda: [traced(part) for part in torch.split(pixels, 1)],
    }
    return {name: _timed(way) for name, way in ways.items()}


def precisions() -> dict[str, Way]:
    """A batch through the network of every engine that is here, in everything that it computes in."""
    model, home = ModelStore().default, configuration.load().home
    roll_up = rollup.load(model)
    made = {
        f"{choice.engine} {choice.precision}": selection.load(choice, model, home, roll_up, BATCH, 1)
        for choice in sorted(selection.available(), key=lambda choice: choice.engine != "torch")
        if selection.is_native(choice)
    }
    return {name: _timed(partial(engine.classify, BATCH)) for name, engine in made.items()}


@contextlib.contextmanager
def _draft_factor(factor: int) -> Iterator[None]:
    usual, decode.DRAFT_FACTOR = decode.DRAFT_FACTOR, factor
    yield
    decode.DRAFT_FACTOR = usual


def _timed(work: Callable[[], Any]) -> Way:
    def way() -> float:
        began = time.perf_counter()
        with torch.inference_mode():
            work()
        return time.perf_counter() - began

    return way


def _in_turns(ways: Mapping[str, Way], images: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per image of each way, after one turn that does not count."""
    rows = [{name: 1e3 * way() / images for name, way in ways.items()} for _ in range(rounds + 1)]
    found: dict[str, Any] = report.medians(rows[1:])
    print(json.dumps(found, indent=2), flush=True)
    return found


def _on_one_core(camera: Path, small: Path, rounds: int) -> dict[str, Any]:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch_engine.set_threads(1)
    return {
        "decode_camera": _in_turns(decoding(camera), IMAGES, rounds),
        "decode_small": _in_turns(decoding(small), IMAGES, rounds),
        "network": _in_turns(networks(), BATCH, rounds),
        "precision": _in_turns(precisions(), BATCH, rounds),
    }


def main() -> int:
    """Measure everything, on the last core and then on all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="real photos to make the inputs from")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.update(ONE_BLAS_THREAD)
    sources, rounds = list(photos.in_order(options.photos)), options.rounds
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        camera = photos.camera(sources, Path(scratch) / "camera", CAMERA)
        small = photos.small(sources, Path(scratch) / "small", SMALL)
        found = {
            "sharing_camera": _in_turns(sharing.ways(camera), CAMERA, rounds),
            "sharing_small": _in_turns(sharing.ways(small), SMALL, rounds),
        }
        # A process of its own: numpy reads the environment when it is imported.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            found |= pool.submit(_on_one_core, camera, small, rounds).result()
    report.write("ablations", {"unit": "ms per image", "rounds": rounds, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
