"""Commands that classify nothing start without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tagtray.config import settings as configuration

PROBE = """
import sys
from tagtray.cli import main
assert main.invoke({arguments!r}) == 0
heavy = {{"torch", "torchvision"}} & sys.modules.keys()
assert not heavy, heavy
"""


def _runs_without_torch(home: Path, *arguments: str) -> None:
    command = [sys.executable, "-P", "-c", PROBE.format(arguments=list(arguments))]
    ended = subprocess.run(command, env=configuration.environment(configuration.load(home=home)), check=False)
    assert ended.returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_no_command_imports_torch_before_it_classifies(home: Path, folder: Path) -> None:
    # `run` on an empty folder, `scan` (which imports what `watch` does) and the commands that only look
    for arguments in (
        ["--help"],
        ["run", str(folder)],
        ["scan", str(folder)],
        ["status"],
        ["sql", "SELECT 1"],
        ["failures"],
        ["retry"],
        ["config"],
        ["weights", "list"],
    ):
        _runs_without_torch(home, *arguments)


def test_the_help_imports_no_database_and_no_redis() -> None:
    heavy = {"sqlalchemy", "redis", "rq", "pydantic"}
    probe = f"import sys; from tagtray.cli import main; print(*{heavy!r} & sys.modules.keys())"
    ended = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == []
