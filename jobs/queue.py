"""The short queue between ledger and workers: an RQ queue that holds image ids and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast
from uuid import uuid4

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from tagtray.config.errors import JobRefused
from tagtray.jobs.job import FUNCTION, MAX_BYTES, ImageJob, unpack

#: Seconds that RQ keeps a finished job for `rq info` and dashboards.
RESULT_TTL = 300
#: Seconds that RQ keeps a job that an infrastructure error ended; the ledger has its images long before.
FAILURE_TTL = 3600
#: Seconds after which RQ calls a started job abandoned. The ledger's leases are what counts.
JOB_TIMEOUT = 3600

#: Puts a job behind the last one that was put at the front, or first where that was popped already.
_PUT_BEFORE_OTHERS = """
local last = redis.call('GET', KEYS[2])
if not last or redis.call('LINSERT', KEYS[1], 'AFTER', last, ARGV[1]) < 1 then
    redis.call('LPUSH', KEYS[1], ARGV[1])
end
redis.call('SET', KEYS[2], ARGV[1])
"""

log = logging.getLogger(__name__)


class ImageQueue(Queue):
    """The queue, as feeders and workers share it."""

    job_class = ImageJob

    def __init__(self, name: str, connection: Redis, **options: Any) -> None:
        options.update(job_class=ImageJob, serializer=JSONSerializer)
        super().__init__(name, connection=connection, **options)
        self._popped: set[Any] = set()

    def put(self, chunks: Iterable[Sequence[int]], model_id: int, at_front: bool = False) -> int:
        """Enqueue one job per chunk of image ids, for one model, in one round trip; the number of jobs.

        With ``at_front`` they are popped before all that were put without, in the order in which they came:
        else whoever asks last would be served first, and some never.
        """
        jobs = [
            self.prepare_data(
                FUNCTION,
                args=(list(chunk), model_id),
                timeout=JOB_TIMEOUT,
                result_ttl=RESULT_TTL,
                failure_ttl=FAILURE_TTL,
                description=f"{len(chunk)} images from {chunk[0]}",
                at_front=at_front,
            )
            for chunk in chunks
        ]
        return len(self.enqueue_many(jobs)) if jobs else 0

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> None:
        """Add a job to the list that workers pop from."""
        if not at_front:
            super().push_job_id(job_id, pipeline=pipeline)
            return
        connection: Redis | Pipeline = self.connection if pipeline is None else pipeline
        connection.eval(_PUT_BEFORE_OTHERS, 2, self.key, f"tagtray:{self.name}:front", job_id)

    def waiting_ids(self) -> set[int]:
        """The image ids of all jobs that no worker has popped yet."""
        prefix = ImageJob.redis_job_namespace_prefix.encode()
        waiting = cast(list[bytes], self.connection.lrange(self.key, 0, -1))
        keys = [prefix + job_id for job_id in waiting]
        lengths = self._each(keys, lambda pipeline, key: pipeline.hstrlen(key, "data"))
        # Forged jobs may hold anything of any size: they are left to the worker that drops them.
        sane = [key for key, length in zip(keys, lengths, strict=True) if length in range(1, MAX_BYTES)]
        found = self._each(sane, lambda pipeline, key: pipeline.hget(key, "data"))
        return {item for data in found if isinstance(data, bytes) for item in _readable(data)}

    def is_new(self) -> bool:
        """True once after Redis lost the queue: the epoch key that marks its life was gone."""
        return bool(self.connection.set(f"tagtray:{self.name}:epoch", uuid4().hex, nx=True))

    def refused(self) -> int:
        """How many forged or unreadable jobs were dropped since Redis started."""
        return int(self.connection.get(_refused_key(self.name)) or 0)

    def tidy(self) -> None:
        """Forget jobs that finished, failed or were abandoned longer ago than they are kept.

        Instead of RQ's own maintenance, which fetches and revives jobs; nothing here reads one.
        """
        now = time.time()
        abandoned: Any = self.connection.zrangebyscore(self.started_job_registry.key, 0, now)
        popped: set[Any] = set(self.connection.lrange(self.intermediate_queue_key, 0, -1))
        # Popped and never begun: still there since the last time, though a pop is begun within milliseconds.
        stranded = popped & self._popped
        self._popped = popped - stranded
        prefix = ImageJob.redis_job_namespace_prefix.encode()
        with self.connection.pipeline(transaction=False) as pipeline:
            for registry in (self.finished_job_registry, self.failed_job_registry, self.started_job_registry):
                pipeline.zremrangebyscore(registry.key, 0, now)
            for job_id in stranded:
                pipeline.lrem(self.intermediate_queue_key, 1, job_id)
            for job_id in {*stranded, *(entry.partition(b":")[0] for entry in abandoned)}:
                pipeline.unlink(prefix + job_id)
            pipeline.execute()

    def _each(self, keys: Iterable[bytes], ask: Callable[[Pipeline, bytes], object]) -> list[Any]:
        """The answers for all keys in one round trip; that of a key of the wrong kind is an exception."""
        with self.connection.pipeline(transaction=False) as pipeline:
            for key in keys:
                ask(pipeline, key)
            return pipeline.execute(raise_on_error=False)

    def move_dependents_to_ready(self, job: Job, *_: Any, **__: Any) -> dict[str, list[str]]:
        """None: our jobs have no dependents, and forged ones are not looked at."""
        return {}

    @classmethod
    def lmove(cls, connection: Redis, queue_key: str, timeout: int | None) -> tuple[str, Any] | None:
        """Pop one id; one that is no text is dropped before RQ fails to read it."""
        while popped := super().lmove(connection, queue_key, timeout):
            key, job_id = popped
            try:
                job_id.decode()
                return key, job_id
            except UnicodeDecodeError:
                _drop(connection, queue_key, job_id, "its id is no text")
        return None

    @classmethod
    def _fetch_dequeued_job(
        cls, connection: Redis, queue_key: str, job_id: str, *_: Any, **__: Any
    ) -> tuple[Job, Queue] | None:
        queue = cls.from_queue_key(queue_key, connection=connection)
        try:
            return ImageJob.fetch(job_id, connection=connection), queue
        except NoSuchJobError:
            reason = "its fields are missing"
        except (JobRefused, ValueError) as error:
            reason = str(error)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            reason = "its key holds something else"
        _drop(connection, queue_key, job_id, reason)
        return None


def _readable(data: bytes) -> list[int]:
    try:
        return unpack(data)[0]
    except JobRefused:
        return []


def _drop(connection: Redis, queue_key: str, job_id: str | bytes, reason: str) -> None:
    name = queue_key.removeprefix(Queue.redis_queue_namespace_prefix)
    raw = job_id.encode() if isinstance(job_id, str) else job_id
    with connection.pipeline() as pipeline:
        pipeline.lrem(f"{queue_key}:intermediate", 1, raw)  # type: ignore[arg-type]
        pipeline.unlink(ImageJob.redis_job_namespace_prefix.encode() + raw)
        pipeline.incr(_refused_key(name))
        pipeline.execute()
    log.warning("job_refused: job %.80r was dropped: %s.", job_id, reason)


def _refused_key(name: str) -> str:
    return f"tagtray:{name}:refused"
