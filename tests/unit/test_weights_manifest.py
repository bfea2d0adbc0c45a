"""The manifest against the files: what is damaged is named in one sentence."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import struct
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtray import weights
from tagtray.config.errors import WeightsError
from tagtray.weights import manifest
from tagtray.weights.manifest import FileEntry
from tools import card, release

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = "labels.tsv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of what ships."""
    for path in [*release.shipped(), weights.FOLDER / manifest.MANIFEST]:
        shutil.copy(path, tmp_path)
    return tmp_path


def entry_of(name: str) -> FileEntry:
    return next(file for file in manifest.load().every_file() if file.name == name)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def sentence(raised: pytest.ExceptionInfo[WeightsError]) -> str:
    message = str(raised.value)
    assert message.endswith(".") and "\n" not in message
    return message


def test_every_file_that_ships_is_what_the_manifest_says() -> None:
    manifest.verify()


def test_the_manifest_covers_every_file_that_ships_once() -> None:
    names = [file.name for file in manifest.load().every_file()]
    assert sorted(names) == [path.name for path in release.shipped()]


def test_no_other_data_lies_in_the_folder() -> None:
    code = {path for path in weights.FOLDER.iterdir() if path.suffix == ".py" or path.name == "__pycache__"}
    rest = set(weights.FOLDER.iterdir()) - code - {weights.FOLDER / manifest.MANIFEST}
    assert rest == set(release.shipped())


def test_the_wheel_carries_the_files_of_the_manifest() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["weights"]
    assert tuple(patterns) == release.PATTERNS


def test_one_flipped_byte_of_the_weights_is_found(folder: Path) -> None:
    # Given: the size is right, one bit in the middle is not
    entry = manifest.model("resnet18", folder)
    flip(manifest.path(entry, folder), entry.weights.bytes // 2)
    # When / Then
    with pytest.raises(WeightsError) as raised:
        manifest.verify(entry, folder)
    assert str(manifest.path(entry, folder)) in sentence(raised)
    with pytest.raises(WeightsError):
        manifest.verify(folder=folder)


@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, entry_of(SMALL).bytes - 1))
def test_a_flipped_byte_anywhere_is_found(at: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("weights") / SMALL
    shutil.copy(weights.FOLDER / SMALL, copy)
    flip(copy, at)
    with pytest.raises(WeightsError, match="SHA-256"):
        manifest.verify(entry_of(SMALL), copy.parent)


def test_a_truncated_file_is_told_by_its_size(folder: Path) -> None:
    (folder / SMALL).write_bytes(b"half")
    with pytest.raises(WeightsError) as raised:
        manifest.verify(folder=folder)
    assert re.search(rf"{SMALL} is damaged: it has 4 bytes instead of \d+", sentence(raised))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / SMALL).unlink()
    with pytest.raises(WeightsError) as raised:
        manifest.verify(entry_of(SMALL), folder)
    assert f"{SMALL} is missing" in sentence(raised)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    # Given: a folder in the file's place, of just the size that is expected
    (tmp_path / SMALL).mkdir()
    expected = dataclasses.replace(entry_of(SMALL), bytes=(tmp_path / SMALL).stat().st_size)
    # When / Then
    with pytest.raises(WeightsError) as raised:
        manifest.verify(expected, tmp_path)
    assert f"{SMALL} cannot be read: Is a directory" in sentence(raised)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"models": [], "files": [{"name": "x"}]}', b"[" * 100_000],
)
def test_a_manifest_that_is_none_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / manifest.MANIFEST).write_bytes(content)
    with pytest.raises(WeightsError) as raised:
        manifest.load(tmp_path)
    assert f"{manifest.MANIFEST} is damaged" in sentence(raised)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", "", ".hidden"])
def test_a_manifest_cannot_name_a_file_elsewhere(name: str, folder: Path) -> None:
    # Given
    source = folder / manifest.MANIFEST
    content = json.loads(source.read_bytes())
    content["files"][0]["name"] = name
    source.write_text(json.dumps(content), "utf-8")
    # When / Then
    with pytest.raises(WeightsError) as raised:
        manifest.load(folder)
    assert "files.0.name" in sentence(raised)


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        manifest.load(tmp_path)
    assert f"{manifest.MANIFEST} is missing" in sentence(raised)


def test_an_unknown_model_is_told_with_those_that_exist() -> None:
    with pytest.raises(WeightsError) as raised:
        manifest.model("resnet19")
    assert "'resnet19'" in sentence(raised) and "resnet18" in sentence(raised)


def test_the_weights_file_is_of_the_architecture_that_the_manifest_says() -> None:
    # Given: a safetensors file begins with the length of a JSON header
    entry = manifest.model("resnet18")
    with manifest.path(entry).open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        metadata = json.loads(stream.read(length))["__metadata__"]
    # Then
    assert metadata["architecture"] == entry.architecture


def test_the_model_card_shows_the_figures_of_the_manifest() -> None:
    text = (weights.FOLDER / release.CARD).read_text("utf-8")
    assert card.figures(manifest.model("resnet18")) in text


def test_a_release_brings_manifest_and_card_to_new_weights(folder: Path) -> None:
    # Given
    before = manifest.model("resnet18", folder)
    flip(manifest.path(before, folder), before.weights.bytes // 2)
    # When
    release.update(folder)
    # Then
    after = manifest.model("resnet18", folder)
    manifest.verify(folder=folder)
    assert after.weights.sha256 != before.weights.sha256
    assert after.weights.sha256 in (folder / release.CARD).read_text("utf-8")


def test_a_release_of_unchanged_files_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    release.update(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
