"""The network is torchvision's, with torchvision's normalisation inside."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from tagtray.config.errors import WeightsError
from tagtray.worker.networks import resnet
from tests import references, traces


def random_images(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (n, 224, 224, 3), dtype=np.uint8)


def test_probabilities_are_those_of_torchvision() -> None:
    # Given noise, a black image and a white one, whose borders differ most from padding
    images = np.concatenate([random_images(3), np.zeros((1, 224, 224, 3), np.uint8)])
    images = np.concatenate([images, np.full((1, 224, 224, 3), 255, np.uint8)])
    # When our network sees their bytes
    built = resnet.build(traces.WEIGHTS.read_bytes())
    with torch.inference_mode():
        softmax = built(torch.from_numpy(images).permute(0, 3, 1, 2)).softmax(1).numpy()
    # Then it says what torchvision says after its own transforms
    assert np.abs(softmax - references.probabilities(images)).max() <= 1e-4


def test_weights_lie_in_channels_last_and_in_full_precision() -> None:
    built = resnet.build(traces.WEIGHTS.read_bytes())
    kernels = [value for value in built.backbone.parameters() if value.dim() == 4]
    assert len(kernels) == 20
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    assert {value.dtype for value in built.parameters()} == {torch.float32}
    assert not built.training


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not safetensors",
        safetensors.torch.save({}),
        safetensors.torch.save({"fc.weight": torch.zeros(10, 512)}),
    ],
    ids=["empty", "garbage", "no tensors", "another network"],
)
def test_bytes_that_are_no_resnet18_are_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(
        WeightsError, match=r"^The weights file does not hold a ResNet-18 of 1,000 classes\.$"
    ):
        resnet.build(data)


def test_bf16_is_rounded_only_after_batch_norms_are_folded() -> None:
    # Given the same weights in both precisions
    data = traces.WEIGHTS.read_bytes()
    exact, rounded = resnet.build(data), resnet.build(data, torch.bfloat16)
    # Then those in bf16 are the others, rounded once
    for one, other in zip(exact.backbone.parameters(), rounded.backbone.parameters(), strict=True):
        assert torch.equal(one.bfloat16(), other)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in rounded.modules())
