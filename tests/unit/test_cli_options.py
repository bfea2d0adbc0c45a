"""Options and arguments, the way from words to settings, and passwords that stay unseen."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tagtray.app.session import split
from tagtray.cli import options
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings


@pytest.mark.parametrize(
    ("argument", "name", "folder"),
    [
        ("photos", None, "photos"),
        ("cats=/mnt/a=b", "cats", "/mnt/a=b"),
        ("=/mnt", "", "/mnt"),
        ("./a=b", None, "./a=b"),
        ("/mnt/a=b", None, "/mnt/a=b"),
    ],
)
def test_an_argument_is_a_folder_or_a_name_with_a_folder(
    argument: str, name: str | None, folder: str
) -> None:
    assert split(argument) == (name, Path(folder))


def test_a_folder_that_exists_is_a_folder_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()

    assert split("a=b") == (None, Path("a=b"))


def test_options_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGTRAY_WORKERS", "7")
    monkeypatch.setenv("TAGTRAY_EXACT", "1")

    settings = options.for_work("3", batch_size=24, engine="torch", exact=None)
    assert (settings.workers, settings.batch_size, settings.engine, settings.exact) == (3, 24, "torch", True)
    assert options.for_work(None).workers == 7
    assert options.for_work("auto").workers is None


@pytest.mark.parametrize("name", ["engine", "precision"])
def test_an_option_takes_what_its_setting_takes(name: str) -> None:
    option = get_args(get_args(getattr(options, name.capitalize()))[0])[0]

    assert option == Settings.model_fields[name].annotation


@pytest.mark.parametrize("word", ["0", "-1", "257", "many", "", "²", "1.5"])
def test_a_number_of_workers_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"^--workers takes a number from 1 to 256 or auto, not "):
        options.for_work(word)
