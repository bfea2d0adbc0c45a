"""Ledgers of any size: generated rows with the spread of a collection that is nearly done."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from tagtray.app import bootstrap
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db import current_model
from tagtray.db.access.engine import transaction
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.places.roots import Target
from tagtray.weights.store import ModelStore

#: Broader tags of an average photo at TAGTRAY_TAG_MIN.
TAGS = 9
#: One of so many photos is a copy of the one before, failed, is missing, waits.
COPY, FAILED, MISSING, PENDING = 20, 100, 50, 25
#: Size and time of every file.
BYTES, MTIME_NS = 3_000_000, 1_700_000_000_000_000_000

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)"
_HASH = {"sqlite": "lower(hex(randomblob(32)))", "postgresql": "encode(sha256(int8send(n)), 'hex')"}
_PAD = {"sqlite": "printf('%07d', {0})", "postgresql": "lpad(CAST({0} AS text), 7, '0')"}
_TAKEN = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', 1400000000 + n * 7919 % 300000000, 'unixepoch')",
    "postgresql": "timestamp '2014-05-13' + make_interval(secs => CAST(n AS bigint) * 7919 % 300000000)",
}
_MOMENT = "'2026-01-02 03:04:05.000000'"

# Minutes less for millions of rows: more memory, and no look at whether what a foreign key names is there.
_HASTE = {
    "sqlite": text("PRAGMA cache_size = -1000000"),
    "postgresql": text(
        "SELECT set_config('session_replication_role', 'replica', true), "
        "set_config('statement_timeout', '0', true), set_config('work_mem', '256MB', true)"
    ),
}

# Some ten years of photos; one in ten does not say when and with what it was taken.
_CONTENTS = """
INSERT INTO contents (id, sha256, format, width, height, taken_at, taken_from, camera, color, partial)
{numbers}
SELECT n, {hash}, 'JPEG', 4032, 3024, CASE WHEN n % 10 > 0 THEN {taken} END,
       CASE WHEN n % 10 > 0 THEN 'exif' END, CASE WHEN n % 10 > 0 THEN 'Camera ' || (n % 7) END, '#808080',
       n < 0 FROM numbers
"""
_IMAGES = """
INSERT INTO images (id, root_id, path, content_id, size_bytes, mtime_ns, ctime_ns, inode, status, error_code,
                    error_message, priority, attempts, first_seen_at, updated_at) {numbers}
SELECT n, :root, 'folder_' || {folder} || '/IMG_' || {name} || '.jpg',
       CASE WHEN state IN ('done', 'missing') THEN CASE WHEN n % {copy} = 0 THEN n - 1 ELSE n END END,
       {bytes}, {mtime}, {mtime}, n, state,
       CASE WHEN state = 'failed' THEN 'broken' END, CASE WHEN state = 'failed' THEN 'It ends early.' END,
       1, 0, {moment}, {moment}
FROM (SELECT n, CASE WHEN n % {pending} = 7 THEN 'pending' WHEN n % {failed} = 3 THEN 'failed'
                     WHEN n % {missing} = 1 THEN 'missing' ELSE 'done' END AS state FROM numbers) AS spread
"""
_CLASSIFICATIONS = """
INSERT INTO classifications (content_id, model_id, engine, precision, decode, classified_at) {numbers}
SELECT n, :model, 'torch', 'fp32', 'draft', {moment} FROM numbers
"""
# A few classes are frequent, most are rare.
_PREDICTIONS = """
INSERT INTO predictions (content_id, model_id, rank, class_index, score) {numbers}
SELECT n, :model, r, (n % 1000 * 919 + r) % 1000 * ((n + r) % 17) / 17, 0.9 / r
FROM numbers CROSS JOIN (SELECT 1 AS r UNION ALL SELECT 2 UNION ALL SELECT 3) AS ranks
"""
# What lies above the first class; for one photo in four also what lies above the second.
_TAGS = """
INSERT INTO tags (content_id, model_id, wnid, score)
SELECT content_id, :model, category_wnid, 0.3 + content_id % 70 / 100.0
FROM predictions p JOIN labels l ON l.label_set = :label_set AND l.class_index = p.class_index
JOIN label_categories above ON above.class_wnid = l.wnid
WHERE rank = 1 OR (rank = 2 AND content_id % 4 = 0)
GROUP BY content_id, category_wnid
"""
_VECTOR = {"sqlite": "randomblob(1024)", "postgresql": "decode(repeat(md5(CAST(n AS text)), 64), 'hex')"}
FEATURES = """
INSERT INTO features (content_id, model_id, vector) {numbers} SELECT n, :model, {vector} FROM numbers
"""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A ledger of generated rows, and the folder that they belong to."""

    settings: Settings
    ledger: Ledger
    target: Target
    model_id: int

    @property
    def engine(self) -> Engine:
        """The ledger's."""
        return self.ledger.engine


@contextlib.contextmanager
def scaled(
    rows: int, url: str | None = None, folder: Path | None = None, home: Path | None = None
) -> Iterator[Scaled]:
    """A fresh ledger of ``rows`` images: in SQLite, or in the empty PostgreSQL database at ``url``.

    Where their folder is given it is without predictions and tags. A ``home`` that is given stays, and is
    filled only where it is new.
    """
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        tables: tuple[str, ...] = (_CONTENTS, _IMAGES, _CLASSIFICATIONS)
        if folder is None:
            folder = Path(scratch) / "photos"
            folder.mkdir()
            tables += (_PREDICTIONS, _TAGS)
        settings = configuration.load(home=home or Path(scratch) / "home", database_url=url)
        bootstrap.bring_up(settings)
        with bootstrap.writing(settings) as database:
            target = roots.resolve(database, settings, folder)
            made = Scaled(settings, Ledger(database), target, current_model.current(database).id)
            if rows and not any(made.ledger.counts().values()):
                fill(made, rows, tables)
            yield made


def fill(made: Scaled, rows: int, tables: Sequence[str]) -> None:
    """Generate the rows of ``tables``, statements of this module."""
    parameters = {
        "rows": rows,
        "root": made.target.root.id,
        "model": made.model_id,
        "label_set": ModelStore().default.label_set,
    }
    with transaction(made.engine, writes=True) as connection:
        connection.execute(_HASTE[connection.dialect.name])
        for statement in tables:
            _run(connection, statement, parameters)
    made.engine.dispose()
    if made.engine.dialect.name == "postgresql":
        with made.engine.connect() as connection:
            link: Any = connection.connection.driver_connection  # of no transaction: VACUUM wants none
            for table in ("contents", "images"):
                link.execute(f"SELECT setval('{table}_id_seq', max(id)) FROM {table}")
            link.execute("VACUUM ANALYZE")  # as autovacuum does


def _run(connection: Connection, statement: str, parameters: dict[str, Any]) -> None:
    dialect = connection.dialect.name
    sql = statement.format(
        numbers=_NUMBERS,
        hash=_HASH[dialect],
        taken=_TAKEN[dialect],
        moment=_MOMENT if dialect == "sqlite" else f"CAST({_MOMENT} AS timestamptz)",
        folder=_PAD[dialect].format("n / 1000"),
        name=_PAD[dialect].format("n"),
        vector=_VECTOR[dialect],
        copy=COPY,
        bytes=BYTES,
        mtime=MTIME_NS,
        failed=FAILED,
        missing=MISSING,
        pending=PENDING,
    )
    wanted = {name: value for name, value in parameters.items() if f":{name}" in sql}
    connection.execute(text(sql), wanted)
