"""Models, their manifests and their files: what is damaged is named in one sentence."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtray import weights
from tagtray.config.errors import UsageError, WeightsError
from tagtray.weights import files, manifest
from tagtray.weights.files import FileEntry
from tagtray.weights.model import InputSpec, Model
from tagtray.weights.store import ModelStore
from tests import models
from tests.models import DEFAULT
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
    return next(file for file in manifest.load(weights.FOLDER).every_file() if file.name == name)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def sentence(raised: pytest.ExceptionInfo[WeightsError]) -> str:
    message = str(raised.value)
    assert message.endswith(".") and "\n" not in message
    return message


def test_every_file_that_ships_is_what_the_manifest_says() -> None:
    elsewhere = [model for model in ModelStore().models() if model.package]
    assert ModelStore().verify() == len(release.shipped()) + len(elsewhere)


def test_the_manifest_covers_every_file_that_ships_once() -> None:
    names = [file.name for file in manifest.load(weights.FOLDER).every_file()]
    assert sorted(names) == [path.name for path in release.shipped()]


def test_no_other_data_lies_in_the_folder() -> None:
    code = {path for path in weights.FOLDER.iterdir() if path.suffix == ".py" or path.name == "__pycache__"}
    rest = set(weights.FOLDER.iterdir()) - code - {weights.FOLDER / manifest.MANIFEST}
    assert rest == set(release.shipped())


def test_the_wheel_carries_the_files_of_the_manifest() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["tagtray.weights"]
    assert tuple(patterns) == release.PATTERNS


def test_one_flipped_byte_of_the_weights_is_found(folder: Path) -> None:
    # Given: the size is right, one bit in the middle is not
    model = ModelStore([folder]).default
    flip(model.path(model.weights), model.weights.bytes // 2)
    # When / Then
    with pytest.raises(WeightsError) as raised:
        model.verify()
    assert str(model.path(model.weights)) in sentence(raised)
    with pytest.raises(WeightsError, match="SHA-256"):
        model.read(model.weights)
    with pytest.raises(WeightsError):
        ModelStore([folder]).verify()


@settings(max_examples=25)
@given(at=st.integers(0, entry_of(SMALL).bytes - 1))
def test_a_flipped_byte_anywhere_is_found(at: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("weights") / SMALL
    shutil.copy(weights.FOLDER / SMALL, copy)
    flip(copy, at)
    with pytest.raises(WeightsError, match="SHA-256"):
        files.verify(entry_of(SMALL), copy.parent)


def test_a_truncated_file_is_told_by_its_size(folder: Path) -> None:
    (folder / SMALL).write_bytes(b"half")
    with pytest.raises(WeightsError) as raised:
        ModelStore([folder]).verify()
    assert re.search(rf"{SMALL} is damaged: it has 4 bytes instead of \d+", sentence(raised))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / SMALL).unlink()
    with pytest.raises(WeightsError) as raised:
        files.verify(entry_of(SMALL), folder)
    assert f"{SMALL} is missing" in sentence(raised)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    # Given: a folder in the file's place, of just the size that is expected
    (tmp_path / SMALL).mkdir()
    expected = dataclasses.replace(entry_of(SMALL), bytes=(tmp_path / SMALL).stat().st_size)
    # When / Then
    with pytest.raises(WeightsError) as raised:
        files.verify(expected, tmp_path)
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


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"architecture": "vgg16"}, "there is no architecture 'vgg16'"),
        ({"input": {**DEFAULT.input.as_json(), "std": [0.2, 0, 0.2]}}, "std finite and above zero"),
        ({"input": {**DEFAULT.input.as_json(), "mean": [0.2, float("nan"), 0.2]}}, "mean has to be finite"),
        ({"input": {**DEFAULT.input.as_json(), "resize": 200}}, "resize is smaller than side"),
        ({"input": {**DEFAULT.input.as_json(), "side": 20}}, "models.0.input.side"),
        ({"thresholds": {"overall": 1.5}}, "models.0.thresholds.overall"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    change: dict[str, object], where: str, folder: Path
) -> None:
    source = folder / manifest.MANIFEST
    content = json.loads(source.read_bytes())
    content["models"][0] |= change
    source.write_text(json.dumps(content), "utf-8")
    with pytest.raises(WeightsError) as raised:
        ModelStore([folder])
    assert where in sentence(raised)


def test_a_model_of_an_unknown_label_set_is_told(folder: Path) -> None:
    source = folder / manifest.MANIFEST
    content = json.loads(source.read_bytes())
    content["models"][0]["label_set"] = "imagenet-22k"
    source.write_text(json.dumps(content), "utf-8")
    with pytest.raises(WeightsError) as raised:
        ModelStore([folder]).models()
    assert "no label set 'imagenet-22k'" in sentence(raised)


def test_an_unknown_model_is_told_with_those_that_exist() -> None:
    with pytest.raises(WeightsError) as raised:
        ModelStore().model("resnet19")
    assert "'resnet19'" in sentence(raised) and DEFAULT.name in sentence(raised)


def test_a_model_with_other_weights_than_those_asked_for_is_told() -> None:
    assert ModelStore().model(DEFAULT.name, DEFAULT.weights.sha256) == DEFAULT
    with pytest.raises(WeightsError) as raised:
        ModelStore().model(DEFAULT.name, "0" * 64)
    said = sentence(raised)
    assert DEFAULT.weights.sha256[:12] in said and "0" * 12 in said and f"weights use {DEFAULT.name}" in said


def test_the_users_models_come_after_those_that_ship(tmp_path: Path) -> None:
    mine = models.add(tmp_path)
    assert ModelStore.of(tmp_path).models() == (*ModelStore().models(), mine)
    assert ModelStore.of(tmp_path).default == DEFAULT
    assert ModelStore.of(tmp_path).verify() == ModelStore().verify() + 2


def test_a_model_of_words_alone_knows_its_classes(tmp_path: Path) -> None:
    mine = models.add(tmp_path)
    assert (mine.classes, mine.labels.categories) == (len(models.COLOURS), ())
    assert [label.name for label in mine.labels.labels] == list(models.COLOURS)
    assert mine.input == models.OTHER_INPUT
    assert (mine.ranges, mine.reference, mine.accuracy) == (None, None, None)


def test_a_name_that_is_taken_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for name in (DEFAULT.name, "twice"):
        if name == "twice":
            models.add(tmp_path, name)
        with pytest.raises(UsageError, match=f"^There is a model '{name}' already; choose another name"):
            models.add(tmp_path, name)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["twice"]


@pytest.mark.parametrize("name", ["", "../x", "Big", "a b", "x" * 65])
def test_a_name_that_is_no_name_is_refused_and_nothing_is_left(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^name=.* is not accepted: "):
        models.add(tmp_path, name)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_model_goes_to_another_process_as_json(tmp_path: Path) -> None:
    for model in (DEFAULT, models.add(tmp_path)):
        assert Model.from_json(model.to_json()) == model


def test_the_key_of_a_model_is_that_of_its_network_and_input(tmp_path: Path) -> None:
    # Given the same weights under two names
    one, other = models.add(tmp_path, "one"), models.add(tmp_path, "other")
    # Then the key is the same, until the weights or the input change
    assert one.key == other.key
    assert models.add(tmp_path, "third", seed=1).key != one.key
    spec = dataclasses.replace(one.input, interpolation="bilinear")
    assert dataclasses.replace(one, input=spec).key != one.key


def test_an_input_is_as_it_stands_in_json() -> None:
    assert InputSpec(**json.loads(json.dumps(DEFAULT.input.as_json()))).as_json() == DEFAULT.input.as_json()


def test_the_model_card_shows_the_figures_of_every_model() -> None:
    text = (weights.FOLDER / release.CARD).read_text("utf-8")
    assert all(card.figures(model) in text for model in ModelStore().models() if not model.package)


def test_a_release_brings_manifest_and_card_to_new_weights(folder: Path) -> None:
    # Given
    before = ModelStore([folder]).default
    flip(before.path(before.weights), before.weights.bytes // 2)
    # When
    release.update(folder)
    # Then
    after = ModelStore([folder]).default
    ModelStore([folder]).verify()
    assert after.weights.sha256 != before.weights.sha256
    assert after.weights.sha256 in (folder / release.CARD).read_text("utf-8")


def test_a_release_of_unchanged_files_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    release.update(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
