"""``python -m benchmarks.taught HOME``: own tags, similar photos and duplicates in large ledgers.

HOME has a ledger of real photos. Vectors are generated around pairs of theirs, one in a hundred close to the
one before, as near copies are; there are no files, so that of duplicates the search for candidates is
measured alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

from benchmarks import report
from benchmarks.scale.rows import Scaled, scaled
from tagtray.config import settings as configuration
from tagtray.db.access import engine as engines
from tagtray.db.access.engine import writing
from tagtray.db.access.transactions import read
from tagtray.db.dialects import add_new
from tagtray.db.tables import Content, Feature, Image
from tagtray.learn import duplicates, similar, teaching, vectors
from tagtray.learn.vectors import Vectors
from tools import servers

SIZES = (100_000, 1_000_000)
EXAMPLES, ASKED, PAGE = 10, 40, 5_000
#: The real photo whose like is taught: so many of a thousand vectors are generated around it.
COMMON = 20
#: One of so many vectors is a near copy of the one before.
COPY = 100


def main() -> None:
    """Measure one size in one database, and add it to what was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.taught", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite"])
    options = parser.parse_args()
    real = _real(options.home)
    for database in options.databases:
        for size in options.sizes:
            with contextlib.ExitStack() as stack:
                url, folder = stack.enter_context(_url(database)), tempfile.TemporaryDirectory()
                made = stack.enter_context(scaled(size, url, Path(stack.enter_context(folder))))
                _fill(made, real)
                figures = _measure(made)
            print(json.dumps({database: {size: figures}}), flush=True)
            _keep(database, size, figures)


@contextlib.contextmanager
def _url(database: str) -> Iterator[str | None]:
    if database == "sqlite":
        yield None
        return
    with servers.postgres({}) as server, server.database() as url:
        yield url


def _real(home: Path) -> Vectors:
    database = engines.connect(configuration.load(home=home))
    found = np.concatenate([page for _, page in vectors.pages(database, 1)])
    database.dispose()
    return found


def _fill(made: Scaled, real: Vectors) -> None:
    rng = np.random.default_rng(0)
    ids = read(made.engine, lambda connection: np.array(connection.scalars(select(Content.id)).all()))
    last = real[0]
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        one, other = rng.integers(0, len(real), (2, len(page)))
        one[rng.random(len(page)) < COMMON / 1000] = 0
        mixed = 0.6 * real[one] + 0.4 * real[other] + rng.normal(0, 0.02, (len(page), real.shape[1]))
        copies = np.flatnonzero(np.arange(len(page)) % COPY == COPY - 1)
        mixed[copies] = np.vstack([last, mixed])[copies] + rng.normal(0, 0.003, (len(copies), real.shape[1]))
        found = (30 * np.maximum(mixed, 0)).astype("<f2")
        found_rows = [
            {"content_id": int(content_id), "model_id": made.model_id, "vector": vector.tobytes()}
            for content_id, vector in zip(page, found, strict=True)
        ]
        with writing(made.engine).connect() as connection, connection.begin():
            add_new(connection, Feature, found_rows)
    # With the cache of SQLite that the generated rows were given.
    made.engine.dispose()


def _measure(made: Scaled) -> dict[str, Any]:
    engine, settings = made.engine, made.settings
    examples = _examples(engine, made.model_id)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    wnid = teaching.say(engine, "common", examples, [], "benchmark")
    said = time.perf_counter()
    learned = teaching.learn(engine, wnid)
    taught = time.perf_counter()
    for _ in vectors.pages(engine, made.model_id):
        pass
    passed = time.perf_counter()
    similar.similar(engine, settings, examples[0], 20)
    indexed = time.perf_counter()
    asked = [_asked(engine, made, int(content_id)) for content_id in _some(engine)]
    before = time.perf_counter()
    groups = duplicates.near(engine, settings, lambda one, other: True)
    return {
        "say_seconds": round(said - begun, 3),
        "learn_and_apply_seconds": round(taught - said, 2),
        "pass_alone_seconds": round(passed - taught, 2),
        "found": learned.found,
        "index_seconds": round(indexed - passed, 2),
        "similar_ms": report.spread(asked),
        "near_seconds": round(time.perf_counter() - before, 1),
        "near_groups": len(groups),
        "megabytes_more": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024),
    }


def _examples(engine: Engine, model_id: int) -> list[int]:
    """The contents most like the first real photo's."""
    ids, page = next(vectors.pages(engine, model_id))
    cosines = page @ page[np.argsort(page @ page.mean(0))[-1]]
    return [int(content_id) for content_id in ids[np.argsort(-cosines)[:EXAMPLES]]]


def _some(engine: Engine) -> list[int]:
    query = select(Image.content_id).where(Image.content_id.is_not(None)).limit(ASKED)
    return [row or 0 for row in read(engine, lambda connection: connection.scalars(query).all())]


def _asked(engine: Engine, made: Scaled, content_id: int) -> float:
    begun = time.perf_counter()
    similar.similar(engine, made.settings, content_id, 20)
    return 1e3 * (time.perf_counter() - begun)


def _keep(database: str, size: int, figures: dict[str, Any]) -> None:
    kept = report.RESULTS / "taught.json"
    former = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    sizes = {**former.get(database, {}), str(size): figures}
    others = {name: former[name] for name in ("sqlite", "postgresql") if name in former}
    report.write("taught", {**others, database: sizes})


if __name__ == "__main__":
    main()
