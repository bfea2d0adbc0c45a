"""``python -m tests.chaos.soak --minutes 45``: files dropped at half of full rate, workers killed at random.

Prints what became of the files, how memory and disk grew, and exits with 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
from sqlalchemy import func, select

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.config.errors import InfrastructureError
from tagtray.db import invariants
from tagtray.db.access import engine
from tagtray.db.access.transactions import read
from tagtray.db.tables import Image, Status
from tests.chaos import members
from tests.chaos.photos import made_photos
from tests.waiting import PATIENCE

#: Files that are dropped at once to find the full rate; different pictures among all that are dropped.
BURST, PICTURES = 400, 100
#: Part of the full rate at which files are dropped, and seconds between two drops.
SHARE, EVERY = 0.5, 0.5
#: Seconds between two looks at memory and disk, and between two kills at least and at most.
SAMPLE, KILLS = 10.0, (20.0, 60.0)
#: Part of the time that is left out of the slopes: everything is growing to its size.
WARM_UP = 0.3
MIB = 2**20


@dataclass
class Report:
    """What became of the files, and how memory (MiB, by kind of process) and disk (bytes) went.

    Slopes are MiB per hour of the largest process of a kind, by least squares after the warm-up.
    """

    minutes: float
    full_rate: float
    dropped: int
    done: int
    failed: int
    kills: int
    broken_rules: int
    bytes_per_image: float
    memory: dict[str, tuple[float, float]] = field(default_factory=dict)
    slopes: dict[str, float] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost."""
        return self.done == self.dropped and not (self.failed or self.broken_rules)


class Soak:
    """A run that watches a folder, and what is done to it."""

    def __init__(self, base: Path, pictures: Path, seed: int) -> None:
        self._home, self._folder = base / "home", base / "drop"
        self._folder.mkdir()
        self._pictures = [path.read_bytes() for path in sorted(pictures.iterdir())]
        self._random = random.Random(seed)
        self._dropped = self._kills = 0
        self._samples: list[tuple[float, dict[str, float], int]] = []
        self._log = base / "log"
        self._engine = engine.connect(configuration.load(home=self._home))

    def play(self, minutes: float) -> Report:
        """Go on for so long, then wait until all is done and end it."""
        with self._run():
            rate = self._full_rate()
            self._drop_and_kill(60 * minutes, SHARE * rate)
            self._await_all()
        return self._report(minutes, rate)

    @contextlib.contextmanager
    def _run(self) -> Iterator[None]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                subprocesses.command("tagtray", "run", "--watch", str(self._folder)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | members.environment(self._home),
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def _full_rate(self) -> float:
        """Images per second while as many wait as workers can take, from the first that is done."""
        self._drop(1)
        self._await_all()
        self._drop(BURST)
        began = time.monotonic()
        self._await_all()
        return BURST / (time.monotonic() - began)

    def _drop_and_kill(self, seconds: float, rate: float) -> None:
        began = time.monotonic()
        due, sample, kill = 0.0, 0.0, self._random.uniform(*KILLS)
        while (now := time.monotonic() - began) < seconds:
            self._drop(int(now * rate - due))
            due += int(now * rate - due)
            if now >= sample:
                sample += SAMPLE
                self._samples.append((now, self._memory(), self._disk()))
            if now >= kill:
                kill = now + self._random.uniform(*KILLS)
                self._kill_a_worker()
            time.sleep(EVERY)

    def _drop(self, count: int) -> None:
        """New files, each with bytes of its own: a comment (JPEG's COM segment) behind the first marker."""
        for _ in range(count):
            picture = self._random.choice(self._pictures)
            comment = b"%016d" % self._dropped
            segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
            place = self._folder / f"{self._dropped // 1000:04}"
            place.mkdir(exist_ok=True)
            (place / f"{self._dropped:08}.jpg").write_bytes(picture[:2] + segment + picture[2:])
            self._dropped += 1

    def _kill_a_worker(self) -> None:
        if workers := members.of(self._home)[members.WORKER]:
            members.kill([self._random.choice(workers)])
            self._kills += 1

    def _memory(self) -> dict[str, float]:
        """MiB of the largest process of each kind, shared libraries included."""
        found: dict[str, float] = defaultdict(float)
        for kind, processes in members.of(self._home).items():
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    found[kind] = max(found[kind], process.memory_info().rss / MIB)
        return dict(found)

    def _disk(self) -> int:
        return sum(path.stat().st_size for path in self._home.glob("tagtray.db*"))

    def _await_all(self) -> None:
        left, since = None, time.monotonic()
        while (now := self._dropped - self._count(Status.DONE) - self._count(Status.FAILED)) > 0:
            if now != left:
                left, since = now, time.monotonic()
            assert time.monotonic() - since < PATIENCE, f"{left} are left and nothing happens: {self._log}"
            time.sleep(0.1)

    def _count(self, status: Status) -> int:
        query = select(func.count()).where(Image.status == status)
        with contextlib.suppress(InfrastructureError):  # the first moments: there are no tables yet
            return read(self._engine, lambda connection: connection.scalar(query)) or 0
        return 0

    def _report(self, minutes: float, rate: float) -> Report:
        report = Report(
            minutes=minutes,
            full_rate=round(rate, 1),
            dropped=self._dropped,
            done=self._count(Status.DONE),
            failed=self._count(Status.FAILED),
            kills=self._kills,
            broken_rules=sum(finding.rows for finding in invariants.check(self._engine)),
            bytes_per_image=round(self._disk() / self._dropped, 1),
        )
        warm = [sample for sample in self._samples if sample[0] >= WARM_UP * 60 * minutes]
        for kind in sorted({kind for _, memory, _ in warm for kind in memory}):
            at = [(now, memory[kind]) for now, memory, _ in warm if kind in memory]
            report.memory[kind] = (round(at[0][1], 1), round(at[-1][1], 1))
            if len(at) > 1:
                times, sizes = np.array(at).T
                report.slopes[kind] = round(float(np.polyfit(times, sizes, 1)[0]) * 3600, 2)
        self._engine.dispose()
        return report


def main() -> int:
    """Soak, print the report as JSON, and keep the log where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="tagtray-soak-"))
    with made_photos(PICTURES) as pictures:
        report = Soak(base, pictures, options.seed).play(options.minutes)
    print(json.dumps(asdict(report) | {"kept": report.clean}, indent=2))
    if report.clean:
        shutil.rmtree(base, ignore_errors=True)
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
