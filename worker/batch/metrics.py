"""What a worker counts of each committed batch, for Prometheus.

Names follow Triton's (count and exec_count: images and batches through the network). It is imported where
metrics are wanted alone, after the variable that has several processes count together is set.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from tagtray.db.records import Deferred, Done, Failed, Gone, Outcome
from tagtray.worker.batch.batch import CommittedBatch

#: Upper bounds of the sizes of batches, and of seconds.
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

ENDED = Counter("tagtray_images_ended", "Images that a worker brought to an end, by result.", ["result"])
FAILURES = Counter("tagtray_image_failures", "Images that failed, by code.", ["code"])
COUNT = Counter("tagtray_inference_count", "Images that went through the network.")
EXEC_COUNT = Counter("tagtray_inference_exec_count", "Batches that went through the network.")
BATCH_SIZE = Histogram("tagtray_batch_size", "Images of a batch.", buckets=SIZES)
STAGE = Histogram("tagtray_stage_seconds", "Seconds of a batch in a stage.", ["stage"], buckets=SECONDS)

_RESULTS = {Failed: "failed", Gone: "missing", Deferred: "deferred"}


def count(batch: CommittedBatch) -> None:
    """Count a batch that is committed; fit to be a hook."""
    for outcome in batch.outcomes:
        ENDED.labels(_result(outcome)).inc()
        if isinstance(outcome, Failed):
            FAILURES.labels(outcome.code).inc()
    BATCH_SIZE.observe(len(batch.images))
    if batch.forward:
        COUNT.inc(batch.forward)
        EXEC_COUNT.inc()
    for stage, seconds in batch.seconds.items():
        STAGE.labels(stage).observe(seconds)


def _result(outcome: Outcome) -> str:
    """``done`` by the network, ``known`` by the ledger, or why it is neither."""
    if isinstance(outcome, Done):
        return "done" if outcome.content else "known"
    return _RESULTS[type(outcome)]
