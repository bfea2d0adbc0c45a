"""A process that runs the network as a worker does, and says how long that took: see ``worker.measure.pool``.

``python -m tagtray.worker.measure.process MODEL THREADS`` loads a model (as JSON) with the engine that the
settings say and answers ``Loaded``; then it reads an ``Order`` from each line of standard input, as JSON, and
answers each with an ``Answer``, or with a ``Refusal``. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tagtray.config import isolation
from tagtray.config import settings as configuration
from tagtray.config.errors import TagtrayError
from tagtray.config.settings import Settings
from tagtray.imaging.decode import decode_into
from tagtray.imaging.geometry import InputSpec
from tagtray.weights.model import Model
from tagtray.worker.engines import rollup, selection
from tagtray.worker.engines.classifier import BatchClassifier


@dataclass(frozen=True, slots=True)
class Order:
    """Forward passes over ``batch_size`` images for ``seconds``, at least one; or ``files``, each once."""

    batch_size: int
    seconds: float = 0.0
    files: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The engine that the process found best, and its precision."""

    engine: str
    precision: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done in how many seconds."""

    images: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is done, in a sentence; the process ends."""

    refusal: str


def forward(classifier: BatchClassifier, batch_size: int, seconds: float) -> Answer:
    """Classify the slots again and again."""
    began = time.perf_counter()
    images, spent = 0, 0.0
    while not images or spent < seconds:
        classifier.classify(batch_size)
        images += batch_size
        spent = time.perf_counter() - began
    return Answer(images, spent)


def decode_and_forward(
    classifier: BatchClassifier,
    spec: InputSpec,
    batch_size: int,
    files: Sequence[str],
    settings: Settings,
) -> Answer:
    """Read, decode and classify files, each once; raises OSError, ImageError."""
    began = time.perf_counter()
    for start in range(0, len(files), batch_size):
        batch = files[start : start + batch_size]
        for slot, file in enumerate(batch):
            decode_into(
                classifier.slots[slot],
                Path(file).read_bytes(),
                spec,
                exact=settings.exact,
                max_pixels=settings.max_pixels,
            )
        classifier.classify(len(batch))
    return Answer(len(files), time.perf_counter() - began)


def _orders() -> queue.SimpleQueue[Order]:
    """The orders as they come; the end of the input means that nobody is left to measure for."""
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            orders.put(Order(**json.loads(line)))
        os._exit(0)

    threading.Thread(target=read, name="orders", daemon=True).start()
    return orders


def _serve(arguments: Sequence[str], answers: int) -> None:
    orders = _orders()
    settings = configuration.load()
    isolation.keep_in(settings.home)
    model, threads = Model.from_json(arguments[0]), int(arguments[1])
    classifier = selection.load_best(settings, model, rollup.load(model), threads)
    classifier.slots[:] = np.random.default_rng(18).integers(0, 256, classifier.slots.shape, np.uint8)
    _say(answers, Loaded(classifier.engine, classifier.precision))
    while True:
        order = orders.get()
        if order.files is not None:
            files = order.files
            _say(answers, decode_and_forward(classifier, model.input, order.batch_size, files, settings))
        else:
            _say(answers, forward(classifier, order.batch_size, order.seconds))


def _say(answers: int, answer: Loaded | Answer | Refusal) -> None:
    os.write(answers, json.dumps(asdict(answer)).encode() + b"\n")


def main(arguments: Sequence[str]) -> int:
    """Serve until the input ends; an expected error is the last answer."""
    # The answers get the output for themselves: a library that prints must not come between.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        _serve(arguments, answers)
    except (TagtrayError, OSError) as error:
        _say(answers, Refusal(str(error)))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
