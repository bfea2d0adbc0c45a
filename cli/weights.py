"""``tagtray weights``: the models that ship, their hashes, their traces."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.config.errors import UsageError
from tagtray.config.text import shown
from tagtray.weights import manifest

app = typer.Typer(help="The models: list, verify, trace, export.", no_args_is_help=True)


@app.command("list")
def list_models(json: options.Json = False) -> None:
    """List the models that ship."""
    startup.load()
    columns = ["name", "architecture", "label_set", "bytes", "sha256", "date", "licence", "file"]
    found: list[list[Any]] = [
        [
            entry.name,
            entry.architecture,
            entry.label_set,
            entry.weights.bytes,
            entry.weights.sha256,
            entry.date,
            entry.licence,
            str(manifest.path(entry)),
        ]
        for entry in manifest.load().models
    ]
    if not json:
        columns, found = columns[:-1], [[*row[:4], row[4][:12], *row[5:-1]] for row in found]
    output.rows(columns, found, Format.JSON if json else Format.TABLE)


@app.command()
def verify() -> None:
    """Hold every file that ships with the models against its SHA-256."""
    startup.load()
    manifest.verify()
    print(f"All {len(manifest.load().every_file())} files are what the manifest says.")


@app.command()
def trace() -> None:
    """Make PyTorch's file of the network (TorchScript, fp32) now, so that its first run need not."""
    settings = startup.load()
    # Here, not above: PyTorch takes seconds, and no other command of this module needs it.
    from tagtray.worker.networks import torchscript

    entry = bootstrap.model()
    began = time.monotonic()
    torchscript.load(manifest.path(entry), entry.weights.sha256, settings.home)
    file = settings.home / "cache" / torchscript.name(entry.weights.sha256)
    print(f"{shown(file)} is ready ({time.monotonic() - began:.1f} s).")


@app.command()
def export(
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write.", show_default=False)],
) -> None:
    """Write the network with its normalisation, softmax and labels as an ONNX file for other programs."""
    startup.load()
    if importlib.util.find_spec("onnx") is None:
        raise UsageError("The export needs the extra: pip install 'tagtray[onnx]'.")
    from tagtray.worker.networks import export

    export.export(bootstrap.model(), onnx)
    print(f"{shown(onnx)}: pixels (n, 224, 224, 3) uint8 in, probabilities (n, 1000) out.")
