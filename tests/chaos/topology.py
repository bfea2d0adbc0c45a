"""``python -m tests.chaos.topology --photos 1000``: several hosts on one collection, and what befalls them.

PostgreSQL, a Redis with a user of few rights, a producer, web pages, two hosts of workers that have the
photos elsewhere each, and a third one with other weights. One host is killed, the other one drained, the
first comes back; meanwhile a photo is sent to the pages.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import Engine, func, select

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db import invariants
from tagtray.db.access import engine
from tagtray.db.access.transactions import read
from tagtray.db.tables import Classification, Image, Status
from tagtray.worker.networks import onnx_variants
from tests import builders, models
from tests.chaos import members
from tests.chaos.photos import made_photos
from tests.waiting import PATIENCE, wait_for
from tools import servers

#: What the user of tagtray may do in Redis.
RIGHTS = "~rq:* ~tagtray:* resetchannels &tagtray:* +@all -@dangerous +info"
#: Of the photos, how many are done when the first host is killed, and when the second one is told to end.
KILLED_AT, DRAINED_AT = 0.25, 0.6
#: Seconds between two looks at the ledger.
LOOK = 0.1
#: Seconds that a killed worker's images wait for.
LEASE = 5.0


@dataclass(frozen=True)
class Report:
    """What became of the photos, the upload among them; images by host, seconds, and what the host of other
    weights said.
    """

    photos: int
    done: int
    forward: int
    classified: int
    in_hand: int
    broken_rules: int
    shares: Mapping[str, int]
    drained_code: int
    left_by_drained: int
    refused_code: int
    refusal: str
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether every promise held."""
        kept = self.done == self.photos == self.classified and not self.broken_rules
        ends = (self.drained_code, self.left_by_drained, self.refused_code) == (0, 0, 1)
        return kept and ends and self.forward <= self.photos + self.in_hand


class Host:
    """A home, its own place of the photos, and one command at a time."""

    def __init__(self, base: Path, name: str, variables: Mapping[str, str], seed: int = 0) -> None:
        self.name = name
        self.home = base / name
        self.log = base / f"{name}.log"
        self.model = models.add(self.home, seed=seed)
        self._variables = {
            **members.environment(self.home),
            **variables,
            "TAGTRAY_LOG_LEVEL": "INFO",
            "TAGTRAY_LOG": "json",
            "TAGTRAY_WORKERS": "1",
            "TAGTRAY_LEASE": str(LEASE),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def has(self, root: str, folder: Path) -> None:
        """Where this host has a root."""
        self._variables[f"TAGTRAY_ROOT_{root.upper()}"] = str(folder)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command on this host."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                subprocesses.command("tagtray", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self._variables,
            )
        return self.process

    def run(self, *arguments: str) -> int:
        """Run a command to its end; its exit code."""
        return self.start(*arguments).wait()

    def end(self) -> int:
        """Tell the command to end in order, as a drain does; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    @property
    def lines(self) -> list[dict[str, object]]:
        """The lines that it logged, each of them JSON."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def logged(self, event: str, field: str) -> int:
        """The sum of a field of the events of this name."""
        found = [line["fields"] for line in self.lines if line["event"] == event]
        return sum(int(fields[field]) for fields in found if isinstance(fields, dict))


