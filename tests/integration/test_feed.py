"""The feeder between a real ledger and a real Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis as redis_py
from redis import Redis

from tagtray.config import outage
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tagtray.jobs import feed
from tagtray.jobs.feed import Feeder, FeederLoop
from tagtray.jobs.queue import ImageQueue
from tests import builders
from tests.builders import MODEL_ID, status
from tests.waiting import wait_for


@pytest.fixture
def host(settings: Settings) -> Settings:
    return configuration.load(home=settings.home, chunk=4, queue_max=10)


@pytest.fixture
def queue(redis: Redis) -> ImageQueue:
    queue = ImageQueue("tagtray", redis)
    assert queue.is_new()
    return queue


@pytest.fixture
def feeder(host: Settings, ledger: Ledger, queue: ImageQueue) -> Feeder:
    return Feeder(host, ledger, queue)


def chunks(queue: ImageQueue) -> list[list[int]]:
    """The ids of all jobs in the queue, popped."""
    found = []
    while popped := ImageQueue.dequeue_any([queue], None, connection=queue.connection):
        found.append(list(popped[0].image_ids))  # type: ignore[attr-defined]
    return found


def test_a_burst_becomes_full_chunks_and_the_rest_follows(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    ids = builders.register(ledger, root, 6)

    assert feeder.feed(flush=False) == 4
    assert status(ledger, *ids) == ["queued"] * 4 + ["pending"] * 2
    assert feeder.feed(flush=False) == 0
    assert feeder.feed() == 2

    assert chunks(queue) == [ids[:4], ids[4:]]


@pytest.mark.parametrize(("images", "sizes"), [(5, [2, 2, 1]), (1, [1]), (9, [3, 3, 3]), (10, [4, 4, 2])])
def test_a_burst_into_an_empty_queue_is_shared_out_among_the_workers(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue, images: int, sizes: list[int]
) -> None:
    for number in range(3):
        workers.register(ledger.engine, workers.this_process(f"idle-{number}", builders.PROVENANCE, []))
    builders.register(ledger, root, images)

    feeder.feed()

    assert [len(chunk) for chunk in chunks(queue)] == sizes


def test_what_follows_a_queue_that_is_not_empty_goes_in_full_chunks(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    for number in range(3):
        workers.register(ledger.engine, workers.this_process(f"busy-{number}", builders.PROVENANCE, []))
    builders.register(ledger, root, 1)
    feeder.feed()
    builders.register(ledger, root, 6, "more ")

    feeder.feed()

    assert [len(chunk) for chunk in chunks(queue)] == [1, 4, 2]


def test_nothing_pending_is_nothing_to_feed(feeder: Feeder, queue: ImageQueue) -> None:
    assert feeder.feed() == feeder.feed(flush=False) == 0
    assert chunks(queue) == []


def test_a_suspect_travels_alone(feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue) -> None:
    ids = builders.running(ledger, root, 5)
    ledger.blame(ids[1], "crashed_worker", "It crashes.", 3)
    ledger.release("w")

    feeder.feed()

    assert sorted(chunks(queue)) == sorted([[ids[1]], [ids[0], *ids[2:]]])


def test_an_urgent_image_overtakes_a_backlog(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    # Given a queue that is full, and more that waits
    builders.register(ledger, root, 25)
    feeder.feed()

    # When somebody waits for two images
    urgent = builders.register(ledger, root, 2, "upload ")
    assert feeder.enqueue(urgent) == 2

    # Then they are popped before all others
    assert [image_id for chunk in chunks(queue) for image_id in chunk][:2] == urgent
    assert ledger.queued() == 12


def test_an_urgent_image_that_came_back_overtakes_the_backlog_again(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    # Given an urgent image whose worker went away, and a full queue
    (urgent,) = builders.register(ledger, root, 1, "upload ")
    feeder.enqueue([urgent])
    ledger.claim(chunks(queue)[0], "w", 60, MODEL_ID)
    builders.register(ledger, root, 25)
    feeder.feed()
    ledger.release("w")

    # When the feeder looks
    assert feeder.feed() == 1

    # Then it is the next
    assert chunks(queue)[0] == [urgent]


def test_what_the_feeder_took_up_already_can_still_become_urgent(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    *others, late = builders.register(ledger, root, 5)
    feeder.feed()

    feeder.enqueue([late])

    found = chunks(queue)
    assert found[0] == [late]
    assert [image.id for image in ledger.claim(found[0], "w", 60, MODEL_ID)] == [late]
    claimed = [image.id for chunk in found[1:] for image in ledger.claim(chunk, "v", 60, MODEL_ID)]
    assert claimed == others


def test_urgent_images_keep_their_order(feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue) -> None:
    urgent = builders.register(ledger, root, 10)

    feeder.enqueue(urgent)

    assert [image_id for chunk in chunks(queue) for image_id in chunk] == urgent


def test_urgent_images_of_several_who_wait_are_served_in_the_order_in_which_they_came(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    # Given a queue with others
    builders.register(ledger, root, 3, "others/")
    feeder.feed()
    # When one after the other asks for an image, some of which are popped meanwhile
    first, second, third, fourth = builders.register(ledger, root, 4)
    feeder.enqueue([first])
    feeder.enqueue([second])
    for expected in (first, second):
        popped = ImageQueue.dequeue_any([queue], None, connection=queue.connection)
        assert popped and popped[0].image_ids == [expected]  # type: ignore[attr-defined]
    feeder.enqueue([third])
    feeder.enqueue([fourth])
    # Then the earlier one comes first, and both before the others
    assert [image_id for chunk in chunks(queue) for image_id in chunk][:2] == [third, fourth]


def test_a_redis_that_is_away_leaves_an_urgent_image_first_in_line(
    host: Settings, ledger: Ledger, root: int
) -> None:
    builders.register(ledger, root, 3)
    (urgent,) = builders.register(ledger, root, 1, "upload ")
    away = ImageQueue("tagtray", redis_py.Redis(unix_socket_path=str(host.home / "nobody.sock")))

    with pytest.raises(redis_py.RedisError):
        Feeder(host, ledger, away).enqueue([urgent])

    assert [image.id for image in ledger.take_pending(1)] == [urgent]


def test_workers_that_fell_silent_are_forgotten(feeder: Feeder, ledger: Ledger) -> None:
    workers.register(ledger.engine, workers.this_process("silent", builders.PROVENANCE, []))
    builders.execute(ledger, "UPDATE workers SET heartbeat_at = '2020-01-01 00:00:00.000000'")

    feeder.recover()

    assert builders.query(ledger, "SELECT * FROM workers") == []


def test_the_queue_holds_no_more_than_its_high_water_mark(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    builders.register(ledger, root, 25)

    assert feeder.feed() == 10
    assert feeder.feed() == 0

    ledger.claim(chunks(queue)[0], "w", 60, MODEL_ID)
    assert feeder.feed() == 4
    assert ledger.queued() == 10


def test_a_queue_that_fails_gives_its_images_back(
    host: Settings, ledger: Ledger, root: int, queue: ImageQueue, redis: Redis
) -> None:
    ids = builders.register(ledger, root, 3)
    redis.set(queue.key, "no list")

    with pytest.raises(redis_py.RedisError):
        Feeder(host, ledger, queue).feed()

    assert status(ledger, *ids) == ["pending"] * 3


def test_a_redis_that_is_away_gives_the_images_back(host: Settings, ledger: Ledger, root: int) -> None:
    ids = builders.register(ledger, root, 3)
    away = ImageQueue("tagtray", redis_py.Redis(unix_socket_path=str(host.home / "nobody.sock")))

    with pytest.raises(redis_py.RedisError):
        Feeder(host, ledger, away).feed()

    assert status(ledger, *ids) == ["pending"] * 3


def test_a_queue_that_was_lost_is_fed_anew(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue, redis: Redis
) -> None:
    ids = builders.register(ledger, root, 4)
    feeder.feed()
    redis.flushall()

    assert feeder.recover() == 4
    assert feeder.recover() == 0

    feeder.feed()
    assert chunks(queue) == [ids]


def test_a_job_that_was_lost_is_fed_anew_and_a_waiting_one_is_not(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = builders.register(ledger, root, 8)
    feeder.feed()
    lost = ImageQueue.dequeue_any([queue], None, connection=queue.connection)
    assert lost is not None

    assert feeder.recover() == 0, "a job that was just popped will be claimed in a moment"
    monkeypatch.setattr(feed, "QUEUED_GRACE", -1.0)
    assert feeder.recover() == 4

    assert status(ledger, *ids) == ["pending"] * 4 + ["queued"] * 4


def test_images_of_a_worker_that_fell_silent_return(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    ids = builders.running(ledger, root, 2, lease=-1)

    assert feeder.recover() == 2

    assert status(ledger, *ids) == ["pending"] * 2


def test_forged_jobs_do_not_stop_a_recovery(
    feeder: Feeder, ledger: Ledger, root: int, queue: ImageQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = builders.register(ledger, root, 2)
    feeder.feed()
    queue.connection.rpush(queue.key, b"\xff\xfe", "text")
    queue.connection.set("rq:job:text", "x")
    monkeypatch.setattr(feed, "QUEUED_GRACE", -1.0)

    assert feeder.recover() == 0

    assert status(ledger, *ids) == ["queued"] * 2


def test_a_recovery_forgets_jobs_that_ended_long_ago(feeder: Feeder, queue: ImageQueue, redis: Redis) -> None:
    redis.zadd(queue.finished_job_registry.key, {"old": 1, "new": time.time() + 99})

    feeder.recover()

    assert redis.zrange(queue.finished_job_registry.key, 0, -1) == [b"new"]


def test_two_feeders_at_once_put_each_image_in_one_job(
    host: Settings, ledger: Ledger, root: int, redis: Redis
) -> None:
    settings = configuration.load(home=host.home, chunk=4, queue_max=1000)
    ids = builders.register(ledger, root, 100)
    queues = [ImageQueue("tagtray", redis) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        fed = list(pool.map(lambda queue: Feeder(settings, ledger, queue).feed(), queues))

    assert sum(fed) == 100
    assert sorted(image_id for chunk in chunks(queues[0]) for image_id in chunk) == ids


@pytest.fixture
def loop(feeder: Feeder) -> Iterator[FeederLoop]:
    loop = FeederLoop(feeder)
    loop.start()
    yield loop
    loop.stop()


def test_a_single_photo_reaches_the_queue_by_itself(
    loop: FeederLoop, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    (image_id,) = builders.register(ledger, root, 1)
    loop.notify()

    wait_for(lambda: status(ledger, image_id) == ["queued"])
    wait_for(lambda: queue.count == 1)


def test_what_nobody_told_of_is_found_all_the_same(
    loop: FeederLoop, ledger: Ledger, root: int, queue: ImageQueue
) -> None:
    builders.register(ledger, root, 1)

    wait_for(lambda: queue.count == 1)


def test_a_steady_trickle_does_not_keep_the_rest_waiting(loop: FeederLoop, ledger: Ledger, root: int) -> None:
    (image_id,) = builders.register(ledger, root, 1)

    def trickled() -> bool:
        loop.notify()
        time.sleep(feed.QUIET / 4)
        return status(ledger, image_id) == ["queued"]

    wait_for(trickled)


def test_the_loop_outlives_an_outage(
    host: Settings,
    ledger: Ledger,
    root: int,
    queue: ImageQueue,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outage, "BACKOFF", 0.05)
    redis.set(queue.key, "no list")
    (image_id,) = builders.register(ledger, root, 1)
    loop = FeederLoop(Feeder(host, ledger, queue))
    loop.start()

    wait_for(lambda: "feeder_waits" in caplog.text)
    redis.delete(queue.key)
    wait_for(lambda: status(ledger, image_id) == ["queued"])

    loop.stop()
    assert caplog.text.count("feeder_waits") == 1


def test_the_loop_outlives_an_error_that_nobody_foresaw(
    feeder: Feeder,
    ledger: Ledger,
    root: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outage, "BACKOFF", 0.05)
    (image_id,) = builders.register(ledger, root, 1)
    loop = FeederLoop(feeder)
    monkeypatch.setattr(feeder, "_chunk", None)  # no feeder could foresee this
    loop.start()
    loop.notify()
    wait_for(lambda: "feeder_failed" in caplog.text)

    monkeypatch.setattr(feeder, "_chunk", 4)
    wait_for(lambda: status(ledger, image_id) == ["queued"])

    loop.stop()
