"""The plans of the hot statements: caught as they are sent, explained as they were."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, event

from benchmarks.scale import hot
from benchmarks.scale.rows import Scaled
from tagtray.db import workers
from tagtray.db.records import ClaimedImage, Deferred, Failed, Gone, SeenFile

#: Tables that grow with the collection.
LARGE = ("images", "contents", "classifications", "predictions", "tags", "features")

#: Pages of photos as a gallery asks for them: the index that each one reads in its order, and no further.
SEARCHES = {
    "ix_tags_wnid_score": """
        SELECT i.id, t.score FROM tags t JOIN images i ON i.content_id = t.content_id
        WHERE t.wnid = 'n02084071' AND t.model_id = 1 AND i.status <> 'missing'
        ORDER BY t.score DESC LIMIT 5""",
    "ix_predictions_class_index_score": """
        SELECT i.id, p.score FROM predictions p JOIN images i ON i.content_id = p.content_id
        WHERE p.class_index = 281 AND p.model_id = 1 AND p.rank = 1 AND i.status <> 'missing'
        ORDER BY p.score DESC LIMIT 5""",
    "ix_contents_taken_at": """
        SELECT i.id FROM contents k JOIN images i ON i.content_id = k.id
        WHERE k.taken_at < '2019-02-01' AND i.status <> 'missing'
        ORDER BY k.taken_at DESC, k.id DESC LIMIT 5""",
    "ix_contents_camera": """
        SELECT i.id FROM contents k JOIN images i ON i.content_id = k.id
        WHERE k.camera = 'Camera 3' AND i.status <> 'missing'
        ORDER BY k.taken_at DESC, k.id DESC LIMIT 5""",
}

_SCANS = re.compile(rf"(^SCAN|Seq Scan on) ({'|'.join(LARGE)})\b")
#: PostgreSQL reads an index from end to end where it has no condition; backwards it looks for the newest.
_UNBOUND = re.compile(rf"Index (Only )?Scan using .*\bon ({'|'.join(LARGE)})\b(?!.* Index Cond)")
_READS = re.compile(r"^(SCAN|SEARCH)\b|Scan\b.* on ")
_COSTS = re.compile(r"  \(cost=[^)]*\)")
#: Characters of a line that are kept: a condition may name a thousand paths.
_LENGTH = 160

Sent = dict[str, Any]


@contextlib.contextmanager
def statements(engine: Engine) -> Iterator[Sent]:
    """The statements that are sent meanwhile, each with its first parameters."""
    sent: Sent = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            sent.setdefault(statement, parameters[0] if many else parameters)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def explain(engine: Engine, statement: str, parameters: Any) -> list[str]:
    """The lines of a statement's plan; nothing is executed."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        prefix = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        rows = connection.exec_driver_sql(prefix + statement, parameters).all()
        connection.rollback()
    text = "\n".join(str(row[3] if sqlite else row[0]).strip() for row in rows)
    return text.replace("\nIndex Cond", " Index Cond").splitlines()


def full_scans(lines: Sequence[str]) -> list[str]:
    """The lines that read a large table, or an index of it, from end to end."""
    # SQLite's SCAN, with or without USING INDEX; PostgreSQL's Seq Scan. An alias may follow the name.
    return [line for line in lines if _SCANS.search(line) or _UNBOUND.search(line)]


def report(made: Scaled) -> dict[str, list[str]]:
    """What each hot operation reads: the lines of its plans that name a table, an index or its use."""
    found = {}
    for name, work in operations(made).items():
        with statements(made.engine) as sent:
            work()
        lines = [line for item in sent.items() for line in explain(made.engine, *item)]
        found[name] = list(dict.fromkeys(_short(line) for line in lines if _READS.search(line)))
    return found


def operations(made: Scaled) -> Mapping[str, Callable[[], object]]:
    """Every statement that runs for each image, or again and again, by what it is for."""
    ledger, root_id = made.ledger, made.target.root.id
    file = SeenFile(
        b"folder_0000000/IMG_0000002.jpg", 3_000_000, 1_700_000_000_000_000_000, 1_700_000_000_000_000_000, 1
    )
    ids: list[int] = []

    def feed() -> None:
        hot.register(made, "planned", 4)
        ledger.queued()
        ledger.pending(4)
        ids.extend(image.id for image in ledger.take_pending(4))

    def end() -> None:
        done, *others = hot.outcomes(claimed)
        failed, gone, deferred = (other.image_id for other in others)
        ended = (done, Failed(failed, "broken", "It ends early."), Gone(gone), Deferred(deferred, 1.0))
        ledger.classified([done.sha256], made.model_id)
        ledger.commit(hot.WORKER, hot.run_of(made), ended)

    claimed: list[ClaimedImage] = []
    worker = workers.this_process(hot.WORKER, hot.run_of(made), [made.target.root.name])
    basis = ledger.stale_basis()
    none_classified = replace(basis, model_id=0)
    return {
        "register": lambda: ledger.register(root_id, [file]),
        "change": lambda: ledger.register(root_id, [SeenFile(file.path, 1, 1, 1, 1)]),
        "walk_rows": lambda: next(ledger.present(root_id, up_to=ledger.newest_id())),
        "mark_missing": lambda: ledger.mark_missing([1]),
        "feed": feed,
        "claim": lambda: claimed.extend(ledger.claim(ids, hot.WORKER, 30.0, made.model_id)),
        "commit": end,
        "release": lambda: ledger.release(hot.WORKER),
        "blame": lambda: ledger.blame(ids[0], "crashed_worker", "It died.", 3),
        "unqueue": lambda: (ledger.unqueue(ids), ledger.unqueue()),
        "retry": lambda: (ledger.retry("none"), ledger.retry(image_ids=ids)),
        "enqueue": lambda: (ledger.enqueue(ids), ledger.unqueue(ids)),
        "hold": lambda: (ledger.hold(root_id, 30.0), ledger.lift(made.target.root.name)),
        "heartbeat": lambda: workers.heartbeat(made.engine, worker, 1),
        "stale": lambda: (ledger.bring_back_stale(none_classified, 4, None), ledger.let_stale_go(basis)),
        **hot.questions(made),
    }


def _short(line: str) -> str:
    return _COSTS.sub("", line).removeprefix("->").strip()[:_LENGTH]
