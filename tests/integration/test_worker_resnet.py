"""The network is torchvision's, with torchvision's normalisation inside."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models import ResNet18_Weights  # type: ignore[import-untyped]

from tagtray.worker.networks import eager
from tests import references
from tests.models import DEFAULT, SHAPE


def random_images(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (n, *SHAPE), dtype=np.uint8)


def test_probabilities_are_those_of_torchvision() -> None:
    # Given noise, a black image and a white one, whose borders differ most from padding
    images = np.concatenate([random_images(3), np.zeros((1, *SHAPE), np.uint8)])
    images = np.concatenate([images, np.full((1, *SHAPE), 255, np.uint8)])
    # When our network sees their bytes
    built = eager.build(DEFAULT)
    with torch.inference_mode():
        logits, _ = built(torch.from_numpy(images).permute(0, 3, 1, 2))
        softmax = logits.softmax(1).numpy()
    # Then it says what torchvision says after its own transforms
    assert np.abs(softmax - references.probabilities(images)).max() <= 1e-4


def test_names_of_classes_and_their_order_are_torchvisions() -> None:
    names = [label.name for label in DEFAULT.labels.labels]
    assert names == ResNet18_Weights.IMAGENET1K_V1.meta["categories"]


def test_weights_lie_in_channels_last_and_in_full_precision() -> None:
    built = eager.build(DEFAULT)
    kernels = [value for value in built.backbone.parameters() if value.dim() == 4]
    assert len(kernels) == 20
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    assert {value.dtype for value in built.parameters()} == {torch.float32}
    assert not built.training


def test_bf16_is_rounded_only_after_batch_norms_are_folded() -> None:
    # Given the same weights in both precisions
    exact, rounded = eager.build(DEFAULT), eager.build(DEFAULT, torch.bfloat16)
    # Then those in bf16 are the others, rounded once
    for one, other in zip(exact.parameters(), rounded.parameters(), strict=True):
        assert torch.equal(one.bfloat16(), other)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in rounded.modules())
