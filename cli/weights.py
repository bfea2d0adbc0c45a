"""``tagtray weights``: the models that ship, their hashes, their traces."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tagtray.app import bootstrap
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.config.errors import UsageError

app = typer.Typer(help="The models: list, verify, trace, export.", no_args_is_help=True)


@app.command("list")
def list_models(json: options.Json = False) -> None:
    """List the models of this installation."""
    from tagtray.weights.store import ModelStore

    settings = bootstrap.load()
    columns = ["name", "architecture", "classes", "bytes", "sha256", "date", "licence", "file"]
    found: list[list[Any]] = [
        [
            model.name,
            model.architecture,
            model.classes,
            model.weights.bytes,
            model.weights.sha256,
            model.date,
            model.licence,
            str(model.path(model.weights)),
        ]
        for model in ModelStore.of(settings.home).models()
    ]
    if not json:
        columns, found = columns[:-1], [[*row[:4], row[4][:12], *row[5:-1]] for row in found]
    output.rows(columns, found, Format.JSON if json else Format.TABLE)


@app.command()
def verify() -> None:
    """Verify the SHA-256 of every file of every model."""
    from tagtray.weights.store import ModelStore

    settings = bootstrap.load()
    print(f"All {ModelStore.of(settings.home).verify()} files are what their manifests say.")


@app.command()
def trace() -> None:
    """Make PyTorch's file of the network (TorchScript, fp32) now, so that its first run need not."""
    settings = bootstrap.load()
    from tagtray.weights.store import ModelStore
    from tagtray.worker.networks import torchscript

    model = ModelStore.of(settings.home).default
    began = time.monotonic()
    torchscript.load(model, settings.home)
    file = torchscript.path(model, settings.home)
    print(f"{output.shown(str(file))} is ready ({time.monotonic() - began:.1f} s).")


@app.command()
def export(
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write.", show_default=False)],
) -> None:
    """Write the network with its normalisation, softmax and labels as an ONNX file for other programs."""
    settings = bootstrap.load()
    if importlib.util.find_spec("onnx") is None:
        raise UsageError("The export needs the extra: pip install 'tagtray[onnx]'.")
    from tagtray.weights.store import ModelStore
    from tagtray.worker.networks import export

    model = ModelStore.of(settings.home).default
    export.export(model, onnx)
    pixels = f"(n, {model.input.side}, {model.input.side}, 3)"
    print(f"{output.shown(str(onnx))}: pixels {pixels} uint8 in, probabilities (n, {model.classes}) out.")
