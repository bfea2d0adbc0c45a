"""The ONNX file: the network in fp32, in int8 with the ranges that ship, and for other programs."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from tagtray.config.errors import UsageError, WeightsError
from tagtray.weights import files
from tagtray.worker.networks import (
    activation_ranges,
    export,
    onnx_graph,
    onnx_layers,
    onnx_variants,
    quantize,
)
from tagtray.worker.networks.onnx_variants import Form
from tests import references
from tests.models import DEFAULT, SHAPE

FORMS = [Form("fp32"), Form("int8"), Form("int8", sums=True)]


@functools.cache
def built(form: Form) -> onnx.ModelProto:
    """The default model's network, which no test changes."""
    return onnx_graph.build(DEFAULT, form, activation_ranges.load(DEFAULT))


def kernels(network: onnx.ModelProto) -> list[NDArray[np.int8]]:
    """The int8 weights of all convolutions."""
    tensors = network.graph.initializer
    return [numpy_helper.to_array(tensor) for tensor in tensors if tensor.name.endswith(".weight.int8")]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_is_valid_and_has_one_input_and_two_outputs(form: Form) -> None:
    network = built(form)
    onnx.checker.check_model(network, full_check=True)
    assert [tensor.name for tensor in network.graph.input] == [onnx_graph.PIXELS]
    assert [tensor.name for tensor in network.graph.output] == [onnx_graph.LOGITS, onnx_graph.FEATURES]
    assert not any(node.op_type == "BatchNormalization" for node in network.graph.node)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_name_of_a_form_is_read_back(form: Form) -> None:
    assert onnx_variants.parse(str(form)) == form


def test_convolutions_are_int8_but_those_that_cost_the_most_agreement() -> None:
    names = {conv.name for conv in DEFAULT.network.convs()}
    assert len(kernels(built(Form("int8")))) == 20 - len(onnx_layers.FLOAT & names)
    assert len(kernels(built(Form("int8", sums=True)))) == 20 - len(onnx_layers.FLOAT_SUMS & names)
    assert kernels(built(Form("fp32"))) == []


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_block_adds_its_source_as_it_was_before_rounding(form: Form) -> None:
    additions = {node.name: list(node.input) for node in built(form).graph.node if node.op_type == "Add"}
    assert additions["layer2.1.sum"][1] == "layer2.0.out"


def test_neighbouring_weights_never_overflow_16_bits() -> None:
    for weight in kernels(built(Form("int8"))):
        one, other = weight[:, 0::2].astype(int), weight[:, 1::2].astype(int)
        assert (one * 255 + other * 255).max() < 2**15
        assert (one * 255 + other * 255).min() >= -(2**15)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(4, 2, 7, 7), (5, 8, 3, 3), (6, 4, 1, 1)]))
def test_rounding_keeps_the_sum_of_every_output_channel(seed: int, shape: tuple[int, int, int, int]) -> None:
    # Given weights of any scale
    generator = np.random.default_rng(seed)
    weight = generator.normal(scale=generator.uniform(1e-3, 10), size=shape).astype(np.float32)
    # When they are quantized
    steps, scale = quantize.quantize(weight)
    # Then each is at most two steps off, and their sum at most one half, but where 127 is the end
    exact = weight / scale[:, None, None, None]
    assert np.abs(steps - exact).max() <= 2
    inside = np.abs(steps).max(axis=(1, 2, 3)) < quantize.WEIGHT_MAX
    assert np.abs((steps - exact).sum(axis=(1, 2, 3)))[inside].max(initial=0) <= 0.51


def test_ranges_are_of_these_weights_and_of_every_tensor_that_int8_rounds() -> None:
    # Given the file beside the weights
    limits = activation_ranges.load(DEFAULT)
    # Then it has what the int8 networks need, and nothing else
    nodes = [node for form in FORMS for node in built(form).graph.node]
    assert set(limits) == {node.input[0] for node in nodes if node.op_type == "QuantizeLinear"}
    assert all(low <= 0 < high for low, high in limits.values())


def test_ranges_of_other_weights_are_refused(tmp_path: Path) -> None:
    # Given a folder whose ranges were measured with other weights
    assert DEFAULT.ranges
    content = json.loads(DEFAULT.read(DEFAULT.ranges)) | {"weights_sha256": "0" * 64}
    target = tmp_path / DEFAULT.ranges.name
    target.write_text(json.dumps(content))
    model = dataclasses.replace(DEFAULT, ranges=files.digest(target), folder=tmp_path)
    # When they are loaded, then a sentence says so
    with pytest.raises(WeightsError, match="was measured with other weights"):
        activation_ranges.load(model)


def test_a_model_without_ranges_has_no_int8() -> None:
    model = dataclasses.replace(DEFAULT, ranges=None)
    with pytest.raises(WeightsError, match=f"^The model '{DEFAULT.name}' has no ranges .* int8 needs"):
        activation_ranges.load(model)


def test_an_exported_file_tells_other_programs_all_they_need(tmp_path: Path) -> None:
    # Given an exported file and pixels
    target = tmp_path / "tagtray.onnx"
    export.export(DEFAULT, target)
    pixels = np.random.default_rng(5).integers(0, 256, (2, *SHAPE), dtype=np.uint8)
    # When ONNX Runtime runs it
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    logits, features, probabilities = session.run(None, {"pixels": pixels})
    # Then it gives torchvision's probabilities, and its labels are ours
    assert logits.shape == (2, DEFAULT.classes)
    assert features.shape == (2, DEFAULT.network.features)
    assert np.abs(probabilities - references.probabilities(pixels)).max() <= 1e-4
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["labels"]) == [label.name for label in DEFAULT.labels.labels]
    assert properties["weights_sha256"] == DEFAULT.weights.sha256


def test_an_export_into_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none/tagtray\.onnx cannot be written: No such file"):
        export.export(DEFAULT, tmp_path / "none" / "tagtray.onnx")
