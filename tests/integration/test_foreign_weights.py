"""Weights from elsewhere: files of safetensors and of PyTorch, read without running what is in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
import torch
from torchvision.models import resnet34  # type: ignore[import-untyped]

from tagtray.config.errors import UsageError, WeightsError
from tagtray.worker.networks import foreign
from tests import models

CLASSES = len(models.COLOURS)


def tensors(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in models.state().items()} | changes


def saved(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "weights.pth")
    return folder / "weights.pth"


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def test_a_safetensors_file_is_taken_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "w.safetensors"
    safetensors.numpy.save_file(models.state("resnet20"), source)
    found = foreign.read(source)
    assert (found.architecture, found.classes) == ("resnet20", CLASSES)
    assert found.content == source.read_bytes()


def test_a_file_of_torchvision_is_read_with_its_architecture_and_classes(tmp_path: Path) -> None:
    found = foreign.read(saved(resnet34(num_classes=5).state_dict(), tmp_path))
    assert (found.architecture, found.classes) == ("resnet34", 5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_numbers_that_other_libraries_do_not_read_become_single_precision(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    found = foreign.read(saved({key: value.to(dtype) for key, value in tensors().items()}, tmp_path))
    state = safetensors.numpy.load(found.content)
    assert {value.dtype.name for value in state.values()} == {"float32"}


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    shared = torch.zeros(64)
    content = tensors(**{"bn1.bias": shared, "bn1.running_mean": shared})
    assert foreign.read(saved(content, tmp_path)).classes == CLASSES


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="holds no weights that PyTorch reads without running code"):
        foreign.read(saved({"fc.weight": Evil()}, tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"state_dict": {}, "epoch": 3}, "is no state dict: it holds other things than tensors"),
        (torch.zeros(3), "is no state dict"),
        ({"weight": torch.zeros(3)}, "is of none of the architectures that can be run: resnet18, "),
    ],
)
def test_what_is_no_network_of_ours_is_a_sentence(content: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        foreign.read(saved(content, tmp_path))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_file_of_garbage_and_one_that_is_not_there_are_sentences(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{name} cannot be read: No such file"):
        foreign.read(tmp_path / name)
    (tmp_path / name).write_bytes(b"garbage")
    with pytest.raises(UsageError, match=rf"{name} (is no safetensors file|holds no weights)"):
        foreign.read(tmp_path / name)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_truncated_file_is_a_sentence(share: float, tmp_path: Path) -> None:
    # Given a copy of weights in either format that broke off
    whole = saved(tensors(), tmp_path)
    safetensors.numpy.save_file(models.state(), tmp_path / "w.safetensors")
    for file in (whole, tmp_path / "w.safetensors"):
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * share)])
        # When it is read, then a sentence names it
        with pytest.raises(UsageError, match=rf"{file.name} (is no safetensors file|holds no weights)"):
            foreign.read(file)


def test_the_architecture_that_was_asked_for_is_the_one_that_has_to_fit(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"not those of a resnet34 of 7 classes: layer1\.2\.conv1\.weight is missing"
    ):
        foreign.read(saved(tensors(), tmp_path), "resnet34")
    with pytest.raises(UsageError, match="none of the architectures"):
        foreign.read(saved(tensors(), tmp_path), "vgg16")


def test_weights_without_a_classifier_are_a_sentence(tmp_path: Path) -> None:
    state = tensors()
    del state["fc.weight"]
    with pytest.raises(WeightsError, match=r"has no classifier: fc\.weight is missing"):
        foreign.read(saved(state, tmp_path))
