"""``tagtray stats`` on both databases: figures for people, for programs, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image as Picture

from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import Failed, NewContent
from tests import builders

Command = Callable[..., str]


@pytest.fixture
def photos(ledger: Ledger, host: Settings) -> None:
    """Two dogs of May, of which one is there twice; an undated cat that is a $2 dog, too; one that failed."""
    ids = builders.running(ledger, builders.root(ledger, host).id, 5)
    may = datetime(2024, 5, 17, 12)
    dog = [("c_dog", 0.9)]
    builders.commit(
        ledger,
        builders.done(ids[0], "a", NewContent("JPEG", 4, 3, may, None, [(1, 1.0), (2, 0.0), (0, 0.0)], dog)),
        builders.done(ids[1], "a", None),
        builders.done(ids[2], "b", NewContent("JPEG", 4, 3, may, None, [(2, 0.7), (1, 0.2), (0, 0.0)], dog)),
        builders.done(
            ids[3], "c", builders.content([(0, 0.05), (1, 0.04), (2, 0.0)], [("c_cat", 0.8), *dog])
        ),
        Failed(ids[4], "empty", "The file is empty."),
    )
    builders.execute(ledger, "UPDATE categories SET name = '$2 dog' WHERE wnid = 'c_dog'")


@pytest.fixture
def command(
    ledger: Ledger, host: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs ``tagtray stats``: what it prints, or (code not 0) says on standard error."""
    for name, value in configuration.environment(host).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0) -> str:
        ended = main.invoke(["stats", *arguments])
        captured = capsys.readouterr()
        assert ended == code, captured
        return captured.err if code else captured.out

    return run


def test_json_has_every_figure(command: Command, photos: None) -> None:
    found = json.loads(command("--json"))

    assert {state: count for state, count in found["states"].items() if count} == {"done": 4, "failed": 1}
    assert found["categories"] == [
        {"category": "$2 dog", "category_zh": "狗", "photos": 4},
        {"category": "cat", "category_zh": "猫", "photos": 1},
    ]
    assert (found["months"], found["undated"]) == ([{"month": "2024-05", "photos": 3}], 1)
    assert found["categories_by_month"] == [{"category": "$2 dog", "month": "2024-05", "photos": 3}]
    bins = {(b["from_score"], b["to_score"]): b["photos"] for b in found["scores"] if b["photos"]}
    assert bins == {(0.05, 0.1): 1, (0.7, 0.75): 1, (0.95, 1.0): 2}
    assert found["failures"] == [{"error_code": "empty", "photos": 1}]


def test_people_see_lists_with_bars(command: Command, photos: None) -> None:
    lines = command().splitlines()

    assert lines[0] == "5 photos: 4 done, 1 failed"
    assert lines[2:5] == [
        "Categories",
        f"  $2 dog 狗         4  {'▇' * 40}",
        f"  cat 猫            1  {'▇' * 10}",
    ]
    assert f"  2024-05         3  {'▇' * 40}" in lines and f"  no date         1  {'▇' * 13}" in lines
    assert f"  empty         1  {'▇' * 40}" in lines


def test_a_picture_is_drawn(
    command: Command, photos: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Picture, "MAX_IMAGE_PIXELS", None)  # other tests decode with a limit of their own
    command("--plot", f"{tmp_path}/a.png")
    command("--plot", f"{tmp_path}/a.SVG", "--json")

    with Picture.open(tmp_path / "a.png") as picture:
        assert picture.width > picture.height > 1000
        assert len(picture.convert("RGB").getcolors(2**24) or ()) > 20
    assert etree.parse(tmp_path / "a.SVG").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_an_empty_ledger_has_figures_and_a_picture_too(command: Command, tmp_path: Path) -> None:
    assert command("--plot", f"{tmp_path}/a.png") == "0 photos: none yet\n"
    assert (tmp_path / "a.png").stat().st_size > 0


def test_a_picture_that_cannot_be_written_is_one_sentence(command: Command, tmp_path: Path) -> None:
    assert command("--plot", "a.gif", code=2) == "tagtray: a.gif is neither a .png nor an .svg.\n"
    assert "its folder does not exist" in command("--plot", f"{tmp_path}/no/a.png", code=2)
    (tmp_path / "full.png").symlink_to("/dev/full")
    assert command("--plot", f"{tmp_path}/full.png", code=2).endswith(
        "full.png cannot be written: No space left on device.\n"
    )
