"""``python -m benchmarks.scale.files FOLDER HOME``: one scan of the real producer, in its own process.

Prints the files, the seconds and the peak of resident memory as JSON. Files are judged by their stat alone,
as all that are older than TAGTRAY_SETTLE are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tagtray.app import bootstrap
from tagtray.config import settings as configuration
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.producer.producer import Producer

#: Files in each folder, and what each of them holds.
PER_FOLDER, DATA = 1_000, b"\xff\xd8\xff\xd9"
#: Seconds after which a file counts as old: the benchmark's are new.
OLD = 1e-3


def make(folder: Path, count: int) -> None:
    """``count`` tiny files, all distinct names."""
    for start in range(0, count, PER_FOLDER):
        below = folder / f"folder_{start // PER_FOLDER:07}"
        below.mkdir(parents=True)
        for number in range(start, min(start + PER_FOLDER, count)):
            # Not Path.write_bytes: a million of them.
            descriptor = os.open(f"{below}/IMG_{number:07}.jpg", os.O_CREAT | os.O_WRONLY, 0o644)
            os.write(descriptor, DATA)
            os.close(descriptor)


def scan(folder: Path, home: Path, url: str | None) -> dict[str, Any]:
    """One scan by a process that has one core: files per second, and its peak of resident memory in MB."""
    command = [sys.executable, "-m", "benchmarks.scale.files", str(folder), str(home)]
    environment = os.environ | ({"TAGTRAY_DATABASE_URL": url} if url else {})
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(folder: Path, home: Path) -> None:
    """Scan and print."""
    settings = configuration.load(home=home, stable=OLD, settle=OLD)
    bootstrap.bring_up(settings)
    with bootstrap.writing(settings) as database:
        target = roots.resolve(database, settings, folder)
        producer = Producer(settings, Ledger(database), lambda: None, [target])
        began = time.perf_counter()
        totals = producer.scan()
        seconds = time.perf_counter() - began
    figures = {
        "new": totals.new,
        "unchanged": totals.unchanged,
        "seconds": seconds,
        "files_per_second": totals.seen / seconds,
        "peak_mb": _peak_mb(),
    }
    print(json.dumps(figures))


def _peak_mb() -> float:
    """Of this program alone: getrusage would count the one that started it."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