class Topology:
    """The hosts and their stores."""

    def __init__(self, base: Path, photos: Path, variables: Mapping[str, str]) -> None:
        self._photos = len(list(photos.iterdir()))
        self._elsewhere = base / "mnt" / "photos of the second host"
        shutil.copytree(photos, self._elsewhere, copy_function=os.link)
        names = ("producer", "a", "b")
        self.producer, self.first, self.second = (Host(base, name, variables) for name in names)
        self.other = Host(base, "c", variables, seed=1)
        self.pages = Host(base, "web", variables)
        self._hosts = (self.producer, self.first, self.second, self.other, self.pages)
        for host in self._hosts:
            host.has("photos", self._elsewhere if host is self.second else photos)
            host.has("uploads", base / "uploads")
        form = onnx_variants.fitting("fp32", sums=True)
        onnx_variants.opened(self.first.model, form, self.first.home).close()
        shutil.copytree(self.first.home / "cache", self.second.home / "cache")
        self._folder = photos
        settings = configuration.load(home=base, database_url=variables["TAGTRAY_DATABASE_URL"])
        self.database: Engine = engine.connect(settings)

    def play(self) -> Report:
        """Classify all photos, whatever happens to the hosts."""
        began = time.monotonic()
        for command in (("db", "upgrade"), ("weights", "use", self.first.model.name)):
            assert self.producer.run(*command) == 0, self.producer.log.read_text()
        self.producer.start("watch", f"photos={self._folder}")
        self.first.start("work")
        self.second.start("work")
        self.pages.start("serve", "--port", "0")
        refused = self.other.run("work")
        self._await_done(KILLED_AT)
        in_hand = self._kill(self.first)
        self._upload(builders.jpeg(77))
        self._await_done(DRAINED_AT)
        drained = self.second.end()
        left = self._count(Image.status == Status.RUNNING) if self._is_settled() else 0
        self.first.start("work")
        self._await_done(1.0)
        return self._report(began, in_hand, drained, left, refused)

    def close(self) -> None:
        """End everything."""
        for host in self._hosts:
            if host.process is not None and host.process.poll() is None:
                host.end()
        self.database.dispose()

    def _kill(self, host: Host) -> int:
        """kill -9 of all processes of a host, as its power fails; how many images it held."""
        assert host.process is not None
        members.kill(members.alive(host.home))
        host.process.wait()
        return self._count(Image.status == Status.RUNNING)

    def _upload(self, photo: bytes) -> None:
        """Send a photo to the pages, which keep it where its result takes long."""
        wait_for(
            lambda: re.search(r"Serving (http\S+);", self.pages.log.read_text("utf-8")), self.pages.process
        )
        (address,) = re.findall(r"Serving (http\S+)/;", self.pages.log.read_text("utf-8"))
        answer = httpx.post(f"{address}/predict", files={"file": photo}, timeout=PATIENCE, trust_env=False)
        assert answer.status_code in (200, 504), answer.text
        self._photos += 1

    def _addresses(self) -> list[str]:
        return re.findall(r"Serving (http\S+)/;", self.pages.log.read_text("utf-8"))

    def _is_settled(self) -> bool:
        """Whether the leases of the killed host have lapsed by now: what runs is another one's."""
        wait_for(lambda: self._count(Image.lease_until.is_not(None)) == 0, None)
        return True

    def _await_done(self, share: float) -> None:
        """Wait until this share of the photos is done, however long it takes as long as it goes on."""
        done, since = 0, time.monotonic()
        while done < share * self._photos:
            if (now := self._done()) > done:
                done, since = now, time.monotonic()
            assert time.monotonic() - since < PATIENCE, f"{done} of {self._photos} are done, and no more"
            time.sleep(LOOK)

    def _done(self) -> int:
        return self._count(Image.status == Status.DONE)

    def _count(self, condition: object) -> int:
        query = select(func.count()).select_from(Image).where(condition)  # type: ignore[arg-type]
        return read(self.database, lambda connection: connection.scalar(query)) or 0

    def _report(self, began: float, in_hand: int, drained: int, left: int, refused: int) -> Report:
        hosts = (self.first, self.second, self.other)
        contents = select(func.count()).select_from(Classification)
        refusal = [str(line["message"]) for line in self.other.lines][-1]
        return Report(
            photos=self._photos,
            done=self._done(),
            forward=sum(host.logged("forward_pass", "images") for host in hosts),
            classified=read(self.database, lambda connection: connection.scalar(contents)) or 0,
            in_hand=in_hand,
            broken_rules=sum(finding.rows for finding in invariants.check(self.database)),
            shares={host.name: host.logged("batch_done", "images") for host in hosts},
            drained_code=drained,
            left_by_drained=left,
            refused_code=refused,
            refusal=refusal,
            seconds=time.monotonic() - began,
        )


@contextlib.contextmanager
def topology(photos: Path, database_url: str, redis_url: str, **variables: str) -> Iterator[Topology]:
    """A topology over ``photos`` on these two stores; ``variables`` are for all hosts."""
    base = Path(tempfile.mkdtemp(prefix="tagtray-topology-", dir=photos.parent))
    stores = {"TAGTRAY_DATABASE_URL": database_url, "TAGTRAY_REDIS_URL": redis_url}
    made = Topology(base, photos, stores | variables)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(base, ignore_errors=True)


def main() -> int:
    """Play it once and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.topology", description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    options = parser.parse_args()
    with (
        made_photos(options.photos) as photos,
        servers.postgres() as postgres,
        postgres.database() as database_url,
        servers.redis_server(rights=RIGHTS) as redis_url,
        topology(photos, database_url, redis_url) as made,
    ):
        report = made.play()
    print(json.dumps({**report.__dict__, "kept": report.clean}, indent=2))
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
