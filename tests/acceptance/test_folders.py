"""Folders that are not as one would wish: one sentence or plain success, never a traceback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tagtray
from tagtray.weights import FOLDER
from tests.acceptance import inside, photos
from tests.acceptance.world import Ended, World, ended


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "forbidden"
    photos.write(folder, b"a.jpg", photos.picture(1, "JPEG"))
    folder.chmod(0o000)
    yield folder
    folder.chmod(0o700)


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "protected"
    photos.write(folder, b"a.jpg", photos.picture(1, "JPEG"))
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


def _is_one_sentence(run: Ended, *words: str) -> None:
    assert run.code == 2
    assert run.output == ""
    (line,) = run.errors.splitlines()
    assert line.startswith("tagtray: ") and line.endswith((".", "?"))
    assert all(word in line for word in words)


def test_a_missing_folder_is_one_sentence(laptop: World, tmp_path: Path) -> None:
    _is_one_sentence(inside.run(laptop, "scan", str(tmp_path / "no\nsuch")), "no\\nsuch", "does not exist")


def test_a_file_is_one_sentence(laptop: World, tmp_path: Path) -> None:
    photos.write(tmp_path, b"a.jpg", photos.picture(1, "JPEG"))

    _is_one_sentence(inside.run(laptop, "scan", str(tmp_path / "a.jpg")), "is a file")


def test_a_folder_that_may_not_be_read_is_one_sentence(laptop: World, forbidden: Path) -> None:
    _is_one_sentence(laptop.run("scan", str(forbidden), privileged=False), "may not be read")


def test_a_paused_root_is_one_sentence_until_it_is_resumed(laptop: World, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    photos.write(folder, b"a.jpg", photos.picture(1, "JPEG"))
    assert inside.run(laptop, "scan", str(folder)).code == 0
    assert inside.run(laptop, "pause", "photos").output == "photos is paused.\n"

    _is_one_sentence(inside.run(laptop, "run", str(folder)), "photos is paused", "`tagtray resume photos`")

    assert inside.run(laptop, "resume", "photos").code == 0
    assert laptop.run("run", str(folder)).code == 0
    assert laptop.count("SELECT count(*) FROM images WHERE status = 'done'") == 1


def test_a_misspelt_variable_is_one_sentence(laptop: World) -> None:
    _is_one_sentence(inside.run(laptop, "status", TAGTRAY_WORKER="2"), "TAGTRAY_WORKER ", "TAGTRAY_WORKERS")


def test_a_read_only_folder_succeeds_and_results_go_to_the_home(laptop: World, protected: Path) -> None:
    # Given a folder that cannot be written, and a name for its root
    # When it is run
    run = laptop.run("run", f"attic={protected}", privileged=False)

    # Then the photo is done and nothing was put beside it
    assert run.code == 0
    assert laptop.query("SELECT root, path FROM top1") == [("attic", "a.jpg")]
    assert os.listdir(protected) == ["a.jpg"]


def test_two_runs_at_once_on_one_home_both_succeed(laptop: World, tmp_path: Path) -> None:
    # Given a folder
    photos.make(tmp_path / "holiday")

    # When two runs begin at once, on a home that has nothing yet
    arguments = ("run", "--batch-size", "4", str(tmp_path / "holiday"))
    runs = [laptop.start(*arguments, TAGTRAY_SETTLE="2") for _ in range(2)]
    first, second = [ended(run) for run in runs]

    # Then both succeed, and together they classified every content once
    assert (first.code, second.code) == (0, 0), first.errors + second.errors
    assert laptop.count("SELECT count(*) FROM images WHERE status = 'done'") == len(photos.GOOD)
    assert laptop.count("SELECT count(*) FROM classifications") == photos.CONTENTS
    assert laptop.query("SELECT count(*) FROM roots") == [(1,)]


def test_damaged_weights_are_one_sentence(laptop: World, tmp_path: Path) -> None:
    # Given the program, but for a copy of its weights that has a flipped byte
    program = tmp_path / "program" / "tagtray"
    program.mkdir(parents=True)
    for part in Path(tagtray.__file__).parent.iterdir():
        if part.name != "weights":
            (program / part.name).symlink_to(part.resolve())
    copy = program / "weights"
    shutil.copytree(FOLDER, copy)
    file = next(copy.glob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

    # When a folder is run with them
    (tmp_path / "photos").mkdir()
    run = laptop.run("run", str(tmp_path / "photos"), PYTHONPATH=str(program.parent))

    # Then it says so and ends
    assert (run.code, run.output) == (1, "")
    (line,) = run.errors.splitlines()
    assert str(file) in line and "damaged" in line


@pytest.mark.parametrize("command", ["run", "scan"])
def test_the_home_is_refused_before_any_file_is_put_into_it(
    laptop: World, tmp_path: Path, command: str
) -> None:
    photos.write(tmp_path / "in", b"a.jpg", photos.picture(1, "JPEG"))

    refused = inside.run(laptop, command, str(tmp_path / "in"), TAGTRAY_HOME=str(tmp_path / "in"))

    _is_one_sentence(refused, "is TAGTRAY_HOME itself")
    assert [path.name for path in (tmp_path / "in").rglob("*") if path.is_file()] == ["a.jpg"]


def test_a_name_of_blanks_is_quoted(laptop: World) -> None:
    _is_one_sentence(inside.run(laptop, "scan", " "), "' ' does not exist")


def test_links_that_lead_out_are_counted_and_followed_where_that_is_wanted(
    laptop: World, tmp_path: Path
) -> None:
    # Given a folder of nothing but links
    photos.write(tmp_path / "elsewhere", b"2023/a.jpg", photos.picture(1, "JPEG"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "2023").symlink_to("../elsewhere/2023")
    (folder / "photo.jpg").symlink_to("../elsewhere/2023/a.jpg")

    # When it is run, then no network is loaded, one line says that there are links, and one how to go on
    first = laptop.run("run", str(folder))
    assert (first.code, first.batches) == (0, [])
    assert first.output.startswith("0 images in ")
    lines = [" ".join(line.split()) for line in first.output.splitlines()]
    assert any(line.startswith("links 2 lead out of the folder") for line in lines)
    assert lines[-1] == f"tagtray run --follow-links {folder}"
    assert laptop.query("SELECT path FROM images") == []
    shown = inside.run(laptop, "show", str(folder / "photo.jpg"))
    assert f"leads to {tmp_path / 'elsewhere/2023/a.jpg'}, which is not in the ledger" in shown.errors

    # When they are followed, then the photo has one row, in a root of its own
    second = laptop.run("run", "--follow-links", str(folder))
    assert laptop.query("SELECT path, status FROM images") == [("a.jpg", "done")]
    assert "put images into the folder" not in second.output
