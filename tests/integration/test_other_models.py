"""Models other than the default: another network, input and set of classes, the same answers everywhere."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from tagtray.weights.architectures import ARCHITECTURES, recognise
from tagtray.weights.model import Model
from tagtray.worker.engines import rollup, selection
from tagtray.worker.engines.classifier import Scores
from tagtray.worker.engines.selection import Choice
from tagtray.worker.networks import eager, onnx_graph
from tagtray.worker.networks.onnx_variants import Form
from tests import models, references

COUNT = 3


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tagtray-models-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def colours(home: Path) -> Model:
    return models.add(home)


@pytest.fixture(scope="module")
def of(home: Path) -> Callable[[str], Model]:
    """The model of an architecture, made with the first test that asks for it."""
    return functools.cache(lambda name: models.add(home, f"of-{name}", name))


def answers(choice: Choice, model: Model, home: Path) -> Scores:
    """What an engine says of made-up pictures."""
    made = selection.load(choice, model, home, rollup.load(model), COUNT, 1)
    made.slots[:] = models.images(model.input, COUNT)
    return made.classify(COUNT)


def full(scores: Scores, model: Model) -> NDArray[np.float32]:
    """The Top-3 as a softmax (n, classes) with nothing elsewhere."""
    found = np.zeros((len(scores), model.classes), np.float32)
    np.put_along_axis(found, scores.top_index, scores.top_score, 1)
    return found


@pytest.mark.parametrize("engine", selection.installed())
def test_a_network_of_seven_classes_answers_as_torchvision_says(
    engine: str, colours: Model, home: Path
) -> None:
    # Given a model with classes, mean, std and side of its own
    expected = references.probabilities(models.images(colours.input, COUNT), colours)
    # When an engine runs it in fp32
    scores = answers(Choice(engine, "fp32"), colours, home)
    # Then its probabilities are torchvision's, and there are no tags
    best = np.sort(expected, axis=1)[:, :-4:-1]
    assert np.abs(scores.top_score - best).max() <= 1e-4
    assert np.abs(np.take_along_axis(expected, scores.top_index, 1) - best).max() <= 1e-4
    assert scores.tag_scores.shape == (COUNT, 0)


def test_features_are_what_the_last_layer_reads(colours: Model, home: Path) -> None:
    # Given features, and the last layer's weights
    features = answers(Choice("torch", "fp32"), colours, home).features.astype(np.float32)
    state = models.state()
    # When the layer is applied to them
    logits = features @ state["fc.weight"].T + state["fc.bias"]
    # Then its answers are the network's
    scores = full(answers(Choice("torch", "fp32"), colours, home), colours)
    assert (logits.argmax(axis=1) == scores.argmax(axis=1)).all()


def test_a_feature_beyond_half_precision_is_its_largest_number(home: Path, colours: Model) -> None:
    made = selection.load(Choice("torch", "fp32"), colours, home, rollup.load(colours), 1, 1)
    vars(made)["_infer"] = lambda _: vars(made)["_features"].fill(1e6)
    assert made.classify(1).features.max() == np.finfo(np.float16).max


def test_two_classes_make_a_top_two(home: Path) -> None:
    # Given a model of two classes
    two = models.add(home, "two", classes=2)
    # When it is run, then both come, the better one first
    scores = answers(Choice("onnx", "fp32"), two, home)
    assert scores.top_index.shape == scores.top_score.shape == (COUNT, 2)
    assert np.abs(scores.top_score.sum(axis=1) - 1).max() < 1e-5
    assert (np.diff(scores.top_score) <= 0).all()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_table_of_architectures_is_that_of_their_makers(name: str) -> None:
    network = ARCHITECTURES[name]
    with torch.device("meta"):
        theirs = references.bare(name, 5)
    shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items() if value.dim()}
    assert dict(network.shapes(5)) == shapes
    last = theirs.get_submodule(network.classifier)
    assert network.features == last.in_features
    norms = [module for module in theirs.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {network.epsilon}
    assert recognise(shapes) == name


@pytest.mark.parametrize("name", ["resnet20", "resnet50", "efficientnet-lite0"])
def test_both_builders_make_the_same_network_of_an_architecture(
    name: str, of: Callable[[str], Model]
) -> None:
    # Given a model of another architecture
    model = of(name)
    pictures = models.images(model.input, 1)
    # When torch and ONNX Runtime run what is built of it
    with torch.inference_mode():
        logits, features = eager.build(model)(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    found = _run(onnx_graph.build(model, Form("fp32")), pictures)
    # Then they agree with its makers and with each other
    softmax = logits.softmax(1).numpy()
    assert np.abs(softmax - references.probabilities(pictures, model)).max() <= 1e-4
    for ours, theirs in zip(found, (logits, features), strict=True):
        assert np.abs(ours - theirs.numpy()).max() <= 1e-3 * np.abs(ours).max()


@pytest.mark.parametrize("name", ["resnet50", "efficientnet-lite0"])
def test_the_int8_graph_of_other_blocks_is_valid(name: str, of: Callable[[str], Model]) -> None:
    model = of(name)
    ranges = dict.fromkeys(_tensors(onnx_graph.build(model, Form("fp32"))), (0.0, 1.0))
    for sums in (False, True):
        onnx.checker.check_model(onnx_graph.build(model, Form("int8", sums), ranges), full_check=True)


def _run(network: onnx.ModelProto, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[NDArray[np.float32]] = session.run(None, {onnx_graph.PIXELS: pictures})
    return found


def _tensors(network: onnx.ModelProto) -> list[str]:
    return [node.output[0] for node in network.graph.node]
