"""The one kind of job in the queue: image ids to classify with one model. All else is refused, unread.

Whoever can write to Redis can put anything there. A stock RQ job names a function to import and
may be pickled; ours is checked field by field before any of it is parsed, and imports nothing.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from redis import Redis
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from tagtray.config.errors import JobRefused

#: The only function name that is accepted; nothing of this name is ever imported.
FUNCTION = "tagtray.classify"
#: Images in one job at most.
MAX_IMAGES = 1024
#: The largest id that both databases can hold.
MAX_ID = 2**63 - 1
#: Ids as rq makes and accepts them, of a length that is fit for a key.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Bytes of a job's fields together, and of its unpacked data, at most: ids of 19 digits with room to spare.
MAX_BYTES = 64 * 1024

#: The fields that our own jobs have in Redis over their life, as rq 3.0 writes them (Job.to_dict).
_FIELDS = (
    "created_at",
    "data",
    "description",
    "ended_at",
    "enqueued_at",
    "exc_info",
    "failure_ttl",
    "last_heartbeat",
    "origin",
    "result_ttl",
    "started_at",
    "status",
    "timeout",
    "worker_name",
)
#: Fields that rq always writes; with anything in them, the job is none of a feeder's.
_EMPTY_FIELDS = ("failure_callback_name", "group_id", "stopped_callback_name", "success_callback_name")
_NAMES = (*_FIELDS, *_EMPTY_FIELDS)
#: Measures the hash before anything of it is read: how many fields it has, then the values of ours, if all of
#: it is of a size that is fit.
_READ = f"""
local names = {{{", ".join(f"'{name}'" for name in _NAMES)}}}
local count, bytes = redis.call('HLEN', KEYS[1]), 0
for _, name in ipairs(names) do bytes = bytes + redis.call('HSTRLEN', KEYS[1], name) end
if count > #names or bytes > {MAX_BYTES} then return {{count}} end
return {{count, unpack(redis.call('HMGET', KEYS[1], unpack(names)))}}
"""
_FOREIGN = "it has callbacks, foreign fields or too many bytes"
_REFUSED_STATES = (b"canceled", b"stopped", b"deferred", b"scheduled")


class ImageJob(Job):
    """A job of 1 to ``MAX_IMAGES`` image ids, and the id of the model that is to classify them."""

    image_ids: Sequence[int] = ()
    model_id: int = 0

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: Any = None) -> ImageJob:
        """Read a job; raises JobRefused for any that a feeder did not write."""
        if not _ID.fullmatch(id):
            raise JobRefused("its id is not one of ours")
        job = cls(id, connection=connection, serializer=JSONSerializer)
        job.refresh()
        return job

    def refresh(self) -> None:
        """Read no field but ours, in one round trip, and of a hash that is too large none."""
        count, *values = self.connection.register_script(_READ)([self.key])
        if not count:
            raise NoSuchJobError(f"No such job: {self.key}")
        found = zip(_NAMES, values, strict=False)
        fields = {name.encode(): value for name, value in found if value is not None}
        if len(fields) < count or any(values[len(_FIELDS) :]):
            raise JobRefused(_FOREIGN)
        self.restore(fields)

    def restore(self, raw_data: Mapping[Any, Any]) -> None:
        """Take over the fields of the hash; raises JobRefused unless they are those of our jobs."""
        known = {name.encode() for name in _NAMES}
        if not known.issuperset(raw_data):
            raise JobRefused(_FOREIGN)
        if raw_data.get(b"status") in _REFUSED_STATES:
            raise JobRefused("its status is not that of a queued job")
        self.image_ids, self.model_id = unpack(raw_data.get(b"data", b""))
        try:
            super().restore(raw_data)
        except Exception as error:
            raise JobRefused(f"its fields cannot be read ({type(error).__name__})") from None

    @property
    def func(self) -> NoReturn:
        """Refused: nothing is imported by name."""
        raise JobRefused("tagtray's jobs import nothing")

    def perform(self) -> NoReturn:
        """Refused: the worker classifies whole windows of jobs (worker.rq_worker)."""
        raise JobRefused("tagtray's jobs are executed by `tagtray work` alone")


def unpack(data: bytes) -> tuple[list[int], int]:
    """The image ids and the model id in a job's data; raises JobRefused for anything else."""
    try:
        unpacked = zlib.decompressobj().decompress(data, MAX_BYTES + 1)
        name, instance, arguments, keywords = json.loads(unpacked[: MAX_BYTES + 1])
        ids, model_id = arguments
    except (zlib.error, ValueError, TypeError, RecursionError):
        raise JobRefused("its data is not what a feeder writes") from None
    if name != FUNCTION or instance is not None or keywords != {}:
        raise JobRefused("it asks for another function")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IMAGES:
        raise JobRefused(f"it does not hold 1 to {MAX_IMAGES} image ids")
    if not all(type(item) is int and 0 < item <= MAX_ID for item in (*ids, model_id)):
        raise JobRefused("its ids are no ids")
    return ids, model_id
