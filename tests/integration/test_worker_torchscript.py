"""The trace is made once, by one process, and loaded only where its record vouches for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tagtray.config.errors import InfrastructureError, WeightsError
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


def start(home: Path) -> subprocess.Popen[str]:
    """Load the network in a fresh interpreter that turns warnings into errors."""
    command = [sys.executable, "-W", "error", "-c", LOAD, str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def change_a_byte(target: Path) -> None:
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)


def open_record_to_others(target: Path) -> None:
    target.with_suffix(".json").chmod(0o644)


def drop_record(target: Path) -> None:
    target.with_suffix(".json").unlink()


def record_nonsense(target: Path) -> None:
    target.with_suffix(".json").write_text("[]")


def record_half(target: Path) -> None:
    target.with_suffix(".json").write_text('{"sha256": "01')


def test_the_trace_and_its_record_are_private_and_agree() -> None:
    # Given a home that load() made
    target = torchscript.path(DEFAULT, networks.home("torch"))
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


def test_who_makes_a_trace_removes_those_of_former_weights_and_graphs_and_no_other(tmp_path: Path) -> None:
    # Given a cache with files of former weights, of a former graph, of another model and of this very one
    folder = tmp_path / "cache"
    folder.mkdir()
    name, key, graph = DEFAULT.name, DEFAULT.key, cache.GRAPH
    former = [f"{name}-{'0' * 12}-g{graph}-fp32.onnx", f"{name}-{key}-g{graph - 1}-int8-1a2b3c4d.json"]
    former += [f"{name}-{'0' * 12}-fp32-torch2.9.0-g2.{suffix}" for suffix in ("pt", "json", "lock")]
    others = [f"{name}-other-{'0' * 12}-g{graph}-fp32.onnx", f"{name}-{key}-g{graph}-fp32.onnx", "notes.txt"]
    for file in (*former, *others):
        (folder / file).touch()
    # When the trace is made
    torchscript.load(DEFAULT, tmp_path)
    # Then the former ones are gone
    left = {path.name for path in folder.iterdir()}
    target = torchscript.path(DEFAULT, tmp_path)
    assert left - set(others) == {target.with_suffix(end).name for end in (".pt", ".json", ".lock")}
    assert set(others) < left


def test_a_cached_trace_is_loaded_as_it_lies_there_and_without_torchvision() -> None:
    # Given a trace, when a fresh process loads it
    target = torchscript.path(DEFAULT, networks.home("torch"))
    process = start(networks.home("torch"))
    out, err = process.communicate(timeout=120)
    # Then it neither imports torchvision, nor warns, nor makes it anew
    assert (process.returncode, err) == (0, "")
    assert out.split() == ["False", str(target.stat().st_ino), str(target.stat().st_mtime_ns)]


def test_processes_that_start_at_once_make_the_trace_once(tmp_path: Path) -> None:
    # Given a home that does not exist, when several workers start
    processes = [start(tmp_path / "home") for _ in range(3)]
    ended = [(process.communicate(timeout=240), process.returncode) for process in processes]
    # Then one of them makes the trace, and all load it
    assert [code for _, code in ended] == [0, 0, 0], ended
    target = torchscript.path(DEFAULT, tmp_path / "home")
    assert sorted(err for (_, err), _ in ended) == ["", "", f"network_made: {target}.\n"]
    assert len({out for (out, _), _ in ended}) == 1


def test_a_damaged_trace_is_made_anew_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a trace with one changed byte, and what a killed process left
    networks.copied_to(tmp_path, "torch")
    target = torchscript.path(DEFAULT, tmp_path)
    change_a_byte(target)
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


@pytest.mark.parametrize(
    "damage", [change_a_byte, open_record_to_others, drop_record, record_nonsense, record_half]
)
def test_a_trace_that_no_record_vouches_for_is_not_loaded(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    # Given such a trace, and weights that are gone, so that none can be made anew
    networks.copied_to(tmp_path, "torch")
    damage(torchscript.path(DEFAULT, tmp_path))
    # When it is loaded, then nothing is
    gone = dataclasses.replace(DEFAULT, folder=tmp_path)
    with pytest.raises(WeightsError, match=r"^The network could not be prepared: .* is missing\.$"):
        torchscript.load(gone, tmp_path)


def test_a_disk_that_takes_no_trace_is_one_sentence(tmp_path: Path) -> None:
    # Given a process that may not write files as large as a trace
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    # When
    try:
        with pytest.raises(WeightsError, match=r"^The network could not be prepared: File too large\.$"):
            torchscript.load(DEFAULT, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    # Then nothing half-made is left
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_weights_with_another_hash_are_not_traced(tmp_path: Path) -> None:
    (tmp_path / DEFAULT.weights.name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"\.safetensors is damaged"):
        torchscript.load(dataclasses.replace(DEFAULT, folder=tmp_path), tmp_path)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(InfrastructureError, match=r"^The cache of the network cannot be used: "):
        torchscript.load(DEFAULT, home)


def test_batch_norms_are_folded_and_weights_lie_in_channels_last() -> None:
    # Given the file as it was saved
    target = torchscript.path(DEFAULT, networks.home("torch"))
    with pytest.warns(FutureWarning, match="torch.jit.load"):
        graph = torch.jit.load(str(target)).inlined_graph  # type: ignore[no-untyped-call]
    # Then only convolutions are left, with their weights channel by channel
    assert not any("batch_norm" in node.kind() for node in graph.nodes())
    constants = [node.output().toIValue() for node in graph.findAllNodes("prim::Constant")]
    kernels = [c for c in constants if isinstance(c, torch.Tensor) and c.dim() == 4 and len(c) > 1]
    assert len(kernels) == 20
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_a_trace_is_not_looked_for_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a current folder with somebody's own package of our name
    (tmp_path / "tagtray").mkdir()
    (tmp_path / "tagtray" / "__init__.py").write_text("raise SystemExit('wrong module')")
    monkeypatch.chdir(tmp_path)
    # When tracing fails for lack of weights, then it is our module that says so
    with pytest.raises(WeightsError, match="is missing"):
        torchscript.load(dataclasses.replace(DEFAULT, folder=tmp_path), tmp_path)
    lock = torchscript.path(DEFAULT, tmp_path).with_suffix(".lock")
    assert os.listdir(tmp_path / "cache") == [lock.name]
