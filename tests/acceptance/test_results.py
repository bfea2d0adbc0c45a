"""A run that keeps sidecars and tells a command; what it tells is what is exported and imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import inside, photos
from tests.acceptance.world import World, world

#: Photos of the run.
PHOTOS = 4


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[World]:
    """Another machine with a ledger of its own."""
    (tmp_path / "there").mkdir()
    with world(tmp_path / "there/home") as other:
        yield other


def test_results_reach_files_commands_and_other_ledgers(
    everywhere: World, elsewhere: World, tmp_path: Path
) -> None:
    # Given a run with sidecars and a command, which fails after it has read
    folder = everywhere.folder / "told"
    photos.make_many(folder, PHOTOS)
    told = tmp_path / "told"
    run = everywhere.run("run", str(folder), TAGTRAY_XMP="1", TAGTRAY_ON_DONE=f"cat >> '{told}'; exit 1")
    assert run.code == 0 and "on_done_failed" in run.errors, run.errors
    assert everywhere.count("SELECT COUNT(*) FROM images WHERE status = 'done'") == PHOTOS

    # When the results are exported
    exported = inside.run(everywhere, "export", f"{tmp_path}/a.jsonl", "--features")
    lines = _lines(tmp_path / "a.jsonl")

    # Then they are what the command was told
    said = _lines(told)
    assert exported.code == 0 and len(lines) == PHOTOS
    assert said.keys() == lines.keys()
    for name, line in said.items():
        assert line["result"]["labels"] == lines[name]["result"]["labels"]
    sidecars = list(folder.rglob("*.xmp"))
    assert len(sidecars) == everywhere.count("SELECT COUNT(*) FROM sidecars")

    # And a ledger elsewhere that imports them classifies nothing again
    assert inside.run(elsewhere, "import", f"{tmp_path}/a.jsonl").code == 0
    again = elsewhere.run("run", str(folder))
    assert again.code == 0 and again.forward == 0
    assert elsewhere.count("SELECT COUNT(*) FROM top1") == PHOTOS


def _lines(file: Path) -> dict[str, Any]:
    """The lines of a file, by the files that they are about."""
    return {line["file"]: line for line in map(json.loads, file.read_bytes().splitlines())}
