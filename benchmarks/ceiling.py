"""``python -m benchmarks.ceiling FOLDER``: images per second of decode and forward alone, the upper bound."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import photos
from tagtray.config import settings as configuration
from tagtray.weights.store import ModelStore
from tagtray.worker.measure import ceiling
from tagtray.worker.supervision.resources import Plan, available_cpus

if __name__ == "__main__":
    files = [str(path) for path in photos.in_order(Path(sys.argv[1]))]
    print(f"{ceiling.rate(configuration.load(), ModelStore().default, files, Plan(available_cpus(), 1)):.1f}")
