"""``python -m benchmarks.exchange``: seconds and memory of exports, of an import, and of sidecars for photos.

Each is a process of its own on a generated ledger in SQLite, which is put into a scratch folder unless
``--ledger`` names the home of one. Parts that are measured by themselves are added to what was kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks import report
from benchmarks.scale.rows import scaled
from tagtray.config import subprocesses
from tagtray.db.tables import Image, Status

#: Images of the ledger, and photos that get sidecars.
IMAGES, PHOTOS = 1_000_000, 1_000
FORMATS = ("jsonl", "csv", "parquet")
#: Runs a command and prints its seconds, those of the CPU and kilobytes; a small process does so, for a
#: command's most is never less than what its parent holds, and this one holds PyTorch.
_WATCH = """
import resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
PARTS = (*FORMATS, "import", "sidecars", "stats")


def main() -> None:
    """Measure what was asked for, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exchange", description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--ledger", type=Path, help="a home with a ledger of so many images")
    parser.add_argument("--scratch", type=Path, help="a folder for the files, which stay there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exchange-") as temporary:
        place = options.scratch or Path(temporary)
        if "sidecars" in options.parts:
            _keep({"sidecars": {"photos": PHOTOS, **_sidecars()}})
        if {*options.parts} - {"sidecars"}:
            with _home(options.ledger, options.images) as home:
                for part in options.parts:
                    if part != "sidecars":
                        _keep({"images": options.images, part: _part(part, home, place)})


@contextlib.contextmanager
def _home(ledger: Path | None, images: int) -> Iterator[Path]:
    if ledger is not None:
        yield ledger
        return
    with scaled(images) as made:
        yield made.settings.home


def _part(part: str, home: Path, place: Path) -> dict[str, float]:
    if part == "stats":
        return _measured(home, "stats", "--json")
    file = place / f"a.{'jsonl' if part == 'import' else part}"
    if part != "import":
        return {**_measured(home, "export", str(file)), "bytes": file.stat().st_size}
    if not file.exists():
        _measured(home, "export", str(file))
    found = _measured(place / "other", "import", str(file))
    shutil.rmtree(place / "other")
    return found


def _measured(home: Path, *arguments: str) -> dict[str, float]:
    """Seconds and megabytes at most of a command on the ledger in ``home``."""
    environment = {**os.environ, "TAGTRAY_HOME": str(home)}
    command = [sys.executable, "-c", _WATCH, *subprocesses.command("tagtray", *arguments)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    seconds, cpu, kilobytes = map(float, ended.stdout.split())
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes": round(kilobytes / 1024),
    }


def _sidecars() -> dict[str, Any]:
    """For photos that have none yet, and again where nothing has changed, and out again."""
    with scaled(PHOTOS + PHOTOS // 10) as made:
        query = select(Image.path).where(Image.status == Status.DONE).limit(PHOTOS)
        with made.engine.connect() as connection:
            names = list(connection.scalars(query))
        for name in names:
            photo = Path(os.fsdecode(made.target.root.path), name)
            photo.parent.mkdir(exist_ok=True)
            photo.write_bytes(b"a photo")
        calls = {"write": (), "again": (), "undo": ("--undo",)}
        return {name: _measured(made.settings.home, "tag", "--xmp", *more) for name, more in calls.items()}


def _keep(measured: Mapping[str, Any]) -> None:
    print(json.dumps(measured), file=sys.stderr, flush=True)
    path = report.RESULTS / "exchange.json"
    kept = json.loads(path.read_text("utf-8"))["figures"] if path.exists() else {}
    report.write("exchange", {"figures": {**kept, **measured}})


if __name__ == "__main__":
    main()
