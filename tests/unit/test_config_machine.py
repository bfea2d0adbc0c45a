"""The machine's own settings: below options and variables, above defaults; a bad file is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tagtray.config import machine
from tagtray.config import settings as configuration
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings

KEPT = {"engine": "torch", "precision": "fp32", "workers": 3, "batch_size": 8}


@pytest.fixture
def kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a file, which every process finds."""
    monkeypatch.setenv("TAGTRAY_HOME", str(home))
    return machine.write(home, KEPT, {"at": "2026-01-01"})


def _values(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(include=set(KEPT))


def test_what_was_kept_is_used_and_named_as_the_origin(kept: Path) -> None:
    assert _values(configuration.load()) == KEPT
    assert {configuration.origin(name) for name in KEPT} == {"machine.json"}
    assert configuration.origin("queue") == "default"


def test_the_file_belongs_to_its_home(kept: Path, tmp_path: Path) -> None:
    assert configuration.load(home=tmp_path).batch_size == 16
    assert configuration.origin("batch_size", {"home": tmp_path}) == "default"


def test_a_variable_wins_over_the_file_and_an_option_over_both(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGTRAY_BATCH_SIZE", "24")

    assert configuration.load().batch_size == 24
    assert configuration.origin("batch_size") == "TAGTRAY_BATCH_SIZE"
    assert configuration.load(batch_size=4).batch_size == 4
    assert configuration.load(batch_size=4).workers == 3


def test_auto_undoes_the_number_of_workers(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_WORKERS", "auto")

    assert configuration.load().workers is None


@pytest.mark.parametrize("workers", [None, 5])
def test_another_process_has_this_ones_settings_whatever_the_file_says(
    kept: Path, monkeypatch: pytest.MonkeyPatch, workers: int | None
) -> None:
    # Given settings that differ from the file, one of them by being unset
    settings = configuration.load(engine="auto").model_copy(update={"workers": workers})

    # When another process loads what it is handed, then it has the same
    for name, value in configuration.environment(settings).items():
        monkeypatch.setenv(name, value)
    assert _values(configuration.load()) == {**KEPT, "engine": "auto", "workers": workers}


def test_a_file_that_comes_later_does_not_change_what_was_handed_over(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configuration.load(home=home)
    machine.write(home, KEPT, {})

    for name, value in configuration.environment(settings).items():
        monkeypatch.setenv(name, value)
    assert configuration.load() == settings


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "has no settings"),
        (b"{}", "has no settings"),
        (b'{"settings": 3}', "has no settings"),
        (b'{"settings": {"colour": "red"}}', "sets 'colour', which is none of batch_size, engine"),
        (b'{"settings": {"home": "/elsewhere"}}', "sets 'home', which is none of"),
        (b'{"settings": {"batch_size": 0}}', ": batch_size=0 is not accepted: it should be"),
        (b'{"settings": {"batch_size": []}}', ": batch_size=[] is not accepted: it should be"),
        (b'{"settings": {"engine": "steam"}}', ": engine=steam is not accepted: it should be"),
        (b'{"settings": {"workers": 1000}}', ": workers=1000 is not accepted: it should be"),
        (b'{"settings": {"precision": null}}', ": precision=None is not accepted: it should be"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(home: Path, content: bytes, reason: str) -> None:
    machine.path(home).write_bytes(content)

    with pytest.raises(UsageError) as caught:
        configuration.load(home=home)

    sentence = str(caught.value)
    assert f"{machine.path(home)}" in sentence
    assert reason in sentence
    assert "\n" not in sentence


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    machine.path(home).mkdir()

    with pytest.raises(UsageError, match=r"machine\.json cannot be read: Is a directory\."):
        configuration.load(home=home)


def test_keeping_replaces_the_file_and_leaves_nothing_beside_it(kept: Path, home: Path) -> None:
    machine.write(home, {**KEPT, "workers": 1}, {"at": "later"})

    content = json.loads(kept.read_bytes())
    assert content == {"settings": {**KEPT, "workers": 1}, "measured": {"at": "later"}}
    assert [path.name for path in home.iterdir()] == ["machine.json"]
    assert kept.stat().st_mode & 0o777 == 0o600
