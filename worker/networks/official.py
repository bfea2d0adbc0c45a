"""The weights that torchvision publishes of its ResNets: where they are, and how they are fetched."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch

from tagtray.config.errors import InfrastructureError
from tagtray.weights.model import InputSpec


@dataclass(frozen=True, slots=True)
class Official:
    """A file that torchvision publishes; its name holds the first digits of its SHA-256."""

    url: str
    spec: InputSpec

    @property
    def file(self) -> str:
        """Its name."""
        return Path(urlsplit(self.url).path).name

    @property
    def digits(self) -> str:
        """The first hex digits of its SHA-256, as its name says."""
        return Path(self.file).stem.rpartition("-")[2]


def of(architecture: str) -> Official:
    """The newest weights of an architecture of torchvision's, with the input they were measured with."""
    # Here, not above: torchvision takes a second, and nothing else of the module needs it.
    from torchvision.models import get_model_weights  # type: ignore[import-untyped]

    weights = get_model_weights(architecture).DEFAULT
    how = weights.transforms()
    spec = InputSpec(
        resize=how.resize_size[0],
        side=how.crop_size[0],
        interpolation=how.interpolation.value,
        mean=tuple(how.mean),
        std=tuple(how.std),
    )
    return Official(weights.url, spec)


def fetch(official: Official, folder: Path) -> Path:
    """Load a file into ``folder`` as torchvision does and compare it with its hash; return where it lies.

    Raises InfrastructureError where it cannot be had or is another one.
    """
    try:
        torch.hub.load_state_dict_from_url(
            official.url,
            model_dir=os.fspath(folder),
            map_location="cpu",
            progress=sys.stderr.isatty(),
            check_hash=True,
            weights_only=True,
        )
    except OSError as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or reason
        raise InfrastructureError(f"{official.url} cannot be fetched ({why})") from error
    except RuntimeError as error:
        raise InfrastructureError(f"{official.url} is not the file with that hash") from error
    return folder / official.file
