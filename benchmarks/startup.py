"""Seconds from ``tagtray run`` to the first result, and where they go.

``python -m benchmarks.startup --photos DIR``: runs over a batch of small JPEGs, seen from outside, and the
steps of one worker, each in CPU seconds of a process of its own. The network's file is in the cache already.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks import memory, photos, report
from tagtray.config import subprocesses
from tagtray.worker.supervision.resources import ONE_BLAS_THREAD

#: Images of a run: two full batches for each of two workers.
IMAGES, BATCH = 64, 16
#: Seconds between two looks at a run.
LOOK = 0.01
#: The steps of a worker before its first image, as ``_WORKER`` times them.
STEPS = ("Python", "database, Redis and RQ imported", "engine imported", "network loaded and run once")
_WORKER = """
import gc, sys, time
from pathlib import Path
engine, home, batch_size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
gc.disable()
print(time.process_time())
import numpy, tagtray.worker.process
from tagtray.worker.engines import rollup, selection
from tagtray.weights.store import ModelStore
model = ModelStore().default
roll_up = rollup.load(model)
print(time.process_time())
import importlib
importlib.import_module(f"tagtray.worker.engines.{engine}_engine")
print(time.process_time())
gc.freeze()
gc.enable()
selection.load(selection.Choice(engine, "fp32"), model, home, roll_up, batch_size, 1)
print(time.process_time())
"""


def run(folder: Path, home: Path, engine: str) -> dict[str, float]:
    """Seconds until the workers are started and until the first result is in the ledger, and of all."""
    command = subprocesses.command("tagtray", "run", "--engine", engine, str(folder))
    began = time.perf_counter()
    process = psutil.Popen(
        command,
        env=os.environ | {"TAGTRAY_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found: dict[str, float] = {}
    while process.poll() is None:
        if "workers_started" not in found and _has_workers(process):
            found["workers_started"] = time.perf_counter() - began
        elif "first_result" not in found and _has_results(home / "tagtray.db"):
            found["first_result"] = time.perf_counter() - began
        time.sleep(LOOK)
    return {**found, "whole_run": time.perf_counter() - began}


def worker(home: Path, engine: str) -> dict[str, float]:
    """CPU seconds of each step of a worker."""
    command = [sys.executable, "-c", _WORKER, engine, str(home), str(BATCH)]
    ended = subprocess.run(command, env=os.environ | ONE_BLAS_THREAD, check=True, capture_output=True)
    moments = [0.0, *map(float, ended.stdout.split())]
    return {step: moments[n + 1] - moments[n] for n, step in enumerate(STEPS)}


def _has_workers(process: psutil.Process) -> bool:
    try:
        return any("tagtray: worker" in memory.title(child) for child in process.children(recursive=True))
    except psutil.NoSuchProcess:
        return False


def _has_results(database: Path) -> bool:
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM classifications)").fetchone()[0])
    except sqlite3.Error:
        return False


def _measure(folder: Path, scratch: Path, engine: str, rounds: int) -> Mapping[str, object]:
    home = scratch / engine
    home.mkdir(mode=0o700)
    worker(home, engine)  # makes the network's file
    rows = []
    for _ in range(rounds):
        for file in home.glob("tagtray.db*"):
            file.unlink()
        rows.append({"run": run(folder, home, engine), "worker_cpu": worker(home, engine)})
    found: Mapping[str, object] = report.medians(rows)
    print(engine, json.dumps(found, indent=2), flush=True)
    return found


def main() -> int:
    """Measure torch and the fastest engine here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="real photos to make the inputs from")
    parser.add_argument("--engines", nargs="+", default=["torch"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = photos.small(list(photos.in_order(options.photos)), Path(scratch) / "small", IMAGES)
        found = {name: _measure(folder, Path(scratch), name, options.rounds) for name in options.engines}
    report.write("startup", {"unit": "seconds", "rounds": options.rounds, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
