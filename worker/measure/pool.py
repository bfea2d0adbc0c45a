"""Processes that share the cores out as workers do, with no queue, no ledger and no results: to measure."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.measure.process import Answer, Loaded, Order
from tagtray.worker.supervision.resources import ONE_BLAS_THREAD, Plan


class Probes:
    """Processes with the network loaded in each, ready for orders; raises InfrastructureError."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes
        found = [Loaded(**_answer(process)) for process in processes]
        #: What they loaded, all the same on one processor.
        self.loaded = found[0]

    def ask(self, orders: Sequence[Order]) -> list[Answer]:
        """Have every process carry out one order, all at once; raises InfrastructureError."""
        for process, order in zip(self._processes, orders, strict=True):
            assert process.stdin is not None
            # A process that died takes no orders; its answer says so.
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(asdict(order)), file=process.stdin, flush=True)
        return [Answer(**_answer(process)) for process in self._processes]

    def forward_rate(self, batch_size: int, seconds: float) -> float:
        """Images per second of all processes together, decode not included."""
        answers = self.ask([Order(batch_size, seconds)] * len(self._processes))
        return sum(answer.images / answer.seconds for answer in answers)


@contextlib.contextmanager
def running(settings: Settings, model: Model, plan: Plan) -> Iterator[Probes]:
    """Start ``plan.workers`` processes with a model and end them; raises InfrastructureError."""
    processes: list[subprocess.Popen[str]] = []
    try:
        for _ in range(plan.workers):
            processes.append(_start(settings, model, plan.threads))
        yield Probes(processes)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            # Orders that a dead process never read are lost with it.
            with contextlib.suppress(BrokenPipeError), process:
                pass


def _start(settings: Settings, model: Model, threads: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        subprocesses.command("tagtray.worker.measure.process", model.to_json(), str(threads)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | configuration.environment(settings) | ONE_BLAS_THREAD,
        start_new_session=True,
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise InfrastructureError(f"The process that measures ended with status {process.wait()}.")
    answer: dict[str, Any] = json.loads(line)
    if "refusal" in answer:
        raise InfrastructureError(answer["refusal"])
    return answer
