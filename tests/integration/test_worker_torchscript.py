"""The trace: what is in it, and that it is loaded as it lies in the cache, or made anew."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tagtray.config.errors import WeightsError
from tagtray.worker.networks import cache, torchscript
from tests import networks
from tests.models import DEFAULT, SPEC

LOAD = """
import logging, sys
from pathlib import Path
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import torchscript
logging.basicConfig(level=logging.INFO, format="%(message)s")
home, model = Path(sys.argv[1]), ModelStore().default
torchscript.load(model, home)
status = torchscript.path(model, home).stat()
print("torchvision" in sys.modules, status.st_ino, status.st_mtime_ns)
"""


def test_the_trace_and_its_record_are_private_and_agree() -> None:
    # Given a home that load() made
    target = torchscript.path(DEFAULT, networks.home(networks.TRACE))
    record = target.with_suffix(".json")
    # Then nobody else can write there, and the record is the file's hash
    assert target.parent.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in (target, record)] == [0o600, 0o600]
    assert json.loads(record.read_text()) == {"sha256": hashlib.sha256(target.read_bytes()).hexdigest()}


def test_the_name_tells_model_graph_precision_and_torch() -> None:
    version = torch.__version__.partition("+")[0]
    assert torchscript.path(DEFAULT, Path("home"), "bf16") == Path(
        f"home/cache/{DEFAULT.name}-{DEFAULT.key}-g{cache.GRAPH}-bf16-torch{version}.pt"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "resnet34"},
        {"weights": dataclasses.replace(DEFAULT.weights, sha256="0" * 64)},
        {"input": dataclasses.replace(DEFAULT.input, mean=(0.5, 0.5, 0.5))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_network_has_another_name(change: dict[str, Any]) -> None:
    other = dataclasses.replace(DEFAULT, **change)
    assert torchscript.path(other, Path()) != torchscript.path(DEFAULT, Path())


def test_a_cached_trace_is_loaded_as_it_lies_there_and_without_torchvision() -> None:
    # Given a trace, when a fresh process loads it
    target = torchscript.path(DEFAULT, networks.home(networks.TRACE))
    command = [sys.executable, "-W", "error", "-c", LOAD, str(networks.home(networks.TRACE))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    # Then it neither imports torchvision, nor warns, nor makes it anew
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["False", str(target.stat().st_ino), str(target.stat().st_mtime_ns)]


def test_a_damaged_trace_is_made_anew_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a trace with one changed byte, and what a killed process left
    networks.copied_to(tmp_path, networks.TRACE)
    target = torchscript.path(DEFAULT, tmp_path)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    left = target.with_name(f".{target.name}.x1y2z3")
    left.write_bytes(b"half a trace")
    # When it is loaded
    module = torchscript.load(DEFAULT, tmp_path)
    # Then it works, the user is told once, and the leftovers are gone
    logits, features = module(torch.zeros(1, 3, SPEC.side, SPEC.side, dtype=torch.uint8))
    assert (logits.shape, features.shape) == ((1, DEFAULT.classes), (1, DEFAULT.network.features))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith(
        f"network_renewed: {target} is not the file that its record describes"
    )
    assert not left.exists()


def test_weights_with_another_hash_are_not_traced(tmp_path: Path) -> None:
    (tmp_path / DEFAULT.weights.name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"\.safetensors is damaged"):
        torchscript.load(dataclasses.replace(DEFAULT, folder=tmp_path), tmp_path)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_batch_norms_are_folded_and_weights_lie_in_channels_last() -> None:
    # Given the file as it was saved
    target = torchscript.path(DEFAULT, networks.home(networks.TRACE))
    with pytest.warns(FutureWarning, match="torch.jit.load"):
        graph = torch.jit.load(str(target)).inlined_graph  # type: ignore[no-untyped-call]
    # Then only convolutions are left, with their weights channel by channel
    assert not any("batch_norm" in node.kind() for node in graph.nodes())
    constants = [node.output().toIValue() for node in graph.findAllNodes("prim::Constant")]
    kernels = [c for c in constants if isinstance(c, torch.Tensor) and c.dim() == 4 and len(c) > 1]
    assert len(kernels) == 20
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
