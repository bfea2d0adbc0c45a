"""tagtray as its users have it: a home, two stores, and the command as a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db.access import engine
from tests import networks
from tests.waiting import PATIENCE

COMMAND = subprocesses.command("tagtray")

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@dataclass
class World:
    """A home with its variables; every command starts in it."""

    home: Path
    variables: Mapping[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    #: The command line that every command begins with.
    program: Sequence[str] = tuple(COMMAND)

    @property
    def folder(self) -> Path:
        """A place for photos, beside the home."""
        return self.home.parent

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(configuration.PREFIX)
        }
        # Those of the file that tests.networks lends: another one would be made in every home.
        engine = {"TAGTRAY_ENGINE": networks.GRAPH, "TAGTRAY_PRECISION": "fp32"}
        own = {"TAGTRAY_HOME": str(self.home), "TAGTRAY_WORKERS": "1", "TAGTRAY_LOG_LEVEL": "INFO", **engine}
        return {**clean, **own, **self.variables}

    def start(
        self, *arguments: str | bytes, privileged: bool = True, **variables: str
    ) -> subprocess.Popen[str]:
        """Start a command; one that is not ``privileged`` is bound by permissions even as root."""
        process = subprocess.Popen(
            [*self.program, *arguments],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            preexec_fn=None if privileged else without_privileges,
        )
        self.running.append(process)
        return process

    def run(self, *arguments: str | bytes, privileged: bool = True, **variables: str) -> Ended:
        """Run a command to its end."""
        return ended(self.start(*arguments, privileged=privileged, **variables))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a statement, past the command."""
        url = self.variables.get("TAGTRAY_DATABASE_URL")
        database = engine.connect(configuration.load(home=self.home, database_url=url))
        try:
            with database.connect() as connection:
                return [tuple(row) for row in connection.execute(sa.text(statement))]
        finally:
            database.dispose()

    def execute(self, statement: str) -> None:
        """Change something, past the command."""
        url = self.variables.get("TAGTRAY_DATABASE_URL")
        database = engine.connect(configuration.load(home=self.home, database_url=url))
        try:
            with database.begin() as connection:
                connection.execute(sa.text(statement))
        finally:
            database.dispose()

    def count(self, statement: str) -> int:
        """The number that a statement gives; 0 where its table is not there yet."""
        with contextlib.suppress(sa.exc.DBAPIError):
            return int(self.query(statement)[0][0])
        return 0

    def close(self) -> None:
        """End what a failed test has left."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.communicate()


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    output: str
    errors: str

    @property
    def batches(self) -> list[tuple[int, int]]:
        """Images and forward passes of every batch, as the workers logged them."""
        found = re.findall(r"batch_done: images=(\d+) forward=(\d+)", self.errors)
        return [(int(images), int(forward)) for images, forward in found]

    @property
    def forward(self) -> int:
        """Images that went through the network."""
        return sum(forward for _, forward in self.batches)


@contextlib.contextmanager
def world(home: Path, **variables: str) -> Iterator[World]:
    """A world in ``home``, which gets the file of the network."""
    networks.copied_to(home)
    created = World(home, variables)
    try:
        yield created
    finally:
        created.close()


def page_of(process: subprocess.Popen[str]) -> str:
    """The address that a command says its pages are at."""
    assert process.stderr is not None
    for line in iter(process.stderr.readline, ""):
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError(process.communicate())


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a process."""
    output, errors = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode, output, errors)


def without_privileges() -> None:
    """As root, give up the right to read and write what permissions forbid (prctl(2), capabilities(7))."""
    libc = ctypes.CDLL(None)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, capability)
