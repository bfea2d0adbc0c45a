"""``python -m benchmarks.own_tags FOLDER``: how right own tags are, and are said to be, by examples.

FOLDER has a folder of photos for each kind; ``others`` is no kind. They are classified once, into a ledger of
the benchmark's own; then every kind is taught several times from a few of its photos, drawn at random, among
all others. Precision and recall are those of the photos that are no examples; ``missed`` is the share of
lessons whose precision is more than ten points below what was promised.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from benchmarks import report
from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db import current_model, own_tags
from tagtray.db.access import engine as engines
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import Image, Tag, Threshold
from tagtray.learn import teaching

EXAMPLES, DRAWS = (5, 10, 20), 15
#: Of a promise: what lies further below it was promised in vain.
MISSED = 0.1
OTHERS = "others"


@dataclass(frozen=True)
class Lesson:
    """What came of one; ``precision`` None: nothing was found."""

    kind: str
    examples: int
    found: int
    precision: float | None
    recall: float
    promised: float | None


def main() -> None:
    """Measure, print and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_tags", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--home", type=Path, help="a home whose ledger has the folder already, or is to have it"
    )
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="own-tags-") as scratch:
        home = options.home or Path(scratch)
        _classify(options.folder, home)
        database = engines.connect(configuration.load(home=home))
        kinds = _contents(database)
        lessons = [
            _teach(database, kinds, kind, examples, np.random.default_rng([draw, examples, number]))
            for number, kind in enumerate(sorted(kinds.keys() - {OTHERS}))
            for examples in EXAMPLES
            for draw in range(options.draws)
        ]
        database.dispose()
    figures = {str(examples): _summary(lessons, examples) for examples in EXAMPLES}
    print(json.dumps(figures, indent=2))
    report.write(
        "own_tags",
        {
            "photos": {kind: len(ids) for kind, ids in kinds.items()},
            "draws": options.draws,
            "examples": figures,
            "lessons": [asdict(lesson) for lesson in lessons],
        },
    )


def _classify(folder: Path, home: Path) -> None:
    environment = {**os.environ, "TAGTRAY_HOME": str(home)}
    command = subprocesses.command("tagtray", "run", str(folder))
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def _contents(database: Engine) -> dict[str, NDArray[np.int64]]:
    """The contents of each kind."""
    query = select(Image.path, Image.content_id).where(Image.content_id.is_not(None)).order_by(Image.path)
    kinds: dict[str, list[int]] = {}
    for path, content_id in read(database, lambda connection: connection.execute(query).all()):
        kind, slash, _ = path.partition("/")
        kinds.setdefault(kind if slash else OTHERS, []).append(int(content_id or 0))
    return {kind: np.unique(ids) for kind, ids in kinds.items()}


def _teach(
    database: Engine,
    kinds: Mapping[str, NDArray[np.int64]],
    kind: str,
    examples: int,
    rng: np.random.Generator,
) -> Lesson:
    """Teach a tag and forget it."""
    chosen = rng.choice(kinds[kind], examples, replace=False)
    wnid = teaching.say(database, f"taught {kind}", chosen.tolist(), [], "benchmark")
    learned = teaching.learn(database, wnid)
    shown = _found(database, wnid)
    write(database, lambda connection: own_tags.forget(connection, wnid))
    wanted = np.setdiff1d(kinds[kind], chosen)
    found = np.setdiff1d(shown, chosen)
    right = len(np.intersect1d(found, wanted))
    precision = right / len(found) if len(found) else None
    promised = learned.precision if learned.reason is None else None
    return Lesson(kind, examples, len(found), precision, right / len(wanted), promised)


def _found(database: Engine, wnid: str) -> NDArray[np.int64]:
    model_id = current_model.current(database).id
    mine = (
        (Threshold.wnid == Tag.wnid) & (Threshold.model_id == Tag.model_id) & (Tag.score >= Threshold.score)
    )
    query = select(Tag.content_id).join(Threshold, mine).where(Tag.wnid == wnid, Tag.model_id == model_id)
    return np.array(read(database, lambda connection: connection.scalars(query).all()), np.int64)


def _summary(lessons: Sequence[Lesson], examples: int) -> dict[str, Any]:
    mine = [lesson for lesson in lessons if lesson.examples == examples]
    kinds = sorted({lesson.kind for lesson in mine})
    by_kind = {kind: _mean([lesson for lesson in mine if lesson.kind == kind]) for kind in kinds}
    least = min((lesson.precision for lesson in mine if lesson.precision is not None), default=None)
    missed = [lesson for lesson in mine if (lesson.precision or 1) < (lesson.promised or 0) - MISSED]
    share = round(len(missed) / len(mine), 3)
    return {"mean": _mean(mine), "least_precision": least, "missed": share, "kinds": by_kind}


def _mean(lessons: Sequence[Lesson]) -> dict[str, Any]:
    precisions = [lesson.precision for lesson in lessons if lesson.precision is not None]
    promised = [lesson.promised for lesson in lessons if lesson.promised is not None]
    return {
        "precision": round(float(np.mean(precisions)), 3) if precisions else None,
        "recall": round(float(np.mean([lesson.recall for lesson in lessons])), 3),
        "promised": round(float(np.mean(promised)), 3) if promised else None,
        "nothing_found": len(lessons) - len(precisions),
    }


if __name__ == "__main__":
    main()
