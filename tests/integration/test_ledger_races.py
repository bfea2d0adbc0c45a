"""Many callers of the ledger at once, on both databases."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import Deferred, Failed, Outcome
from tests import builders
from tests.builders import MODEL_ID, commit, content, done, query, seen, status


def _at_once(*tasks: Callable[[], object]) -> None:
    """Run all in threads of their own that begin together; the first error is raised."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        start.wait()
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for future in [pool.submit(run, task) for task in tasks]:
            future.result()


def _ends(image_id: int) -> list[Outcome]:
    return [
        done(image_id, str(image_id % 7), content()),
        Deferred(image_id, -1),
        Failed(image_id, "corrupt", "It is damaged."),
    ]


def test_feeders_never_take_the_same_image(ledger: Ledger, root: int) -> None:
    ids = builders.register(ledger, root, 200)
    taken: list[int] = []

    def feed() -> None:
        while images := ledger.take_pending(7):
            taken.extend(image.id for image in images)

    _at_once(*[feed] * 4)

    assert sorted(taken) == sorted(ids)


def test_workers_never_claim_the_same_image(ledger: Ledger, root: int) -> None:
    ids = builders.queued(ledger, root, 60)
    claimed: list[tuple[int, str]] = []

    def claim(worker: str) -> None:
        for _ in range(12):
            some = random.sample(ids, 20)
            claimed.extend((image.id, worker) for image in ledger.claim(some, worker, 60, MODEL_ID))

    _at_once(*[lambda worker=str(number): claim(worker) for number in range(4)])

    holders = dict(claimed)
    assert {(image_id, holders[image_id]) for image_id in holders} == set(claimed)
    for image_id, worker in claimed:
        assert builders.row(ledger, image_id)["worker"] == worker


def test_producers_register_the_same_files_once(ledger: Ledger, root: int) -> None:
    files = [seen(f"{number}.jpg") for number in range(300)]

    _at_once(*[lambda: ledger.register(root, random.sample(files, len(files)))] * 4)

    assert query(ledger, "SELECT count(*), count(DISTINCT path) FROM images") == [(300, 300)]


def test_workers_with_the_same_photos_store_them_once(ledger: Ledger, root: int) -> None:
    ids = builders.running(ledger, root, 40)
    words = [f"photo {number % 10}" for number in range(20)]

    def work(mine: list[int]) -> None:
        pairs = list(zip(mine, words, strict=True))
        random.shuffle(pairs)
        for start in range(0, 20, 5):
            commit(ledger, *(done(image_id, word, content()) for image_id, word in pairs[start : start + 5]))

    _at_once(lambda: work(ids[:20]), lambda: work(ids[20:]))

    assert ledger.counts()["done"] == 40
    assert query(ledger, "SELECT count(*) FROM contents") == [(10,)]
    assert query(ledger, "SELECT count(*) FROM predictions") == [(30,)]


def test_everybody_at_once_ends_with_every_image_done(ledger: Ledger, root: int) -> None:
    ids = builders.register(ledger, root, 60)
    files = [seen(f"{number}.jpg") for number in range(60)]
    over = threading.Event()

    def feed() -> None:
        while not over.is_set():
            ledger.take_pending(8)
            ledger.free_lapsed()

    def work(worker: str) -> None:
        draw = random.Random(worker)
        while not over.is_set():
            claimed = ledger.claim(draw.sample(ids, 30), worker, draw.choice([-1.0, 60.0]), MODEL_ID)
            draw.shuffle(claimed)
            outcomes = [draw.choice(_ends(image.id)) for image in claimed]
            commit(ledger, *outcomes, worker=worker)
            ledger.retry()
            if ledger.counts()["done"] == 60:
                over.set()

    def meddle() -> None:
        while not over.is_set():
            ledger.renew("0", 60)
            ledger.renew("1", 60)
            ledger.register(root, random.sample(files, 30))
            ledger.blame(random.choice(ids), "crashed_worker", "It crashes.", 1000)

    _at_once(feed, meddle, lambda: work("0"), lambda: work("1"))

    assert ledger.counts()["done"] == 60


def test_a_locked_database_is_waited_for(settings: Settings) -> None:
    with builders.ledger(settings) as ledger:
        root = builders.root(ledger, settings).id
        other = sqlite3.connect(settings.home / "tagtray.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        timer.start()

        (image_id,) = builders.register(ledger, root, 1)

        timer.join()
        other.close()
        assert status(ledger, image_id) == ["pending"]


def test_connections_that_the_server_closed_are_made_anew(home: Path, postgres_url: str) -> None:
    host = builders.settings_for(home, postgres_url)
    with builders.ledger(host) as ledger:
        root = builders.root(ledger, host).id
        ids = builders.register(ledger, root, 3)
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        assert [image.id for image in ledger.take_pending(3)] == ids


def test_a_transaction_that_the_server_ends_is_run_again(home: Path, postgres_url: str) -> None:
    host = builders.settings_for(home, postgres_url)
    with builders.ledger(host) as ledger:
        root = builders.root(ledger, host).id
        ids = builders.queued(ledger, root, 2)
        holder = ledger.engine.connect()
        holder.exec_driver_sql("SELECT * FROM images FOR UPDATE")

        def killed() -> bool:
            # A transaction sees the activity of its first look for as long as it lasts.
            with ledger.engine.connect() as killer:
                return bool(
                    killer.exec_driver_sql(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    ).all()
                )

        def kill() -> None:
            while not killed():
                time.sleep(0.01)
            holder.close()

        thread = threading.Thread(target=kill)
        thread.start()
        claimed = ledger.claim(ids, "w", 60, MODEL_ID)
        thread.join()

        assert [image.id for image in claimed] == ids
