"""``python -m tests.chaos.arrivals``: files as they really arrive in a watched folder, and their end.

``slow`` writes one file for a minute; ``resumed`` copies 200 files whose first halves were left for a while;
``replaced`` puts other pictures under the same names 1,000 times while they are being classified.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import text

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db.access import engine
from tests.chaos import members
from tests.chaos.photos import made_photos

#: Seconds that everything may take to be classified in the end.
PATIENCE = 240.0


class Watched:
    """``tagtray run --watch`` on a folder, and its ledger."""

    def __init__(self, scratch: Path) -> None:
        self.folder, home = scratch / "drop", scratch / "home"
        self.folder.mkdir()
        home.mkdir()
        self._ledger = engine.connect(configuration.load(home=home))
        environment = os.environ | members.environment(home)
        command = subprocesses.command("tagtray", "run", str(self.folder), "--watch")
        with (home / "log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        while not (home / "tagtray.db").exists() or not members.of(home)[members.WORKER]:
            time.sleep(0.2)

    def rows(self, statement: str) -> list[tuple[str, ...]]:
        """The answer of the ledger."""
        with self._ledger.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def ended(self) -> dict[str, str]:
        """The state of every image that came to an end, by path."""
        return dict(self.rows("SELECT path, status FROM images WHERE status IN ('done', 'failed')"))  # type: ignore[arg-type]

    def wait(self, condition: Callable[[], bool]) -> bool:
        """True as soon as ``condition`` holds, False when patience is over."""
        deadline = time.monotonic() + PATIENCE
        while not (held := condition()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return held

    def stop(self) -> None:
        """End the run."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def slow(watched: Watched, pictures: Sequence[bytes], _: random.Random) -> Mapping[str, object]:
    """One file, written in 60 pieces, one a second."""
    data, early = pictures[0], 0
    with (watched.folder / "slow.jpg").open("wb", buffering=0) as file:
        for number in range(60):
            file.write(data[len(data) * number // 60 : len(data) * (number + 1) // 60])
            time.sleep(1)
            early += len(watched.ended())
    watched.wait(lambda: bool(watched.ended()))
    found = watched.rows("SELECT count(*) FROM classifications")
    return {"ended early": early, "state": watched.ended(), "classifications": found[0][0]}


def resumed(watched: Watched, pictures: Sequence[bytes], chance: random.Random) -> Mapping[str, object]:
    """200 copies, each killed half-way and resumed 1 to 30 s later."""
    due = []
    for number, data in enumerate(pictures[:200]):
        (watched.folder / f"{number:04}.jpg").write_bytes(data[: len(data) // 2])
        due.append((time.monotonic() + chance.uniform(1, 30), number))
    early: set[str] = set()
    for moment, number in sorted(due):
        time.sleep(max(0.0, moment - time.monotonic()))
        name = f"{number:04}.jpg"
        early |= {name} & set(watched.ended())
        with (watched.folder / name).open("ab") as file:
            file.write(pictures[number][len(pictures[number]) // 2 :])
    watched.wait(lambda: len(watched.ended()) == len(due))
    states = list(watched.ended().values())
    return {"ended early": len(early), "done": states.count("done"), "failed": states.count("failed")}


def replaced(watched: Watched, pictures: Sequence[bytes], chance: random.Random) -> Mapping[str, object]:
    """50 names, 1,000 replacements: by rename, and in place."""
    expected = _answers(watched, pictures)
    for number in range(1000):
        target = watched.folder / f"replaced-{number % 50:02}.jpg"
        data = chance.choice(pictures)
        if chance.random() < 0.5:
            (watched.folder / ".new").write_bytes(data)
            os.replace(watched.folder / ".new", target)
        else:
            target.write_bytes(data)
        time.sleep(chance.uniform(0, 0.08))
    busy = "SELECT count(*) FROM images WHERE status IN ('pending', 'queued', 'running')"
    time.sleep(5)
    watched.wait(lambda: watched.rows(busy)[0][0] == 0)  # type: ignore[comparison-overlap]
    stale = sum(
        hashlib.sha256((watched.folder / path).read_bytes()).hexdigest() != sha256
        for path, sha256 in watched.rows("SELECT path, sha256 FROM top1")
    )
    wrong = sum(
        expected.get(sha256) != label for sha256, label in watched.rows("SELECT sha256, label FROM top1")
    )
    return {"replacements": 1000, "under a wrong hash": wrong, "stale at the end": stale}


def _answers(watched: Watched, pictures: Sequence[bytes]) -> dict[str, str]:
    """What each picture is when it lies still."""
    for number, data in enumerate(pictures):
        (watched.folder / f"still-{number:03}.jpg").write_bytes(data)
    watched.wait(lambda: len(watched.ended()) == len(pictures))
    return dict(watched.rows("SELECT sha256, label FROM top1"))  # type: ignore[arg-type]


SCENES = {"slow": slow, "resumed": resumed, "replaced": replaced}


def main() -> int:
    """Play the scenes and print what became of the files."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.arrivals", description=__doc__)
    parser.add_argument("scenes", nargs="*", default=list(SCENES), choices=[*SCENES, []])
    parser.add_argument("--photos", type=Path, help="real photos, whose labels differ; without: made ones")
    options = parser.parse_args()
    with made_photos(200, options.photos) as photos:
        pictures = [path.read_bytes() for path in sorted(photos.glob("*.[jJ]*"))]
        for name in options.scenes:
            with _watched() as watched:
                chosen = pictures[:40] if name == "replaced" else pictures
                print(name, dict(SCENES[name](watched, chosen, random.Random(1))), flush=True)
    return 0


@contextlib.contextmanager
def _watched() -> Iterator[Watched]:
    with tempfile.TemporaryDirectory(prefix="arrivals-", ignore_cleanup_errors=True) as scratch:
        watched = Watched(Path(scratch))
        try:
            yield watched
        finally:
            watched.stop()


if __name__ == "__main__":
    sys.exit(main())
