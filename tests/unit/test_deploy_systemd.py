"""The units for systemd: options that it knows, and commands that there are."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tagtray.cli.main import COMMANDS

UNITS = sorted((Path(__file__).resolve().parents[2] / "deploy/systemd").glob("*.service"))
PROGRAM = "/opt/tagtray/bin/tagtray"
#: What every service is bound by.
BOUND = {
    "ProtectSystem": "strict",
    "ProtectHome": "read-only",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "@system-service",
    "User": "tagtray",
    "UMask": "0077",
}


def _service(unit: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit.read_text("utf-8"))
    return dict(parser["Service"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_with_few_rights(unit: Path) -> None:
    service = _service(unit)
    program, name, *_ = service["ExecStart"].split()

    assert program == PROGRAM
    assert name == unit.stem.removeprefix("tagtray-")
    assert name in COMMANDS
    assert {option: service[option] for option in BOUND} == BOUND
    assert service["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_say_against_a_unit(unit: Path, tmp_path: Path) -> None:
    # Given systemd's own judge, where this machine has one, and a program that is there
    judge = shutil.which("systemd-analyze") or "true"
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text("utf-8").replace(PROGRAM, "/bin/true"))

    ended = subprocess.run([judge, "verify", str(copy)], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
