"""``tagtray find`` on both databases: every format, for people and for pipes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tests import builders

Command = Callable[..., str]
ODD = b"caf\xe9\n two.jpg"


@pytest.fixture
def folder(ledger: Ledger, host: Settings) -> Path:
    """A root with three dogs, of which one has an odd name, and a volcano."""
    root = builders.root(ledger, host)
    names = [b"a.jpg", b"b c.jpg", ODD, b"sub/volcano.jpg"]
    ledger.register(root.id, [builders.seen(name) for name in names])
    ids = [ledger.lookup(root.id, [name])[name].id for name in names]
    assert len(ledger.take_pending(4)) == len(ledger.claim(ids, "w", 60.0, builders.MODEL_ID)) == 4
    for image_id, score in zip(ids[:3], (0.9, 0.7, 0.5), strict=True):
        new = builders.content(top=[(1, score), (2, 0.05), (0, 0.01)], tags=[("c_dog", score)])
        builders.commit(ledger, builders.done(image_id, f"{image_id}", new))
    volcano = builders.content(top=[(3, 0.8), (2, 0.15), (0, 0.01)], tags=[])
    builders.commit(ledger, builders.done(ids[3], "volcano", volcano))
    return Path(os.fsdecode(root.path))


@pytest.fixture
def command(
    host: Settings, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Command:
    """Runs the command line on the ledger: what it prints on standard output, or (err) on standard error."""
    for name, value in configuration.environment(host).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0, err: bool = False) -> str:
        ended = main.invoke(["find", *arguments])
        captured = capfdbinary.readouterr()
        assert ended == code, captured
        return (captured.err if err else captured.out).decode("utf-8", "surrogateescape")

    return run


def test_a_table_names_score_label_and_file(command: Command, folder: Path) -> None:
    assert command("dog").splitlines() == [
        "score\tlabel\ttaken\tfile",
        f"90%\tbeagle\t\t{folder}/a.jpg",
        f"70%\tbeagle\t\t{folder}/b c.jpg",
        rf"50%\tbeagle\t\t{folder}/caf\xe9\n two.jpg".replace(r"\t", "\t"),
    ]


def test_json_has_all_that_is_known(command: Command, folder: Path) -> None:
    for option in (["--json"], ["--format", "json"]):
        (hit,) = json.loads(command("火山", *option))
        assert hit == {
            "file": f"{folder}/sub/volcano.jpg",
            "root": "photos",
            "path": "sub/volcano.jpg",
            "score": 0.8,
            "label": "volcano",
            "label_zh": "火山",
            "wnid": "n3",
            "taken_at": None,
            "sha256": builders.sha("volcano"),
        }


def test_csv_is_read_back(command: Command, folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(command("dog", "--format", "csv"))))
    assert [(row["path"], row["score"]) for row in rows][:2] == [("a.jpg", "0.9"), ("b c.jpg", "0.7")]


def test_paths_go_into_a_pipe_byte_for_byte(command: Command, folder: Path) -> None:
    names = [os.fsencode(folder) + b"/" + name for name in (b"a.jpg", b"b c.jpg", ODD)]

    assert os.fsencode(command("dog", "--format", "paths0")) == b"\0".join([*names, b""])
    assert os.fsencode(command("dog", "--format", "paths")) == b"\n".join([*names, b""])


def test_options_are_conditions_of_the_query(command: Command, folder: Path) -> None:
    def found(*arguments: str) -> int:
        return command(*arguments, "--format", "paths0").count("\0")

    assert found("dog", "--min-score", "0.7") == 2
    assert found("beagle", "--min-score", "0") == 3
    assert found("--root", "photos") == 4
    assert found("dog", "path:b", "--root", "photos") == 1
    assert found("dog -path:b") == found("dog", "-path:b") == found("-path:b dog") == 2
    assert found("dog", "--limit", "1") == 1
    assert "There is no root 'no'" in command("--root", "no", code=2, err=True)
    assert "There is no root" in command("--root", 'a" b', code=2, err=True)


def test_a_page_says_how_to_go_on(command: Command, folder: Path) -> None:
    # Given the first two of three
    said = command("dog", "--limit", "2", err=True)

    # When one goes on where they end
    cursor = said.removeprefix("There are more: --cursor ").strip()
    rest = json.loads(command("dog", "--limit", "2", "--cursor", cursor, "--json"))

    # Then the third is there, and nothing after it
    assert [hit["path"] for hit in rest] == ["caf\ufffde9\n two.jpg"]
    assert command("dog", "--limit", "2", "--cursor", cursor, err=True) == ""
    assert "The cursor is none" in command("dog", "--cursor", "x", code=2, err=True)
    assert command("dog", "--cursor", "x", code=2) == ""


def test_a_terminal_shows_how_to_go_on_below_the_photos(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.stdout)

    photos, _, note = command("dog", "--limit", "1", "--json").rpartition("There are more: --cursor ")

    assert len(json.loads(photos)) == 1 and note


def test_what_is_not_understood_is_one_sentence(command: Command, folder: Path) -> None:
    assert command("dgo", code=2, err=True) == (
        'tagtray: No class or category is called "dgo"; did you mean dog?\n'
    )
    assert command("n33", code=2, err=True) == 'tagtray: No class or category is called "n33".\n'
    assert command("dog |", code=2, err=True).startswith("tagtray: The query ends too early")
    assert command("dog", "-cat", "--limti", "1", code=2, err=True).startswith(
        "tagtray: No such option: --limti"
    )


def test_a_reader_that_has_enough_is_no_error(host: Settings, folder: Path) -> None:
    program = [sys.executable, "-P", "-m", "tagtray", "find", "dog", "--format", "paths"]
    environment = {**os.environ, **configuration.environment(host)}
    ended = subprocess.run(
        f"{' '.join(program)} | head -n 1", shell=True, env=environment, capture_output=True, check=True
    )
    assert ended.stdout == os.fsencode(folder) + b"/a.jpg\n" and ended.stderr == b""


def test_nothing_found_is_nothing_printed(command: Command, folder: Path) -> None:
    assert command("cat", "--format", "paths0") == ""
    assert json.loads(command("cat", "--json")) == []
