"""``tagtray weights fetch``: torchvision's loader, and servers with a file, with another one, or none."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from tagtray.app import weights
from tagtray.cli import main
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.weights.architectures import ARCHITECTURES, OFFICIAL
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import official
from tagtray.worker.networks.official import Official
from tests import models
from tests.models import DEFAULT

#: An address where nobody answers: the port of the discard protocol.
NOWHERE = "http://127.0.0.1:9"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the URL that it is served under."""
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def content() -> bytes:
    """Weights of a ResNet-18 with the classes of the default model, as ``torch.save`` writes them."""
    file = io.BytesIO()
    state = models.state(classes=DEFAULT.classes)
    torch.save({key: torch.from_numpy(value) for key, value in state.items()}, file)
    return file.getvalue()


def test_a_file_is_fetched_and_added_as_a_model(
    server: tuple[Path, str], host: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server with a file whose name says its hash
    folder, url = server
    data = content()
    name = f"resnet18-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(data)
    monkeypatch.setattr(official, "of", lambda _: Official(f"{url}/{name}", DEFAULT.input))
    # When it is fetched
    model = weights.fetch(host, "resnet18")
    # Then it is a model with the classes of the default one, and fetching it again is refused
    assert (model.name, model.label_set) == ("torchvision-resnet18", DEFAULT.label_set)
    with pytest.raises(UsageError, match="There is a model 'torchvision-resnet18' already"):
        weights.fetch(host, "resnet18")


def test_another_file_than_its_name_says_is_refused(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = server
    (folder / "resnet18-00000000.pth").write_bytes(content())
    with pytest.raises(InfrastructureError, match="is not the file with that hash"):
        official.fetch(Official(f"{url}/resnet18-00000000.pth", DEFAULT.input), tmp_path)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("resnet18", "weights add resnet18-f37072fd.pth --name torchvision-resnet18\n"),
        ("resnet50", "weights add resnet50-11ad3fa6.pth --name torchvision-resnet50 --resize 232\n"),
    ],
)
def test_without_a_network_a_sentence_says_which_file_to_bring(
    name: str,
    command: str,
    host: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given a host from which no server can be reached
    monkeypatch.setenv("TAGTRAY_HOME", str(host.home))
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, NOWHERE)
    # When weights are to be fetched, then one sentence says what to bring, and how to add it
    assert main.invoke(["weights", "fetch", name]) == 1
    said = capsys.readouterr().err
    file = official.of(name).file
    assert said.startswith(f"tagtray: https://download.pytorch.org/models/{file} cannot be fetched (")
    assert f"; bring {file} (its SHA-256 begins with {file[9:17]}) and say: tagtray {command}" in said
    assert said.count("\n") == 1
    assert ModelStore.of(host.home).models() == ModelStore().models()


def test_weights_that_torchvision_does_not_have_are_a_sentence(host: Settings) -> None:
    with pytest.raises(UsageError, match="torchvision has no weights of 'vgg16'; it has resnet18, "):
        weights.fetch(host, "vgg16")


@pytest.mark.parametrize("architecture", OFFICIAL)
def test_what_torchvision_publishes_names_its_hash_and_its_preprocessing(architecture: str) -> None:
    found = official.of(architecture)
    assert architecture in ARCHITECTURES
    assert found.file == f"{architecture}-{found.digits}.pth" and len(found.digits) == 8
    assert (found.spec.side, found.spec.mean, found.spec.std) == (224, DEFAULT.input.mean, DEFAULT.input.std)
