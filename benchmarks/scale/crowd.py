"""Processes that claim and commit against one ledger at once, with nothing to do in between."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from benchmarks import report
from benchmarks.scale import hot
from benchmarks.scale.rows import Scaled
from tagtray.config.settings import Settings
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.db.records import Provenance

#: Batches that the processes share, and seconds between looks at what PostgreSQL's sessions wait for.
BATCHES, LOOK = 300, 0.02

_WAITS = text(
    "SELECT coalesce(wait_event_type || ':' || wait_event, 'running') FROM pg_stat_activity"
    " WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def measure(made: Scaled, processes: int) -> dict[str, Any]:
    """Images per second of all together, milliseconds of a claim and a commit, retries, and waits."""
    hot.register(made, f"crowd_{processes}_{time.time_ns()}", hot.BATCH * BATCHES)
    ids = [image.id for image in made.ledger.take_pending(hot.BATCH * BATCHES)]
    chunks = [ids[start : start + hot.BATCH] for start in range(0, len(ids), hot.BATCH)]
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes + 1), context.Queue()
    crew = [
        context.Process(
            target=_work,
            args=(made.settings, hot.run_of(made), chunks[number::processes], number, barrier, results),
        )
        for number in range(processes)
    ]
    for process in crew:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    waits = _watch(made, crew)
    seconds = time.perf_counter() - began
    found = [results.get() for _ in crew]
    for process in crew:
        process.join()
    claims, commits = ([value for part in found for value in part[name]] for name in ("claim", "commit"))
    total = sum(waits.values())
    return {
        "images_per_second": len(ids) / seconds,
        "claim_ms": report.spread(claims),
        "commit_ms": report.spread(commits),
        "retried_transactions": sum(part["retried"] for part in found),
        "images_not_claimed": sum(part["lost"] for part in found),
        "waits": {name: round(count / total, 3) for name, count in waits.most_common()},
    }


def _watch(made: Scaled, crew: Sequence[Any]) -> Counter[str]:
    waits: Counter[str] = Counter()
    while any(process.is_alive() for process in crew):
        if made.engine.dialect.name == "postgresql":
            with made.engine.connect() as connection:
                waits.update(connection.scalars(_WAITS))
        time.sleep(LOOK)
    return waits


def _work(
    settings: Settings,
    run: Provenance,
    chunks: Sequence[Sequence[int]],
    number: int,
    barrier: Any,
    results: Any,
) -> None:
    worker = f"worker {number}"
    retries = _Retries()
    database = engine.connect(settings)
    ledger = Ledger(database)
    ledger.queued()  # connects
    spent: dict[str, list[float]] = {"claim": [], "commit": []}
    lost = 0
    barrier.wait()
    for chunk in chunks:
        began = time.perf_counter()
        claimed = ledger.claim(chunk, worker, 30.0, run.model_id)
        spent["claim"].append(1e3 * (time.perf_counter() - began))
        lost += len(chunk) - len(claimed)
        outcomes = hot.outcomes(claimed)
        began = time.perf_counter()
        ledger.commit(worker, run, outcomes)
        spent["commit"].append(1e3 * (time.perf_counter() - began))
    database.dispose()
    results.put({**spent, "retried": retries.count, "lost": lost})


class _Retries(logging.Handler):
    """Counts the transactions that met a transient fault."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.count = 0
        log = logging.getLogger("tagtray.db.access.transactions")
        log.setLevel(logging.DEBUG)
        log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        self.count += record.getMessage().startswith("transaction_retried")
