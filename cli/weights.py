"""``tagtray weights``: the models of this installation, and which one is used."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tagtray.app import bootstrap, models, startup
from tagtray.app import weights as choice
from tagtray.app.crew import plan_workers
from tagtray.cli import evaluate, options, output
from tagtray.cli.output import Format
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import counted, shown
from tagtray.db.current_model import CurrentModel
from tagtray.db.reading import run_stats
from tagtray.weights.architectures import ARCHITECTURES, OFFICIAL
from tagtray.weights.model import InputSpec, Model
from tagtray.weights.store import ModelStore
from tagtray.worker.measure import speeds
from tagtray.worker.measure.speeds import Speed
from tagtray.worker.supervision.resources import Plan

app = typer.Typer(
    help="The models: list, use, add, fetch, evaluate, verify, trace, export.", no_args_is_help=True
)

_Named = Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model; without it the current one.")]
_Listed = Annotated[str, typer.Argument(metavar="NAME", help="A model of `tagtray weights list`.")]
_Weights = Annotated[Path, typer.Argument(metavar="FILE", help="A state dict: .safetensors or .pth.")]
_Name = Annotated[str, typer.Option(metavar="NAME", help="What to call the model.", show_default=False)]
_Architecture = Annotated[
    str | None, typer.Option(metavar="|".join(ARCHITECTURES), help="Unset: recognised from the weights.")
]
_Labels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Names of the classes in their order, one a line.")
]
_Side = Annotated[int | None, typer.Option(min=1, metavar="PIXELS", help="Both sides of the centre crop.")]
_Resize = Annotated[int | None, typer.Option(min=1, metavar="PIXELS", help="Shorter side before the crop.")]
_Interpolation = Annotated[
    Literal["bilinear", "bicubic"] | None, typer.Option(help="How to resample.", show_default=False)
]
_Mean = Annotated[str | None, typer.Option(metavar="R,G,B", help="Subtracted from RGB in [0, 1].")]
_Std = Annotated[str | None, typer.Option(metavar="R,G,B", help="What that is divided by.")]


@app.command("list")
def list_models(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure images/s, on all cores, for some seconds a model.")
    ] = False,
    json: options.Json = False,
) -> None:
    """List the models of this installation; the current one has a mark.

    images/s is what this machine did when --measure was last said, with all workers, decode not included.
    """
    settings = startup.load()
    store, row, plan = ModelStore.of(settings.home), choice.in_ledger(settings), plan_workers(settings)
    speed = _measured if measure else speeds.known
    facts = [_facts(model, row, speed(settings, model, plan)) for model in store.models()]
    if json:
        output.rows(list(facts[0]), [list(found.values()) for found in facts], Format.JSON)
    else:
        rows = [
            [
                found["name"],
                found["architecture"],
                found["classes"],
                output.percent(found["top1"]),
                found["measured_on"] or "",
                f"{found['bytes'] / 1e6:.1f} MB",
                _speed(found),
                "*" if found["current"] else "",
            ]
            for found in facts
        ]
        columns = ["name", "architecture", "classes", "top-1", "measured on", "size", "images/s", "current"]
        output.rows(columns, rows, Format.TABLE)


@app.command()
def use(name: _Listed) -> None:
    """Make a model the current one: images are classified by it, and its answers count."""
    settings = startup.load()
    model = ModelStore.of(settings.home).model(name)
    with bootstrap.writing(settings) as database:
        models.use(database, model)
        stale = run_stats.stale_images(database)
    images = counted(stale, "image")
    hint = f"; `tagtray run` on the folders classifies {images} by it" if stale else ""
    print(f"{model.name} is the current model{hint}.")


@app.command()
def add(
    file: _Weights,
    name: _Name,
    arch: _Architecture = None,
    labels: _Labels = None,
    side: _Side = None,
    resize: _Resize = None,
    interpolation: _Interpolation = None,
    mean: _Mean = None,
    std: _Std = None,
) -> None:
    """Check weights of your own and copy them into the home folder as a model.

    What is not said of its labels and its input is as in the default model.
    """
    settings = startup.load()
    usual = ModelStore().default.input
    size = side or usual.side
    try:
        spec = InputSpec(
            resize=resize or round(size * usual.resize / usual.side),
            side=size,
            interpolation=interpolation or usual.interpolation,
            mean=_rgb(mean) or usual.mean,
            std=_rgb(std) or usual.std,
        )
    except ValueError as error:
        raise UsageError(f"This input is not accepted: {error}.") from None
    model = choice.add(settings, file, name, spec, arch, labels)
    print(f"{model.name} ({model.architecture}, {model.classes:,} classes) can be used now.")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="|".join(OFFICIAL), help="Which of them.")] = OFFICIAL[0],
) -> None:
    """Fetch the weights that torchvision publishes of a ResNet and add them as the model torchvision-NAME.

    This is the only command that asks for anything over a network.
    """
    model = choice.fetch(startup.load(), name)
    print(f"{model.name} ({model.architecture}, {model.classes:,} classes) can be used now.")


app.command()(evaluate.evaluate)


@app.command()
def verify() -> None:
    """Verify the SHA-256 of every file of every model."""
    settings = startup.load()
    print(f"All {ModelStore.of(settings.home).verify()} files are what their manifests say.")


@app.command()
def trace(name: _Named = None) -> None:
    """Make PyTorch's file of the network (TorchScript, fp32) now, so that its first run need not."""
    settings = startup.load()
    # Here, not above: PyTorch takes seconds, and no other command of this module needs it.
    from tagtray.worker.networks import torchscript

    model = choice.chosen(settings, name)
    began = time.monotonic()
    torchscript.load(model, settings.home)
    print(f"{shown(torchscript.path(model, settings.home))} is ready ({time.monotonic() - began:.1f} s).")


