"""What every image costs in the ledger, and what a look at it costs, on a ledger of some size."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import report
from benchmarks.scale.rows import TAGS, Scaled
from tagtray.db.reading import queries, run_stats
from tagtray.db.records import ClaimedImage, Done, NewContent, Provenance, SeenFile
from tagtray.jobs.feed import Feeder
from tagtray.jobs.queue import ImageQueue
from tagtray.weights.store import ModelStore

#: Images per batch, batches per round, rounds, and looks of each kind.
BATCH, BATCHES, ROUNDS, LOOKS = 32, 40, 5, 5
WORKER = "worker 1"


def per_image(made: Scaled, queue: ImageQueue) -> dict[str, Any]:
    """[least, median, most] milliseconds per image of feed, claim and commit over ``ROUNDS`` rounds."""
    return dict(report.medians([_round(made, queue, number) for number in range(ROUNDS)]))


def looks(made: Scaled) -> dict[str, Any]:
    """[least, median, most] milliseconds of each question that is asked again and again, or once in a run."""
    asked = questions(made)
    rows = [{name: _milliseconds(ask) for name, ask in asked.items()} for _ in range(LOOKS)]
    return dict(report.medians(rows))


def register(made: Scaled, prefix: str, count: int) -> None:
    """New files, as a scan brings them in."""
    files = [SeenFile(f"{prefix}/{number}.jpg".encode(), 3_000_000, 1, 1, 1) for number in range(count)]
    made.ledger.register(made.target.root.id, files)


def outcomes(claimed: Sequence[ClaimedImage]) -> list[Done]:
    """Each a photo that nobody has seen yet."""
    tags = [(category.wnid, 0.7) for category in ModelStore().default.labels.categories[:TAGS]]
    content = NewContent("JPEG", 4032, 3024, None, None, [(1, 0.7), (2, 0.2), (3, 0.1)], tags)
    return [Done(image.id, secrets.token_hex(32), 3_000_000, 1, content) for image in claimed]


def run_of(made: Scaled) -> Provenance:
    """What the worker says of its network."""
    return Provenance(made.model_id, "torch", "fp32", "draft")


def _round(made: Scaled, queue: ImageQueue, number: int) -> dict[str, float]:
    images = BATCH * BATCHES
    register(made, f"new_{number}", images)
    settings = made.settings.model_copy(update={"queue_max": images})
    feeder = Feeder(settings, made.ledger, queue)
    feed = _milliseconds(feeder.feed)
    ids = sorted(queue.waiting_ids())
    assert len(ids) == images
    queue.connection.flushdb()
    spent = {"feed": feed, "claim": 0.0, "known": 0.0, "commit": 0.0}
    run = run_of(made)
    for start in range(0, images, BATCH):
        began = time.perf_counter()
        claimed = made.ledger.claim(ids[start : start + BATCH], WORKER, 30.0, made.model_id)
        spent["claim"] += time.perf_counter() - began
        ended = outcomes(claimed)
        began = time.perf_counter()
        made.ledger.classified(sorted(done.sha256 for done in ended), made.model_id)
        spent["known"] += time.perf_counter() - began
        began = time.perf_counter()
        made.ledger.commit(WORKER, run, ended)
        spent["commit"] += time.perf_counter() - began
    seconds = {name: 1e3 * value for name, value in spent.items() if name != "feed"}
    return {name: value / images for name, value in {"feed": feed, **seconds}.items()}


def questions(made: Scaled) -> dict[str, Callable[[], object]]:
    """What is asked of the ledger, by who asks."""
    database, ledger, targets = made.engine, made.ledger, [made.target]
    since = run_stats.moment(database)

    def status() -> None:
        ledger.counts()
        queries.classified(database, 60.0)
        queries.oldest_wait(database)

    return {
        "status": status,
        "run_progress": lambda: run_stats.active(database, targets),
        "scan_progress": lambda: run_stats.unqueued(database, targets),
        "feeder_look": lambda: (ledger.queued(), ledger.pending(4096)),
        "feeder_recover": lambda: (ledger.free_lapsed(), ledger.queued_ids(10.0)),
        "lease_renewal": lambda: ledger.renew(WORKER, 30.0),
        "show": lambda: queries.image(database, made.target.root.id, b"folder_0000000/IMG_0000002.jpg"),
        "failures": lambda: queries.failures(database, None, 20),
        "summary_tallies": lambda: run_stats.tallies(database, targets, since),
        "summary_forwarded": lambda: run_stats.forwarded(database, targets, since),
        "summary_labels": lambda: run_stats.frequent_labels(database, targets, 10),
        "summary_categories": lambda: run_stats.frequent_categories(database, targets, 10),
        "summary_some_done": lambda: run_stats.some_done(database, targets, 3),
    }


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)
