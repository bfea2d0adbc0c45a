"""Nothing leaves the machine, nothing is written outside TAGTRAY_HOME: the kernel sees to both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tagtray.worker.engines import selection
from tests import builders, networks
from tests.acceptance import confinement, inside
from tests.acceptance.world import COMMAND, Ended, World
from tests.waiting import PATIENCE

#: What the user's environment may say to the contrary.
INVITING = {"ORT_DISABLE_TELEMETRY": "0"}


def _confined(places: Sequence[Path], environment: Mapping[str, str], *arguments: str) -> Ended:
    """Run a command that can reach no network and write nothing but below ``places``."""

    def confine() -> None:
        confinement.no_network()
        confinement.no_writing_but_below(*places, Path("/dev"), Path("/proc"))

    process = subprocess.run(
        [*confinement.without_a_route(), *COMMAND, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        preexec_fn=confine,
    )
    return Ended(process.returncode, process.stdout, process.stderr)


@pytest.fixture
def photo(laptop: World) -> Path:
    folder = laptop.folder / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(builders.jpeg())
    return folder


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_a_run_reaches_nobody_and_writes_in_its_home_alone(laptop: World, photo: Path, engine: str) -> None:
    # Given an empty home of the user's, where libraries would keep what they send
    assert engine in selection.installed()
    user = laptop.folder / "user"
    (user / "tmp").mkdir(parents=True)
    networks.copied_to(laptop.home, networks.TRACE)
    environment = {**laptop.environment, **INVITING, "TAGTRAY_ENGINE": engine, "HOME": str(user)}
    environment["TMPDIR"] = str(user / "tmp")

    # When the job is done where the kernel forbids all else
    places = (laptop.home, user)
    ended = _confined(places, environment, "run", str(photo))

    # Then no process died of it, and nothing was left behind
    assert (ended.code, ended.forward) == (0, 1), ended.errors
    assert "worker_died" not in ended.errors
    assert laptop.query("SELECT engine FROM classifications") == [(engine,)]
    assert [path.relative_to(user) for path in user.rglob("*")] == [Path("tmp")]


def test_a_look_reaches_nobody_and_writes_in_its_home_alone(laptop: World, photo: Path) -> None:
    assert inside.run(laptop, "scan", str(photo)).code == 0

    shown = _confined([laptop.home], laptop.environment, "show", "--json", str(photo / "a.jpg"))

    assert json.loads(shown.output)["status"] == "queued"


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_a_user_without_home_and_name_can_run(laptop: World, photo: Path, engine: str) -> None:
    networks.copied_to(laptop.home, networks.TRACE)
    environment = {**laptop.environment, "TAGTRAY_ENGINE": engine}
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        environment.pop(name, None)

    ended = _confined([laptop.home], environment, "run", str(photo))

    assert (ended.code, ended.forward) == (0, 1), ended.errors
    assert [line for line in ended.errors.splitlines() if "WARNING" in line] == []


def _look_up() -> str:
    return "import socket; socket.getaddrinfo('example.org', 80)"


def _write() -> str:
    return f"open({str(Path(__file__).with_name('never'))!r}, 'w')"


@pytest.mark.parametrize(
    ("attempt", "confine", "code"),
    [
        (_look_up, confinement.no_network, confinement.KILLED),
        (_write, lambda: confinement.no_writing_but_below(Path("/dev")), 1),
    ],
    ids=["network", "write"],
)
def test_what_is_forbidden_is_found_out(
    attempt: Callable[[], str], confine: Callable[[], None], code: int
) -> None:
    command = [sys.executable, "-c", attempt()]
    assert subprocess.run(command, preexec_fn=confine, capture_output=True).returncode == code