@app.command()
def export(
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write.", show_default=False)],
    name: _Named = None,
) -> None:
    """Write the network with its normalisation, softmax and labels as an ONNX file for other programs."""
    settings = startup.load()
    if importlib.util.find_spec("onnx") is None:
        raise UsageError("The export needs the extra: pip install 'tagtray[onnx]'.")
    from tagtray.worker.networks import export

    model = choice.chosen(settings, name)
    export.export(model, onnx)
    pixels = f"(n, {model.input.side}, {model.input.side}, 3)"
    print(f"{shown(onnx)}: pixels {pixels} uint8 in, probabilities (n, {model.classes}) out.")


def _facts(model: Model, row: CurrentModel | None, speed: Speed | None) -> dict[str, Any]:
    sets = model.accuracy.labelled_sets if model.accuracy else ()
    return {
        "name": model.name,
        "architecture": model.architecture,
        "label_set": model.label_set,
        "classes": model.classes,
        "top1": sets[0].top1 if sets else None,
        "measured_on": sets[0].name if sets else None,
        "bytes": model.weights.bytes,
        **(asdict(speed) if speed else dict.fromkeys(field.name for field in fields(Speed))),
        "sha256": model.weights.sha256,
        "date": model.date,
        "licence": model.licence,
        "file": str(model.path(model.weights)),
        "current": row is not None and (row.name, row.weights_sha256) == (model.name, model.weights.sha256),
    }


def _measured(settings: Settings, model: Model, plan: Plan) -> Speed | None:
    try:
        return speeds.measure(settings, model, plan)
    except InfrastructureError as error:
        print(f"{model.name} was not measured: {error}", file=sys.stderr)
        return None


def _speed(found: dict[str, Any]) -> str:
    if found["images_per_second"] is None:
        return ""
    return f"{found['images_per_second']:,.0f} ({found['engine']} {found['precision']})"


def _rgb(text: str | None) -> tuple[float, float, float] | None:
    """Three numbers with commas between; raises ValueError."""
    if text is None:
        return None
    try:
        red, green, blue = map(float, text.split(","))
    except ValueError:
        raise ValueError(f"{text} is not three numbers R,G,B") from None
    return red, green, blue
