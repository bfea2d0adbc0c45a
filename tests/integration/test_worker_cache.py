"""What is made once of a model: by one process, and used only where its record vouches for it."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tagtray.config.errors import InfrastructureError, WeightsError
from tagtray.worker.networks import cache, onnx_variants
from tagtray.worker.networks.onnx_variants import Form
from tests.models import DEFAULT

#: What these tests have made: a network that takes no torch.
FORM = Form("fp32")
#: A module that makes nothing, as there is none of this name.
NOWHERE = "tagtray.nowhere"

OPEN = """
import logging, os, sys
from pathlib import Path
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import onnx_variants
logging.basicConfig(level=logging.INFO, format="%(message)s")
with onnx_variants.opened(ModelStore().default, onnx_variants.Form("fp32"), Path(sys.argv[1])) as file:
    status = os.fstat(file.fileno())
print(status.st_ino, status.st_mtime_ns)
"""


def open_network(home: Path) -> None:
    onnx_variants.opened(DEFAULT, FORM, home).close()


def change_a_byte(target: Path) -> None:
    target.write_bytes(b"A network")


def open_record_to_others(target: Path) -> None:
    target.with_suffix(".json").chmod(0o644)


def drop_record(target: Path) -> None:
    target.with_suffix(".json").unlink()


def record_nonsense(target: Path) -> None:
    target.with_suffix(".json").write_text("[]")


def record_half(target: Path) -> None:
    target.with_suffix(".json").write_text('{"sha256": "01')


def test_who_makes_a_file_removes_those_of_former_weights_and_graphs_and_no_other(tmp_path: Path) -> None:
    # Given a cache with files of former weights, of a former graph, of another model and of this very one
    folder = tmp_path / "cache"
    folder.mkdir()
    name, key, graph = DEFAULT.name, DEFAULT.key, cache.GRAPH
    former = [f"{name}-{'0' * 12}-g{graph}-fp32.onnx", f"{name}-{key}-g{graph - 1}-int8-1a2b3c4d.json"]
    former += [f"{name}-{'0' * 12}-fp32-torch2.9.0-g2.{suffix}" for suffix in ("pt", "json", "lock")]
    others = [f"{name}-other-{'0' * 12}-g{graph}-fp32.onnx", f"{name}-{key}-g{graph}-int8.onnx", "notes.txt"]
    for file in (*former, *others):
        (folder / file).touch()
    # When one is made
    open_network(tmp_path)
    # Then the former ones are gone
    left = {path.name for path in folder.iterdir()}
    target = onnx_variants.path(DEFAULT, FORM, tmp_path)
    assert left - set(others) == {target.with_suffix(end).name for end in (".onnx", ".json", ".lock")}
    assert set(others) < left


def test_processes_that_start_at_once_make_a_file_once(tmp_path: Path) -> None:
    # Given a home that does not exist, when several workers start
    line = [sys.executable, "-W", "error", "-c", OPEN, str(tmp_path / "home")]
    processes = [
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ended = [(process.communicate(), process.returncode) for process in processes]
    # Then one of them makes the file, and all open it
    assert [code for _, code in ended] == [0, 0, 0], ended
    target = onnx_variants.path(DEFAULT, FORM, tmp_path / "home")
    assert sorted(err for (_, err), _ in ended) == ["", "", f"network_made: {target}.\n"]
    assert len({out for (out, _), _ in ended}) == 1


@pytest.mark.parametrize(
    "damage", [change_a_byte, open_record_to_others, drop_record, record_nonsense, record_half]
)
def test_a_file_that_no_record_vouches_for_is_not_opened(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    # Given a file that is opened as it lies there
    target = cache.path(tmp_path, DEFAULT, "form", ".pt")
    target.parent.mkdir()
    cache.keep(target, b"a network")
    with cache.opened(target, DEFAULT, NOWHERE, "form") as file:
        assert file.read() == b"a network"
    # When it or its record is damaged, and it cannot be made anew
    damage(target)
    # Then nothing is opened
    with pytest.raises(WeightsError, match=f"^The network could not be prepared: .* {NOWHERE}$"):
        cache.opened(target, DEFAULT, NOWHERE, "form")


def test_a_disk_that_takes_no_file_is_one_sentence(tmp_path: Path) -> None:
    # Given a process that may not write files as large as a network
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    # When
    try:
        with pytest.raises(WeightsError, match=r"^The network could not be prepared: File too large\.$"):
            open_network(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    # Then nothing half-made is left
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(InfrastructureError, match=r"^The cache of the network cannot be used: "):
        open_network(home)


def test_what_makes_it_is_not_looked_for_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a current folder with somebody's own package of our name
    (tmp_path / "tagtray").mkdir()
    (tmp_path / "tagtray" / "__init__.py").write_text("raise SystemExit('wrong module')")
    monkeypatch.chdir(tmp_path)
    # When a file is made, then it is our module that makes it
    open_network(tmp_path)
    assert onnx_variants.path(DEFAULT, FORM, tmp_path).exists()
