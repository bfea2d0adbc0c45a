"""Forged jobs in a real Redis: each is dropped, counted and logged; the next one is served."""

from __future__ import annotations

import json
import logging
import pickle
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq.exceptions import DequeueTimeout

from tagtray.config.errors import JobRefused
from tagtray.jobs.job import FUNCTION, MAX_ID, MAX_IMAGES, ImageJob
from tagtray.jobs.queue import ImageQueue
from tests.builders import MODEL_ID

#: Imported by a forged job if anything ever is: it leaves a file behind.
TRAP = "tagtray_test_trap"

Raw = Mapping[str, str | bytes]
Encodable = bytes | bytearray | memoryview | str | int | float


@pytest.fixture
def queue(redis: Redis) -> ImageQueue:
    return ImageQueue("tagtray", redis)


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / f"{TRAP}.py").write_text(
        "import pathlib\npathlib.Path(__file__).with_name('sprung').touch()\ndef job(*a, **k): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "sprung"


def data(
    function: Any = FUNCTION,
    instance: Any = None,
    args: Any = None,
    kwargs: Any = None,
    ids: Any = (1,),
    model: Any = MODEL_ID,
) -> bytes:
    """A job's data as RQ packs it."""
    given = [ids, model] if args is None else args
    return zlib.compress(json.dumps([function, instance, given, {} if kwargs is None else kwargs]).encode())


class _Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return __import__, (TRAP,)


FORGED_DATA: dict[str, bytes] = {
    "another function": data(f"{TRAP}.job"),
    "a function of the library": data("os.system", args=["touch /tmp/x"]),
    "our function's name with more": data(FUNCTION + ".x"),
    "no function": data(None),
    "an instance": data(instance="x"),
    "an instance that is empty": data(instance=""),
    "keywords": data(kwargs={"path": "/etc/passwd"}),
    "keywords as a list": data(kwargs=[]),
    "no arguments": data(args=[]),
    "no model": data(args=[[1]]),
    "three arguments": data(args=[[1], 1, 1]),
    "two lists of ids": data(model=[2]),
    "the model before the ids": data(args=[1, [1]]),
    "a null for the model": data(model=None),
    "a name for the model": data(model="resnet18"),
    "a number in a text for the model": data(model="1"),
    "a dict for the model": data(model={"id": 1}),
    "a truth for the model": data(model=True),
    "a fraction for the model": data(model=1.0),
    "model zero": data(model=0),
    "a negative model": data(model=-1),
    "a huge model": data(model=MAX_ID + 1),
    "arguments that are no list": data(args=7),
    "arguments that are text": data(args="a"),
    "a dict instead of ids": data(ids={"1": 1}),
    "a text instead of ids": data(ids="123"),
    "no ids": data(ids=[]),
    "too many ids": data(ids=[1] * (MAX_IMAGES + 1)),
    "a million ids": data(ids=[1] * 1_000_000),
    "a negative id": data(ids=[1, -1]),
    "zero": data(ids=[0]),
    "a fraction": data(ids=[1.0]),
    "a truth": data(ids=[True]),
    "a null": data(ids=[None]),
    "a text in the ids": data(ids=["1"]),
    "a list in the ids": data(ids=[[1]]),
    "a huge id": data(ids=[MAX_ID + 1]),
    "a model of five thousand digits": zlib.compress(
        b'["%s", null, [[1], %s], {}]' % (FUNCTION.encode(), b"9" * 5_000)
    ),
    "a model that is no number": zlib.compress(b'["%s", null, [[1], Infinity], {}]' % FUNCTION.encode()),
    "an id of five thousand digits": zlib.compress(
        b'["%s", null, [[%s], 1], {}]' % (FUNCTION.encode(), b"9" * 5_000)
    ),
    "not a number": zlib.compress(b'["%s", null, [[NaN], 1], {}]' % FUNCTION.encode()),
    "no JSON": zlib.compress(b"{"),
    "JSON of another shape": zlib.compress(b"3"),
    "deeply nested JSON": zlib.compress(b"[" * 60_000),
    "no text": zlib.compress(b"\xff\xfe\xfd"),
    "a pickle": zlib.compress(pickle.dumps((f"{TRAP}.job", None, ([1], 1), {}))),
    "a pickle that runs code": zlib.compress(pickle.dumps(_Bomb())),
    "a bare pickle that runs code": pickle.dumps(_Bomb()),
    "uncompressed JSON": json.dumps([FUNCTION, None, [[1], 1], {}]).encode(),
    "a bomb of zeros": zlib.compress(bytes(100_000_000)),
    "a bomb of blanks before its ids": zlib.compress(
        b'["%s", null, [[1%s], 1], {}]' % (FUNCTION.encode(), b" " * 50_000_000)
    ),
    "data cut in half": data()[:10],
    "nothing": b"",
}

FORGED_FIELDS: dict[str, Raw] = {
    "a success callback": {"success_callback_name": f"{TRAP}.job"},
    "a failure callback": {"failure_callback_name": f"{TRAP}.job"},
    "a stopped callback": {"stopped_callback_name": f"{TRAP}.job"},
    "a callback's timeout": {"success_callback_timeout": "9"},
    "webhooks": {"webhooks": json.dumps([{"url": "http://127.0.0.1:1/", "method": "POST"}])},
    "pickled meta": {"meta": pickle.dumps(_Bomb())},
    "a pickled result": {"result": pickle.dumps(_Bomb())},
    "dependencies": {"dependency_ids": '["a"]'},
    "a dependency": {"dependency_id": "a"},
    "failing dependencies": {"allow_dependency_failures": "1"},
    "retries": {"retries_left": "99", "retry_intervals": "[0]"},
    "repeats": {"repeats_left": "99", "repeat_intervals": "[0]"},
    "a rate limit": {"rate_limit_key": "x"},
    "to be put at the front": {"enqueue_at_front": "1"},
    "a time to live": {"ttl": "1"},
    "a parent": {"parent_id": "a"},
    "a field nobody knows": {"evil": "1"},
    "a field of fifty megabytes that nobody knows": {"evil": b"x" * 50_000_000},
    "a field of fifty megabytes that we know": {"description": b"x" * 50_000_000},
    "a text of fifty megabytes for its data": {"data": b"x" * 50_000_000},
    "thousands of fields": {f"field{number}": "1" for number in range(5_000)},
    "a status nobody knows": {"status": "dancing"},
    "a status of bytes": {"status": b"\xff"},
    "a canceled status": {"status": "canceled"},
    "a deferred status": {"status": "deferred"},
    "a scheduled status": {"status": "scheduled"},
    "a stopped status": {"status": "stopped"},
    "a time that is none": {"created_at": "yesterday"},
    "a timeout that is none": {"timeout": "soon"},
    "a time to keep it that is none": {"result_ttl": "long"},
    "a worker whose name is no text": {"worker_name": b"\xff"},
    "a group": {"group_id": "g"},
}

FORGED_IDS: dict[str, bytes] = {
    "no text": b"\xff\xfe",
    "with a colon": b"a:b",
    "with a line break": b"a\nb",
    "empty": b"",
    "of a megabyte": b"a" * 1_000_000,
    "with a NUL": b"a\0b",
    "in another script": "图".encode(),
}


def forge(redis: Redis, queue: ImageQueue, fields: Raw, job_id: bytes = b"forged") -> bytes:
    """Put a job straight into Redis, as whoever can write there could; its key."""
    key = b"rq:job:" + job_id
    good: dict[Encodable, Encodable] = {
        "created_at": "2024-01-01T00:00:00.000000Z",
        "data": data(),
        "origin": queue.name,
        "status": "queued",
        "success_callback_name": "",
        "failure_callback_name": "",
        "stopped_callback_name": "",
    }
    redis.hset(key, mapping=good | dict(fields))
    redis.rpush(queue.key, job_id)
    return key


def pop(queue: ImageQueue) -> ImageJob | None:
    found = ImageQueue.dequeue_any([queue], None, connection=queue.connection)
    if found is None:
        return None
    assert isinstance(found[0], ImageJob)
    return found[0]


def _reads(redis: Redis) -> list[int]:
    """How often commands that answer with whole hashes were called."""
    calls = redis.info("commandstats")
    return [calls.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hgetall", "hvals")]


def _expect_refused(queue: ImageQueue, caplog: pytest.LogCaptureFixture, trap: Path) -> None:
    queue.put([[41, 42]], MODEL_ID)
    with caplog.at_level(logging.WARNING, "tagtray.jobs.queue"):
        served = pop(queue)

    assert served is not None and list(served.image_ids) == [41, 42]
    assert queue.refused() == 1
    assert [record.message.split(":")[0] for record in caplog.records] == ["job_refused"]
    assert len(caplog.records[0].getMessage()) < 300
    assert not trap.exists() and TRAP not in sys.modules
    assert queue.connection.lrange(queue.intermediate_queue_key, 0, -1) == [served.id.encode()]


@pytest.mark.parametrize("name", FORGED_DATA)
def test_forged_data_is_refused(
    name: str, redis: Redis, queue: ImageQueue, trap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = forge(redis, queue, {"data": FORGED_DATA[name]})

    _expect_refused(queue, caplog, trap)

    assert not redis.exists(key)


@pytest.mark.parametrize("name", FORGED_FIELDS)
def test_forged_fields_are_refused(
    name: str, redis: Redis, queue: ImageQueue, trap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = forge(redis, queue, FORGED_FIELDS[name])

    _expect_refused(queue, caplog, trap)

    assert not redis.exists(key)


@pytest.mark.parametrize("name", FORGED_IDS)
def test_forged_ids_are_refused(
    name: str, redis: Redis, queue: ImageQueue, trap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = forge(redis, queue, {}, FORGED_IDS[name])

    _expect_refused(queue, caplog, trap)

    assert not redis.exists(key)


@pytest.mark.parametrize("put", [Redis.set, Redis.rpush, Redis.sadd])
def test_a_job_that_is_no_hash_is_refused(
    put: Callable[[Redis, str, str], object],
    redis: Redis,
    queue: ImageQueue,
    trap: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(redis, "rq:job:forged", "x")
    redis.rpush(queue.key, "forged")

    _expect_refused(queue, caplog, trap)

    assert not redis.exists("rq:job:forged")


def test_a_job_without_fields_is_refused(
    redis: Redis, queue: ImageQueue, trap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    redis.rpush(queue.key, "forged")

    _expect_refused(queue, caplog, trap)


def test_a_field_of_hundreds_of_megabytes_is_never_read(redis: Redis, queue: ImageQueue) -> None:
    forge(redis, queue, {"evil": b"x" * 300_000_000})
    before = _reads(redis)

    assert pop(queue) is None

    assert _reads(redis) == before


def test_a_thousand_forged_jobs_do_not_stop_a_good_one(redis: Redis, queue: ImageQueue) -> None:
    for number in range(1_000):
        forge(redis, queue, {"data": b"x"}, b"forged%d" % number)
    queue.put([[7]], MODEL_ID)

    served = pop(queue)

    assert served is not None and served.image_ids == [7]
    assert queue.refused() == 1_000


def test_dependents_of_a_forged_job_are_left_alone(redis: Redis, queue: ImageQueue) -> None:
    forge(redis, queue, {}, b"good-looking")
    redis.sadd("rq:job:good-looking:dependents", "victim")

    job = pop(queue)

    assert job is not None
    assert queue.move_dependents_to_ready(job) == {}


def test_a_job_can_neither_be_called_nor_performed(queue: ImageQueue) -> None:
    queue.put([[1]], MODEL_ID)
    job = pop(queue)
    assert job is not None

    with pytest.raises(JobRefused):
        job.perform()
    with pytest.raises(JobRefused):
        _ = job.func


def test_forged_jobs_do_not_stop_a_look_at_what_waits(redis: Redis, queue: ImageQueue) -> None:
    forge(redis, queue, {"data": b"x"})
    forge(redis, queue, {"data": b"x" * 50_000_000}, b"huge")
    forge(redis, queue, {}, b"\xff\xfe")
    redis.set("rq:job:text", "x")
    redis.rpush(queue.key, "text", "nothing")
    queue.put([[1, 2], [3]], MODEL_ID)

    assert {2, 3} <= queue.waiting_ids()


def test_a_job_has_its_ids_and_its_model_and_no_more(redis: Redis, queue: ImageQueue) -> None:
    ids = [MAX_ID - number for number in range(MAX_IMAGES)]

    assert queue.put([ids, [5]], MAX_ID) == 2

    first, second = pop(queue), pop(queue)
    assert first is not None and second is not None
    assert (list(first.image_ids), list(second.image_ids)) == (ids, [5])
    assert (first.model_id, second.model_id) == (MAX_ID, MAX_ID)
    assert queue.refused() == 0
    assert queue.put([], MODEL_ID) == 0
    assert pop(queue) is None


def test_urgent_jobs_go_first(queue: ImageQueue) -> None:
    queue.put([[1]], MODEL_ID)
    queue.put([[2]], MODEL_ID, at_front=True)

    job = pop(queue)
    assert job is not None and job.image_ids == [2]


def test_an_empty_queue_is_waited_for(queue: ImageQueue) -> None:
    with pytest.raises(DequeueTimeout):
        ImageQueue.dequeue_any([queue], 1, connection=queue.connection)


def test_a_lost_queue_is_noticed_once(redis: Redis, queue: ImageQueue) -> None:
    assert [queue.is_new(), queue.is_new()] == [True, False]
    redis.flushall()
    assert [queue.is_new(), queue.is_new()] == [True, False]
    assert ImageQueue("other", redis).is_new()


def test_a_job_that_was_popped_and_never_begun_is_forgotten(redis: Redis) -> None:
    queue = ImageQueue("tagtray", redis)
    queue.put([[1, 2]], MODEL_ID)
    (job_id,) = queue.get_job_ids()
    redis.lmove(queue.key, queue.intermediate_queue_key)

    queue.tidy()
    assert redis.exists(ImageJob.key_for(job_id))
    queue.tidy()

    assert not redis.exists(ImageJob.key_for(job_id), queue.intermediate_queue_key)
