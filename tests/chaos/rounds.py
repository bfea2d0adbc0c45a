"""One round: a run over a folder of photos, faults at random moments, and what became of every image."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import redis
from sqlalchemy import Connection, func, select

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.config.errors import InfrastructureError
from tagtray.db import invariants
from tagtray.db.access import engine
from tagtray.db.access.transactions import read
from tagtray.db.tables import Classification, Image, Status
from tagtray.jobs.embedded_redis import server
from tests.chaos import members

#: Seconds between looks at the processes and the ledger.
LOOK = 0.1
#: Seconds that a round may take before it is called lost.
PATIENCE = 600.0
#: Faults strike at a random share of the images done, up to this one; or, below zero, while nothing is done.
STARTING, LATEST = 0.15, 0.95
#: Seconds of the start that a share of -STARTING stands for.
START_SECONDS = 6.0

#: Seconds that processes may take to notice that their run is gone.
ORPHAN_SECONDS = 20.0

Answer = TypeVar("Answer")


@dataclass
class Fault:
    """A blow: what it hit, the images in hand and whose, and the seconds until they were free again."""

    kind: str
    at: float
    in_hand: dict[int, str | None] = field(default_factory=dict)
    recovered: float | None = None


@dataclass
class Report:
    """What became of a round; ``extra`` forward passes beyond one per content."""

    seed: int
    faults: list[Fault]
    lost: int
    failed: int
    extra: int
    in_hand: int
    orphans: int
    broken_rules: int
    seconds: float

    @property
    def recovery(self) -> float:
        """Seconds of the slowest recovery."""
        return max((fault.recovered or 0.0 for fault in self.faults), default=0.0)

    @property
    def clean(self) -> bool:
        """True where every promise held."""
        kept = not (self.lost or self.failed or self.orphans or self.broken_rules)
        return kept and self.extra <= self.in_hand and self.recovery <= 60


class Round:
    """Starts ``tagtray run`` on a home of its own, again whenever a fault took it down."""

    def __init__(
        self,
        seed: int,
        photos: Path,
        home: Path,
        kinds: Sequence[str],
        database: str | None,
        **variables: str,
    ) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._photos = photos
        self._photos_count = len(list(photos.iterdir()))
        self._home = home
        self._log = home / "chaos.log"
        self._environment = members.environment(home) | {"TAGTRAY_LOG_LEVEL": "INFO"} | variables
        if database:
            self._environment["TAGTRAY_DATABASE_URL"] = database
        settings = configuration.load(home=home, database_url=database)
        self._engine = engine.connect(settings)
        self._socket = home / server.SOCKET
        count = self._random.randint(1, 3)
        moments = sorted(self._random.uniform(-STARTING, LATEST) for _ in range(count))
        self._plan = [(moment, self._random.choice(kinds)) for moment in moments]
        self._faults: list[Fault] = []
        self._orphans = 0

    def play(self) -> Report:
        """Run until every image has come to its end."""
        began = time.monotonic()
        if "TAGTRAY_DATABASE_URL" in self._environment:
            self._command("db", "upgrade").wait()
        while time.monotonic() - began < PATIENCE:
            if self._run(began):
                break
        self._await_end()
        report = self._report(time.monotonic() - began)
        self._engine.dispose()
        return report

    def _run(self, began: float) -> bool:
        """One life of the run; True if it came to its own end."""
        process = self._command("run", f"photos={self._photos}")
        struck = False
        while process.poll() is None and time.monotonic() - began < PATIENCE:
            if self._plan and self._progress(began) >= self._plan[0][0]:
                struck = self._strike(self._plan.pop(0)[1]) or struck
            self._note_recoveries()
            time.sleep(LOOK)
        if struck:
            self._await_end()
        return process.poll() == 0

    def _progress(self, began: float) -> float:
        """Share of the images done; rising from -STARTING to 0 while none is."""
        query = select(func.count()).where(Image.status == Status.DONE)
        done = self._ask(lambda connection: connection.scalar(query) or 0, 0)
        starting = (time.monotonic() - began) / START_SECONDS - 1
        return done / self._photos_count if done else min(starting, 0.0) * STARTING

    def _strike(self, kind: str) -> bool:
        """Deal a blow; True if the run itself went down with it."""
        living = members.of(self._home)
        fault = Fault(kind, time.monotonic(), self._running())
        self._faults.append(fault)
        if kind == members.FLUSH:
            self._flush()
        elif kind == members.ALL:
            members.kill([process for processes in living.values() for process in processes])
        elif living[kind]:
            members.kill([self._random.choice(living[kind])])
        if kind == members.SERVER:
            # The workers live on until their supervisor looks; what they take up meanwhile is in hand, too.
            while any(map(members.lives, living[members.WORKER])):
                fault.in_hand |= self._running()
        return kind in (members.ALL, members.PRODUCER)

    def _flush(self) -> None:
        with suppress(redis.RedisError), redis.Redis(unix_socket_path=str(self._socket)) as client:
            client.flushall()

    def _running(self) -> dict[int, str | None]:
        query = select(Image.id, Image.worker).where(Image.status == Status.RUNNING)
        return self._ask(lambda connection: {row: worker for row, worker in connection.execute(query)}, {})

    def _ask(self, query: Callable[[Connection], Answer], default: Answer) -> Answer:
        try:
            return read(self._engine, query)
        except InfrastructureError:  # the first moments of a home: there are no tables yet
            return default

    def _note_recoveries(self) -> None:
        waiting = [fault for fault in self._faults if fault.recovered is None]
        running = self._running() if waiting else {}
        for fault in waiting:
            if not any(running.get(image) == worker for image, worker in fault.in_hand.items()):
                fault.recovered = time.monotonic() - fault.at

    def _await_end(self) -> None:
        """After the run went: nobody of the home may be left; whoever is counts as an orphan."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (left := members.alive(self._home)) and time.monotonic() < deadline:
            time.sleep(LOOK)
        self._orphans += len(left)
        members.kill(left)

    def _command(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                subprocesses.command("tagtray", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self._environment,
            )

    def _report(self, seconds: float) -> Report:
        states = select(Image.status, func.count()).group_by(Image.status)
        contents = select(func.count()).select_from(Classification)
        found = read(
            self._engine, lambda connection: {state: count for state, count in connection.execute(states)}
        )
        unique = read(self._engine, lambda connection: connection.scalar(contents)) or 0
        forward = members.forward_passes(self._log)
        return Report(
            seed=self._seed,
            faults=self._faults,
            lost=self._photos_count - found.get(Status.DONE, 0) - found.get(Status.FAILED, 0),
            failed=found.get(Status.FAILED, 0),
            extra=forward - unique,
            in_hand=sum(len(fault.in_hand) for fault in self._faults),
            orphans=self._orphans,
            broken_rules=sum(finding.rows for finding in invariants.check(self._engine)),
            seconds=seconds,
        )
