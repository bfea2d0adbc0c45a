"""What a worker holds: against bare torch after one forward, and how that grows over many images.

``python -m benchmarks.memory --images 50000``: a real ``tagtray run`` over as many small distinct JPEGs;
resident memory is read from the kernel while it works.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from benchmarks import report
from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db.access import engine
from tagtray.db.tables import Classification

#: Width and height of an image, pixels of it that one random pixel becomes, files in a folder.
SIZE, GRAIN, PER_FOLDER = (160, 120), 20, 1_000
#: Images for each worker after which all of them have had full batches.
WARM = 64
MB = 2**20

_BARE = """
import psutil, torch
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import eager
torch.set_num_threads(1)
model = ModelStore().default
network = eager.build(model)
with torch.inference_mode():
    answer = network(torch.zeros(16, 3, model.input.side, model.input.side, dtype=torch.uint8))
print(psutil.Process().memory_info().rss)
"""

Sample = Mapping[str, float]


def bare() -> int:
    """Bytes of a process with torch alone and the network, eager, after one forward of 16 images."""
    return int(subprocess.run([sys.executable, "-c", _BARE], check=True, stdout=subprocess.PIPE).stdout)


def make(folder: Path, count: int) -> None:
    """``count`` images that all differ: coarse random colours under fine noise."""
    random = np.random.default_rng(5)
    width, height = SIZE
    for number in range(count):
        below = folder / f"{number // PER_FOLDER:04}"
        below.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 200, (height // GRAIN, width // GRAIN, 3), np.uint8)
        fine = random.integers(0, 56, (height, width, 3), np.uint8)
        image = coarse.repeat(GRAIN, 0).repeat(GRAIN, 1) + fine
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=80)
        (below / f"{number:06}.jpg").write_bytes(buffer.getvalue())


def watch(folder: Path, home: Path, way: str, workers: int, every: float) -> list[Sample]:
    """Run tagtray over ``folder``; the images done and the mean bytes of its workers, now and then."""
    with _running(folder, home, way, workers) as process:
        database = engine.connect(configuration.load(home=home))
        samples = []
        while process.poll() is None:
            if sample := _sample(database, psutil.Process(process.pid), workers):
                samples.append(sample)
            time.sleep(every if samples else 0.05)
        database.dispose()
    return samples


def slope(samples: Sequence[Sample], name: str, workers: int) -> float:
    """Bytes per 1,000 images of one worker, by least squares over the second half of the images."""
    half = [s for s in samples if s["images"] >= samples[-1]["images"] / 2]
    if len(half) < 3:
        return float("nan")
    images = [s["images"] / workers for s in half]
    return 1_000 * statistics.linear_regression(images, [s[name] for s in half]).slope


@contextlib.contextmanager
def _running(folder: Path, home: Path, way: str, workers: int) -> Iterator[subprocess.Popen[bytes]]:
    engine_name, precision = way.split("-")
    command = subprocesses.command("tagtray", "run", str(folder), "--workers", str(workers))
    own = {"TAGTRAY_HOME": str(home), "TAGTRAY_ENGINE": engine_name, "TAGTRAY_PRECISION": precision}
    process = subprocess.Popen(command, env=os.environ | own, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _sample(database: Engine, run: psutil.Process, workers: int) -> Sample | None:
    """None until all workers have had full batches, and once one of them has ended."""
    with contextlib.suppress(DBAPIError, psutil.Error), database.connect() as connection:
        images = connection.scalar(select(func.count()).select_from(Classification)) or 0
        sizes = [
            child.memory_info().rss
            for child in run.children(recursive=True)
            if "tagtray: worker" in title(child)
        ]
        if images >= workers * WARM and len(sizes) == workers:
            own = run.memory_info().rss
            return {"seconds": time.time(), "images": images, "worker": statistics.mean(sizes), "run": own}
    return None


def title(process: psutil.Process) -> str:
    """What ps shows of it."""
    return " ".join(process.cmdline()[:1])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--way", default="torch-fp32", metavar="ENGINE-PRECISION")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between samples")
    parser.add_argument("--scratch", type=Path, help="where the images are made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-", dir=options.scratch) as scratch:
        folder, home = Path(scratch) / "photos", Path(scratch) / "home"
        make(folder, options.images)
        samples = watch(folder, home, options.way, options.workers, options.every)
    alone, first = bare(), samples[0]["worker"]
    result = {
        "images": samples[-1]["images"],
        "workers": options.workers,
        "bare_mb": alone / MB,
        "worker_first_batches_mb": first / MB,
        "worker_last_mb": samples[-1]["worker"] / MB,
        "times_bare": first / alone,
        "worker_bytes_per_1000_images": slope(samples, "worker", options.workers),
        "run_bytes_per_1000_images": slope(samples, "run", 1),
    }
    print(result)
    report.write(f"memory-{options.way}", {**result, "samples": _thinned(samples)})


def _thinned(samples: Sequence[Sample]) -> list[Any]:
    began = samples[0]["seconds"]
    return [
        [round(s["seconds"] - began), s["images"], round(s["worker"] / MB, 1), round(s["run"] / MB, 1)]
        for s in samples[:: max(1, len(samples) // 60)]
    ]


if __name__ == "__main__":
    main()
