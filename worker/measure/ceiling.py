"""The upper bound: read, decode and forward alone on all cores, with no queue, no ledger, no results kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.measure import pool
from tagtray.worker.measure.process import Order
from tagtray.worker.supervision.resources import Plan


def rate(settings: Settings, model: Model, files: Sequence[str], plan: Plan) -> float:
    """Images per second of processes that share ``files`` out as ``plan`` says.

    Raises InfrastructureError where the engine cannot be had or a file cannot be decoded.
    """
    # Parts that follow each other: every n-th file of a folder may be of one kind.
    bounds = [len(files) * number // plan.workers for number in range(plan.workers + 1)]
    orders = [Order(settings.batch_size, files=files[start:stop]) for start, stop in pairwise(bounds)]
    with pool.running(settings, model, plan) as started:
        began = time.perf_counter()
        started.ask(orders)
        return len(files) / (time.perf_counter() - began)
