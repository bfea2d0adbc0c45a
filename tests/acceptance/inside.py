"""Commands of a world without a process for each, where that is not what is tested."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tagtray.app import bootstrap
from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.jobs.embedded_redis import server
from tests.acceptance.world import Ended, World

REPOSITORY = Path(__file__).resolve().parents[2]


def run(world: World, *arguments: str | bytes, **variables: str) -> Ended:
    """Run a command that classifies nothing, with streams like those of a process of its own."""
    environment = world.environment | variables
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        ended = _invoke([os.fsdecode(argument) for argument in arguments])
    # A process that ends stops using it.
    server.release(Path(environment["TAGTRAY_HOME"]))
    return ended


def run_unprivileged(world: World, *commands: Sequence[str]) -> list[Ended]:
    """Run commands that classify nothing in one process, which is bound by permissions even as root."""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    one = dataclasses.replace(world, program=[sys.executable, "-m", __name__])
    process = one.run(json.dumps(commands), privileged=False, PYTHONPATH=path)
    assert process.code == 0, process
    return [Ended(**ended) for ended in json.loads(process.output)]


def upgrade(world: World) -> None:
    """Bring the database of a world to its tables."""
    url = world.variables.get("TAGTRAY_DATABASE_URL")
    bootstrap.bring_up(configuration.load(home=world.home, database_url=url))


def _invoke(arguments: list[str]) -> Ended:
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2))
    with _logging_kept(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main.invoke(arguments)
    return Ended(code, _written(output), _written(errors))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    """Leave log lines to whoever had them before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


if __name__ == "__main__":
    print(json.dumps([dataclasses.asdict(_invoke(command)) for command in json.loads(sys.argv[1])]))
