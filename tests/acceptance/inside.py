"""What is done in a world by this very process, where a process of its own is not what is tested."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtray.app import bootstrap
from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.jobs.embedded_redis import server
from tests.acceptance.world import Ended, World


def run(world: World, *arguments: str | bytes, **variables: str) -> Ended:
    """Run a command that classifies nothing, with streams like those of a process of its own."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2))
    environment = world.environment | variables
    with pytest.MonkeyPatch.context() as patch, _logging_kept():
        for name, value in environment.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = main.invoke([os.fsdecode(argument) for argument in arguments])
    # A process that ends stops using it.
    server.release(Path(environment["TAGTRAY_HOME"]))
    return Ended(code, _written(output), _written(errors))


def upgrade(world: World) -> None:
    """Bring the database of a world to its tables."""
    url = world.variables.get("TAGTRAY_DATABASE_URL")
    bootstrap.bring_up(configuration.load(home=world.home, database_url=url))


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
