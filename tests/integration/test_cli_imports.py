"""What a command does not need it does not import: the help is there at once, only workers load PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tagtray.config import settings as configuration

PROBE = """
import sys
from tagtray.cli import main
for line in {lines!r}:
    assert main.invoke(line) == 0, line
    assert not {heavy!r} & sys.modules.keys(), line
"""


def _run(home: Path, *lines: list[str], without: set[str]) -> None:
    """Run commands one after the other in a fresh process; fail where one imports what it should not."""
    program = [sys.executable, "-P", "-c", PROBE.format(lines=lines, heavy=without)]
    environment = configuration.environment(configuration.load(home=home))
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_no_command_imports_torch_before_it_classifies(home: Path, folder: Path) -> None:
    # `run` on an empty folder, `scan` (which imports what `watch` does) and the commands that only look
    _run(
        home,
        ["run", str(folder)],
        ["scan", str(folder)],
        ["status"],
        ["sql", "SELECT 1"],
        ["export", "-"],
        ["failures"],
        ["stats"],
        ["retry"],
        ["config"],
        ["weights", "list"],
        ["bench", "--help"],
        without={"torch", "torchvision"},
    )


def test_the_help_imports_no_database_no_redis_and_no_settings(home: Path) -> None:
    _run(home, ["--help"], without={"sqlalchemy", "redis", "rq", "pydantic", "torch"})


def test_the_fork_server_is_started_before_the_database_is_imported() -> None:
    # Given the modules that `run` and `work` import before they begin
    heavy = {"sqlalchemy", "redis"}
    probe = f"import sys, tagtray.cli.run, tagtray.cli.work; print(*{heavy!r} & sys.modules.keys())"
    output = subprocess.run([sys.executable, "-P", "-c", probe], check=True, capture_output=True, text=True)

    # Then what takes long is not among them: it is imported beside the fork server
    assert output.stdout.split() == []
