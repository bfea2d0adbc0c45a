"""Every command of tagtray in README and documents runs as it stands there, in its order, on a prepared home.

Those that go on until Ctrl-C or take minutes are read as a command line is read before it runs; commands of
containers, systemd, PostgreSQL and package managers are other programs'.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main
from PIL import ExifTags, Image
from typer.core import TyperGroup

from tagtray.cli import main
from tagtray.cli.lazy import LazyGroup
from tests import models
from tests.acceptance import photos
from tests.acceptance.world import world

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PROGRAMS = ("tagtray", ".venv/bin/tagtray")
PROGRAM = re.compile(r"(?:^|\s)(?:\.venv/bin/)?tagtray ")
#: Where a command line of tagtray's ends and that of another program begins.
ENDS = {"|", ">", ">>", "&&", "||", ";"}
#: Commands that go on until they are ended, or take minutes: they are read and not run.
LONG = {"watch", "work", "serve", "bench"}
#: So are those that want a network, or photos with names that say what they show.
WANTING = (["weights", "fetch"], ["weights", "evaluate"])
#: In each folder of the user, the same: enough to learn a tag from.
PHOTOS = 6
#: What stands for something of the reader's.
PLACES = {"NAME": models.DEFAULT.name, "DIR": "~/Pictures", "IMG_0412.jpg": "~/Pictures/IMG_0412.jpg"}


def lines(page: Path) -> Iterator[str]:
    """The lines of commands of a page; those that show what comes out (after a $) are none."""
    for language, block in BLOCK.findall(page.read_text("utf-8")):
        if language in ("", "sh") and not block.lstrip().startswith("$"):
            yield from block.replace("\\\n", " ").splitlines()


def commands(page: Path) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Variables and arguments of every command of tagtray's on a page."""
    for line in filter(PROGRAM.search, lines(page)):
        parts = shlex.shlex(line, posix=True, punctuation_chars="|><;&")
        parts.whitespace_split = True
        words = []
        for word in parts:
            if word in ENDS:
                break
            words.append(PLACES.get(word, word))
        variables = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0], re.DOTALL):
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        if words and words[0] in PROGRAMS:
            yield variables, words[1:]


FOUND = [
    pytest.param(variables, arguments, id=f"{page.stem}-{' '.join(arguments)}")
    for page in PAGES
    for variables, arguments in commands(page)
]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home with classified photos in ~/Pictures, and what the documents speak of."""
    home = tmp_path_factory.mktemp("user")
    for folder in ("Pictures", "Pictures/harbour", "Pictures/2019/harbour"):
        photos.make_many(home / folder, PHOTOS)
    Image.new("RGB", (64, 48), "teal").save(home / "Pictures/IMG_0412.jpg")
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "NIKON", "D50"
    (home / "Pictures/holiday").mkdir()
    Image.new("RGB", (64, 48)).save(home / "Pictures/holiday/beach.jpg", exif=exif)
    with world(home / ".local/share/tagtray") as prepared:
        ended = prepared.run("run", str(home / "Pictures"))
        assert ended.code == 0, ended.errors
    photos.make_many(home / "share", 1)
    (home / "birds.txt").write_text("\n".join(models.COLOURS))
    torch.save(
        {name: torch.from_numpy(values) for name, values in models.state().items()}, home / "birds.pth"
    )
    return home


@pytest.fixture(autouse=True)
def _at_home(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("TAGTRAY_ENGINE", "torch")
    monkeypatch.setenv("TAGTRAY_PRECISION", "fp32")
    monkeypatch.chdir(user)


def test_documents_have_commands() -> None:
    assert len(FOUND) > 50


@pytest.mark.parametrize(("variables", "arguments"), FOUND)
def test_a_documented_command_works(
    variables: dict[str, str],
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given the variables before it, and ~ as a shell replaces it
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    share = os.path.expanduser("~/share")
    arguments = [os.path.expanduser(word).replace("/mnt/nas/photos", share) for word in arguments]
    arguments = [word for one in arguments for word in (sorted(glob.glob(one)) or [one])]
    if _goes_on(arguments):
        _read(arguments)
        return
    _make_room(arguments)

    # When it is run, then it ends well
    code = main.invoke(arguments)

    said = capsys.readouterr()
    assert code in ((0, 1) if arguments[0] == "doctor" else (0,)), said.err
    if arguments[:2] == ["weights", "use"]:
        # What comes next is for the model that has seen the photos.
        assert main.invoke(["weights", "use", models.DEFAULT.name]) == 0


def _goes_on(arguments: list[str]) -> bool:
    starts_to_serve = arguments[0] == "datasette" and "--write" not in arguments
    if arguments[:2] in WANTING:
        return True
    return arguments[0] in LONG or "--watch" in arguments or starts_to_serve or arguments[0] == "run"


def _read(arguments: list[str]) -> None:
    """Have the command line read, with every option and value, but not run."""
    group: Any = typer.main.get_command(main.app)
    while isinstance(group, TyperGroup):
        name, *arguments = arguments
        group = group.load(name) if isinstance(group, LazyGroup) else group.commands[name]
    group.make_context("tagtray", list(arguments))


def _make_room(arguments: list[str]) -> None:
    """Take away what a former command of the documents has left where it would be in the way."""
    if arguments[:2] == ["weights", "add"]:
        shutil.rmtree(Path("~/.local/share/tagtray/models/birds").expanduser(), ignore_errors=True)
