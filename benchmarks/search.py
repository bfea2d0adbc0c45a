"""``python -m benchmarks.search``: what ``tagtray find`` and the view ``top1`` cost on 1,000,000 images.

Each question is asked on generated ledgers in SQLite and PostgreSQL, with other words each time: the first
page of 50, the vocabulary read anew as the command does. Bytes an image are those of the whole database.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from benchmarks import report
from benchmarks.scale import rows
from benchmarks.scale.rows import Scaled, scaled
from tagtray.db.access import transactions
from tagtray.search.find import Search
from tagtray.weights.store import ModelStore
from tools import servers

IMAGES, PAGE, ASKED = 1_000_000, 50, 100
#: The category that most classes lie below: 398 of 1,000.
LARGEST = "animal"
TOP1 = {
    "top1, the surest": "SELECT * FROM top1 ORDER BY score DESC LIMIT 50",
    "top1 of a class": "SELECT * FROM top1 WHERE label = '{label}' ORDER BY score DESC LIMIT 50",
}


def main() -> None:
    """Measure what was asked for, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument(
        "--databases", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"]
    )
    parser.add_argument("--fill", action="store_true", help="only fill the ledger, without features")
    parser.add_argument("--home", type=Path, help="a folder for the SQLite ledger, which stays there")
    parser.add_argument("--url", help="a PostgreSQL database, which is filled where it is empty")
    options = parser.parse_args()
    for name in options.databases:
        with _ledger(name, options) as made:
            if options.fill:
                continue
            sizes = _sizes(made, options.images)
            _keep(name, {"images": options.images, **sizes, **_measure(made)})


@contextlib.contextmanager
def _ledger(name: str, options: argparse.Namespace) -> Iterator[Scaled]:
    with contextlib.ExitStack() as stack:
        url = None
        if name == "postgresql":
            url = options.url or stack.enter_context(stack.enter_context(servers.postgres({})).database())
        yield stack.enter_context(scaled(options.images, url, home=options.home))


def _sizes(made: Scaled, images: int) -> dict[str, float]:
    """Bytes of the database for an image, without features and with them."""
    without = _bytes(made)
    rows.fill(made, images, (rows.FEATURES,))
    return {"bytes": round(without / images), "bytes_with_features": round(_bytes(made) / images)}


def _bytes(made: Scaled) -> int:
    size = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        "postgresql": "SELECT pg_database_size(current_database())",
    }
    with made.engine.connect() as connection:
        return int(connection.execute(text(size[made.engine.dialect.name])).scalar_one())


def _measure(made: Scaled) -> dict[str, dict[str, Any]]:
    """Milliseconds by question, and of the CPU of this process, which for SQLite is all that counts."""
    found: dict[str, dict[str, Any]] = {"ms": {}, "cpu_ms": {}}
    for name, queries in _questions().items():
        ask = _rows if name in TOP1 else _page
        spent = [_milliseconds(made, ask, query) for query in queries]
        found["ms"][name], found["cpu_ms"][name] = map(report.spread, zip(*spent, strict=True))
        print(name, found["ms"][name], found["cpu_ms"][name], file=sys.stderr, flush=True)
    return found


def _questions() -> Mapping[str, Sequence[str]]:
    """Queries by kind; the same every time."""
    chance = random.Random(6)
    labels = ModelStore().default.labels
    names = [label.name.replace("'", "''") for label in labels.labels]
    classes = chance.sample([f'label:"{name}"' for name in names], ASKED)
    categories = [f'category:"{category.name}"' for category in labels.categories if category.curated]
    months = [f"taken:{chance.randrange(2015, 2023)}-{chance.randrange(1, 13):02}" for _ in range(ASKED)]
    return {
        "a class": classes,
        "a category of 398 classes": [f"category:{LARGEST}"] * ASKED,
        "two categories": [" ".join(chance.sample(categories, 2)) for _ in range(ASKED)],
        "a category in a month": [f"{chance.choice(categories)} {month}" for month in months],
        "a month": months,
        "two years, by date": [f"taken:{2015 + n % 6}..{2016 + n % 6}" for n in range(ASKED)],
        "top1, the surest": [TOP1["top1, the surest"]] * ASKED,
        "top1 of a class": [
            TOP1["top1 of a class"].format(label=name) for name in chance.sample(names, ASKED)
        ],
    }


def _page(connection: Connection, query: str) -> None:
    Search(connection, query).page(connection, PAGE)


def _rows(connection: Connection, query: str) -> None:
    connection.execute(text(query.replace(":", r"\:"))).all()


def _milliseconds(made: Scaled, ask: Callable[[Connection, str], None], query: str) -> tuple[float, float]:
    with transactions.reading(made.engine) as connection:
        began = time.perf_counter(), time.process_time()
        ask(connection, query)
        return 1e3 * (time.perf_counter() - began[0]), 1e3 * (time.process_time() - began[1])


def _keep(name: str, measured: Mapping[str, Any]) -> None:
    print(name, json.dumps(measured), file=sys.stderr, flush=True)
    path = report.RESULTS / "search.json"
    kept = json.loads(path.read_text("utf-8"))["figures"] if path.exists() else {}
    report.write("search", {"figures": {**kept, name: measured}})


if __name__ == "__main__":
    main()
