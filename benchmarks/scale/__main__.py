"""``python -m benchmarks.scale``: what the ledger costs at 1,000, 100,000 and 1,000,000 images.

On SQLite and PostgreSQL: registration and rescan by the producer (on one core), feed, claim and commit per
image, the looks of ``status`` and ``run``, the plans of their statements, and processes that work on one
ledger at once; what it costs to ignore half of a root, to take it into another one and to move it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis

from benchmarks import report
from benchmarks.scale import crowd, files, hot, plans, roots
from benchmarks.scale.rows import scaled
from tagtray.jobs.queue import ImageQueue
from tools import servers

SIZES = (1_000, 100_000, 1_000_000)
PROCESSES = (1, 2, 4)
#: Scans of a folder; the smaller ones are over in no time.
SCANS: Mapping[int, int] = {1_000: 5, 100_000: 3, 1_000_000: 1}

Database = Callable[[], contextlib.AbstractContextManager[str | None]]


def main() -> None:
    """Measure what was asked for, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), default=None)
    parser.add_argument("--parts", nargs="+", choices=("files", "ledger", "crowd", "roots"), default=None)
    parser.add_argument("--scratch", type=Path, help="where the files are made")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        databases: dict[str, Database] = {"sqlite": lambda: contextlib.nullcontext(None)}
        if "postgresql" in (options.databases or ("postgresql",)):
            databases["postgresql"] = stack.enter_context(servers.postgres({})).database
        if options.databases:
            databases = {name: databases[name] for name in options.databases}
        queue = ImageQueue("scale", redis.from_url(stack.enter_context(servers.redis_server())))
        parts = options.parts or ("files", "ledger", "crowd", "roots")
        for size in options.sizes:
            if "files" in parts:
                for name, rates in _files(databases, size, options.scratch).items():
                    _keep(name, size, rates)
            if "roots" in parts:
                _roots(databases, size, options.scratch)
            if {"ledger", "crowd"} & set(parts):
                for name, database in databases.items():
                    with database() as url:
                        _keep(name, size, _ledger(size, url, queue, parts))


def _keep(name: str, size: int, measured: Mapping[str, Any]) -> None:
    """Add to what was kept: the whole takes long, and a part can be measured again by itself."""
    print(name, size, json.dumps(measured), file=sys.stderr, flush=True)
    path = report.RESULTS / "scale.json"
    kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    figures = kept.setdefault("figures", {})
    figures.setdefault(name, {}).setdefault(str(size), {}).update(measured)
    report.write("scale", {"figures": figures})


def _ledger(size: int, url: str | None, queue: ImageQueue, parts: Any) -> dict[str, Any]:
    with scaled(size, url) as made:
        found: dict[str, Any] = {}
        if "ledger" in parts:
            found["ms_per_image"] = hot.per_image(made, queue)
            found["ms_per_look"] = hot.looks(made)
            found["plans"] = plans.report(made)
            found["full_scans"] = [name for name, lines in found["plans"].items() if plans.full_scans(lines)]
        if "crowd" in parts:
            found["processes"] = {count: crowd.measure(made, count) for count in PROCESSES}
        return found


def _files(databases: Mapping[str, Database], size: int, scratch: Path | None) -> dict[str, Any]:
    """Files per second, and megabytes of the producer, for new and for unchanged files."""
    with tempfile.TemporaryDirectory(prefix="scale-", dir=scratch) as place:
        folder = Path(place) / "photos"
        files.make(folder, size)
        found = {}
        for name, database in databases.items():
            rows = [_scans(folder, Path(place), database) for _ in range(SCANS.get(size, 1))]
            found[name] = report.medians(rows)
    return found


def _roots(databases: Mapping[str, Database], size: int, scratch: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="scale-", dir=scratch) as place:
        folder = Path(place) / "library" / "photos"
        roots.make_files(folder, size)
        for name, database in databases.items():
            with database() as url, scaled(size, url, folder) as made:
                _keep(name, size, {"roots": roots.measure(made)})


def _scans(folder: Path, place: Path, database: Database) -> dict[str, Any]:
    home = place / "home"
    with database() as url:
        try:
            new, unchanged = (files.scan(folder, home, url) for _ in range(2))
        finally:
            shutil.rmtree(home, ignore_errors=True)
    return {"register": new, "rescan": unchanged}


if __name__ == "__main__":
    main()
