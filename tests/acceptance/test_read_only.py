"""A home on a medium that cannot be written: whoever looks gets an answer, whoever works gets a sentence."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtray.jobs.embedded_redis import server
from tests.acceptance import inside, photos
from tests.acceptance.world import World, world
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def done() -> Iterator[World]:
    """A ledger with one image that is done."""
    base = Path(tempfile.mkdtemp(prefix="tagtray-archive-"))
    photos.write(base, b"photos/a.jpg", photos.picture(1, "JPEG"))
    with world(base / "home") as laptop:
        assert laptop.run("run", str(base / "photos")).code == 0
        wait_for(lambda: not server.running(laptop.home))
        yield laptop
    shutil.rmtree(base)


@pytest.fixture(params=[0o555, 0o755], ids=["folder", "file"])
def archive(request: pytest.FixtureRequest, done: World) -> Iterator[World]:
    """The same, where a user without privileges may not write; as it was at the end."""
    places = [path for path in (done.home, *done.home.rglob("*")) if not path.is_socket()]
    modes = [path.stat().st_mode for path in places]
    for path in places:
        path.chmod(request.param if path.is_dir() else 0o444)
    yield done
    for path, mode in zip(places, modes, strict=True):
        path.chmod(mode)


def test_what_reads_answers_on_a_read_only_medium_and_what_writes_says_why_it_cannot(archive: World) -> None:
    photo = str(archive.folder / "photos" / "a.jpg")
    looks = [["status"], ["show", photo], ["failures"], ["db", "check"], ["sql", "SELECT 1 FROM top1"]]
    found = inside.run_unprivileged(archive, *looks, ["status", "--json"])
    assert [(one.code, one.errors) for one in found] == [(0, "")] * 6, found
    assert json.loads(found[-1].output)["images"]["done"] == 1

    for command in (["retry"], ["run", str(archive.folder / "photos")]):
        refused = archive.run(*command, privileged=False)
        assert refused.code in (1, 2)
        assert "Traceback" not in refused.errors
        assert "not be written" in refused.errors or "cannot be" in refused.errors
