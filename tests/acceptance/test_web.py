"""The web pages beside a run, in real processes: nothing that was accepted is lost, whoever is killed."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance import inside, photos
from tests.acceptance.world import World, ended, page_of
from tests.chaos import members
from tests.waiting import wait_for

UPLOADS = 60
PENDING = "SELECT count(*) FROM images WHERE status IN ('pending', 'queued', 'running')"


def _start(world: World, folder: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """A run with web pages on a free port, and their address."""
    run = world.start("run", str(folder), "--web", "--port", "0", *options)
    return run, page_of(run)


@pytest.fixture(autouse=True)
def _titles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The title of a process does not overwrite what tells its home."""
    monkeypatch.setenv("SPT_NOENV", "1")


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=120, trust_env=False) as client:
        yield client


def _ready(client: httpx.Client, address: str) -> bool:
    try:
        return client.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _web_process(world: World) -> psutil.Process | None:
    for process in members.of(world.home)[members.PRODUCER]:
        if "tagtray: web" in " ".join(process.cmdline()):
            return process
    return None


def test_a_run_with_web_pages_classifies_a_folder_and_what_is_sent(
    laptop: World, tmp_path: Path, client: httpx.Client
) -> None:
    # Given a run on a folder with a photo
    folder = tmp_path / "album"
    photos.write(folder, b"one.jpg", photos.picture(1, "JPEG"))
    run, address = _start(laptop, folder)
    wait_for(lambda: _ready(client, address), run)
    wait_for(lambda: len(client.get(f"{address}/api/images").json()["items"]) == 1, run)
    # When a photo is sent, both are found
    sent = client.post(f"{address}/predict", files={"file": photos.picture(2, "PNG")})
    assert sent.status_code == 200
    assert len(sent.json()["results"]) == 3
    wait_for(lambda: len(client.get(f"{address}/api/images").json()["items"]) == 2, run)
    # When the web process is killed, with the audit written, another one takes its place on the same port
    wait_for(lambda: "done" in inside.run(laptop, "audit", "--json").output, run)
    first = _web_process(laptop)
    assert first is not None
    members.kill([first])
    wait_for(lambda: _ready(client, address), run)
    assert client.post(f"{address}/predict", files={"file": photos.picture(2, "PNG")}).json()["cached"]
    # And SIGTERM ends all of it in order
    run.send_signal(signal.SIGTERM)
    stopped = ended(run)
    assert (stopped.code, "Traceback" in stopped.errors) == (0, False)
    assert members.of(laptop.home)[members.PRODUCER] == []
    # And the uploads are in the audit
    listed = inside.run(laptop, "audit", "--json")
    assert [outcome for outcome in re.findall(r'"outcome": "(\w+)"', listed.output)] == ["cached", "done"]


@pytest.mark.timeout(1_200)
def test_no_accepted_upload_is_lost_where_workers_are_killed(
    laptop: World, tmp_path: Path, client: httpx.Client
) -> None:
    # Given a run that is sent photos by several clients
    folder = tmp_path / "album"
    folder.mkdir()
    run, address = _start(laptop, folder, "--batch-size", "4")
    wait_for(lambda: _ready(client, address), run)

    def send(number: int) -> tuple[int, dict[str, object]]:
        data = photos.picture(number, "JPEG")
        with httpx.Client(timeout=120, trust_env=False) as own:
            answer = own.post(f"{address}/predict", files={"file": data})
        return answer.status_code, answer.json()

    # When every worker is killed twice meanwhile
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(send, range(UPLOADS))
        for least in (5, 20):
            wait_for(lambda least=least: laptop.count("SELECT count(*) FROM images") > least, run)  # type: ignore[misc]
            members.kill(members.of(laptop.home)[members.WORKER])
        found = list(answers)
    # Then each of them has a result in the end, at once or later
    wait_for(lambda: laptop.count(PENDING) == 0, run)
    statuses = Counter(status for status, _ in found)
    assert statuses.keys() <= {200, 503, 504}, found
    assert laptop.count("SELECT count(*) FROM images WHERE status = 'done'") == UPLOADS
    kept = [problem for status, problem in found if status != 200]
    for problem in kept:
        details = client.get(f"{address}/api/images/{problem['image']}").json()
        assert (details["status"], len(details["results"])) == ("done", 3)
    run.terminate()
    assert ended(run).code == 0


def test_pages_end_with_a_run_that_is_killed(laptop: World, tmp_path: Path, client: httpx.Client) -> None:
    run, address = _start(laptop, tmp_path)
    wait_for(lambda: _ready(client, address), run)

    run.kill()
    run.communicate()

    wait_for(lambda: _web_process(laptop) is None)


def test_pages_that_others_can_reach_need_a_token(laptop: World, tmp_path: Path) -> None:
    for command in (("serve",), ("run", str(tmp_path), "--web")):
        refused = inside.run(laptop, *command, "--host", "0.0.0.0", "--port", "0")

        assert (refused.code, refused.output) == (2, "")
        assert re.fullmatch(r"tagtray: 0\.0\.0\.0 can be reached by others: .* --no-auth\.\n", refused.errors)


def test_serve_alone_ends_in_order(laptop: World, client: httpx.Client) -> None:
    serve = laptop.start("serve", "--port", "0")
    address = page_of(serve)
    wait_for(lambda: client.get(f"{address}/healthz").status_code == 200, serve)
    assert client.get(f"{address}/readyz").json()["code"] == "no_worker"

    serve.send_signal(signal.SIGINT)

    stopped = ended(serve)
    assert stopped.code in (0, 130)
    assert "Traceback" not in stopped.errors
