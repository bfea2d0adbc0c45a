"""CPU time of everything but decode and forward: queue, ledger and bookkeeping, per image.

``python -m benchmarks.overhead``: the real feeder, queue, RQ worker, pipeline and ledger work on tiny files,
with a decoder and a network that do nothing; full chunks, smaller ones and one RQ job per image, in turns.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks import report
from tagtray.app import bootstrap
from tagtray.config import settings as configuration
from tagtray.db import current_model
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.records import ClaimedImage, Provenance, SeenFile
from tagtray.imaging.decode import ImageInfo
from tagtray.jobs.connection import connect
from tagtray.jobs.feed import Feeder
from tagtray.jobs.queue import ImageQueue
from tagtray.weights.store import ModelStore
from tagtray.worker.batch import fill
from tagtray.worker.batch.batch import CommittedBatch
from tagtray.worker.batch.fill import Filler
from tagtray.worker.batch.lease import Lease
from tagtray.worker.batch.pipeline import Pipeline
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines import rollup
from tagtray.worker.engines.classifier import Classifier, Scores
from tagtray.worker.rq_worker import ImageWorker
from tagtray.worker.supervision.progress import Phase, Progress

MODEL = ModelStore().default
IMAGES = 2048
ROUNDS = 5
#: Images to an RQ job, and images that a worker takes up at once. It puts smaller jobs together to batches,
#: but not in the last way, which is that of RQ's own examples.
WAYS = {
    "16 images to a job": (16, 16),
    "4 images to a job": (4, 16),
    "1 image to a job": (1, 16),
    "1 image to a job, each by itself": (1, 1),
}
#: Broader tags of an average photo at TAGTRAY_TAG_MIN.
TAGS = 9


class Nothing:
    """A network that answers the same for every image at once."""

    batch_size = 16

    def __init__(self, categories: int) -> None:
        self.slots: NDArray[np.uint8] = np.zeros((self.batch_size, 1, 1, 3), np.uint8)
        self._tags = np.zeros((self.batch_size, categories), np.float32)
        self._tags[:, :TAGS] = 0.7
        self._features = np.ones((self.batch_size, MODEL.network.features), np.float16)

    def classify(self, n: int) -> Scores:
        """Three classes and ``TAGS`` tags for each image."""
        classes = np.tile(np.arange(3), (n, 1))
        return Scores(classes, np.full((n, 3), 0.3, np.float32), self._tags[:n], self._features[:n])

    def warm_up(self) -> None:
        """Nothing."""


def measure(chunk: int, window: int, images: int = IMAGES) -> float:
    """CPU milliseconds per image, this process and Redis together: from feeding to the last commit."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        for number in range(images):
            Path(folder, f"{number}.jpg").write_bytes(b"%d" % number)
        network = Nothing(len(MODEL.labels.categories))
        with world(Path(folder), network, chunk, window) as (feeder, worker, redis_server):
            before = _cpu(redis_server)
            feeder.feed()
            with mock.patch.object(fill, "decode_into", _nothing_decoded):
                worker.work(logging_level="ERROR")
            return 1e3 * (_cpu(redis_server) - before) / images


@contextlib.contextmanager
def world(
    folder: Path, network: Classifier, chunk: int, window: int
) -> Iterator[tuple[Feeder, ImageWorker, psutil.Process]]:
    """A feeder, a worker that ends when all files of ``folder`` are done, and the queue's server."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")), "home")
        files = list(_files(folder))
        settings = configuration.load(home=home, chunk=chunk, queue_max=len(files))
        database = stack.enter_context(bootstrap.writing(settings))
        ledger, model = Ledger(database), current_model.current(database).id
        ledger.register(roots.resolve(database, settings, folder).root.id, files)
        queue = ImageQueue("bench", connect(settings))
        progress = Progress.create(home / "progress")
        run = Provenance(model, "none", "none", "none")
        lease = Lease(ledger, "bench", 60, run, progress)
        filler = Filler(settings, lease, RootReader(database, settings), MODEL.input, progress)
        ended: list[ClaimedImage] = []

        def end(batch: CommittedBatch) -> None:
            ended.extend(batch.images)
            if len(ended) == len(files):
                worker.end()

        roll_up = rollup.load(MODEL)
        work = Pipeline(settings, lease, filler, network, roll_up, progress, [end])
        worker = ImageWorker(queue, "bench", window, 0.0, work.process, lambda: progress.enter(Phase.IDLE))
        yield (
            Feeder(settings, ledger, queue),
            worker,
            psutil.Process(int(queue.connection.info("server")["process_id"])),
        )


def _files(folder: Path) -> Iterator[SeenFile]:
    for path in sorted(folder.iterdir()):
        info = path.stat()
        times = info.st_mtime_ns, info.st_ctime_ns
        yield SeenFile(os.fsencode(path.name), info.st_size, *times, info.st_ino)


def _nothing_decoded(*_: object, **__: object) -> ImageInfo:
    return ImageInfo("JPEG", 4032, 3024, None, None, "#808080", partial=False)


def _cpu(redis_server: psutil.Process) -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime + sum(redis_server.cpu_times()[:2])


def main() -> None:
    """Each way in turns; print and keep [least, median, most]."""
    gc.collect()
    gc.freeze()  # as a worker does with what it has imported
    rows = [{name: measure(*way) for name, way in WAYS.items()} for _ in range(ROUNDS)]
    result = report.medians(rows)
    print(json.dumps(result, indent=2))
    report.write("overhead", {"images": IMAGES, "rounds": ROUNDS, "cpu_ms_per_image": result})


if __name__ == "__main__":
    main()
