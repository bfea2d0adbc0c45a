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
assert main.invoke({arguments!r}) == 0
print("imported:", *{heavy!r} & sys.modules.keys())
"""


def _imported(heavy: set[str], home: Path, *arguments: str) -> list[str]:
    """The modules of ``heavy`` that a command imports."""
    command = [sys.executable, "-P", "-c", PROBE.format(arguments=list(arguments), heavy=heavy)]
    environment = configuration.environment(configuration.load(home=home))
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return output.rpartition("imported:")[2].split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_no_command_imports_torch_before_it_classifies(home: Path, folder: Path) -> None:
    # `run` on an empty folder, `scan` (which imports what `watch` does) and the commands that only look
    for arguments in (
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
    ):
        assert _imported({"torch", "torchvision"}, home, *arguments) == [], arguments


def test_the_help_imports_no_database_no_redis_and_no_settings(home: Path) -> None:
    assert _imported({"sqlalchemy", "redis", "rq", "pydantic", "torch"}, home, "--help") == []


def test_the_fork_server_is_started_before_the_database_is_imported() -> None:
    # Given the modules that `run` and `work` import before they begin
    heavy = {"sqlalchemy", "redis"}
    probe = f"import sys, tagtray.cli.run, tagtray.cli.work; print(*{heavy!r} & sys.modules.keys())"
    output = subprocess.run([sys.executable, "-P", "-c", probe], check=True, capture_output=True, text=True)

    # Then what takes long is not among them: it is imported beside the fork server
    assert output.stdout.split() == []
