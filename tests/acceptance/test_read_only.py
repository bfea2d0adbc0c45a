"""A home on a medium that cannot be written: whoever looks gets an answer, whoever works gets a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import builders
from tests.acceptance.world import World


@pytest.fixture(params=[0o555, 0o755], ids=["folder", "file"])
def archive(request: pytest.FixtureRequest, laptop: World) -> World:
    """A ledger with one image that is done, where a user without privileges may not write."""
    folder = laptop.folder / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(builders.jpeg())
    assert laptop.run("run", str(folder)).code == 0
    for path in [laptop.home, *laptop.home.rglob("*")]:
        if not path.is_socket():
            path.chmod(request.param if path.is_dir() else 0o444)
    return laptop


def test_what_reads_answers_on_a_read_only_medium(archive: World) -> None:
    photo = str(Path(archive.folder, "photos", "a.jpg"))
    for command in (
        ["status"],
        ["show", photo],
        ["failures"],
        ["db", "check"],
        ["sql", "SELECT 1 FROM top1"],
    ):
        found = archive.run(*command, privileged=False)
        assert (found.code, found.errors) == (0, ""), (command, found)
    assert json.loads(archive.run("status", "--json", privileged=False).output)["images"]["done"] == 1


def test_what_writes_says_why_it_cannot(archive: World) -> None:
    for command in (["retry"], ["run", str(archive.folder / "photos")]):
        found = archive.run(*command, privileged=False)
        assert found.code in (1, 2)
        assert "Traceback" not in found.errors
        assert "not be written" in found.errors or "cannot be" in found.errors
