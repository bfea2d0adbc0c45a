"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from tagtray.app import startup
from tagtray.config.errors import UsageError
from tagtray.config.settings import MAX_WORKERS, Settings

Folders = Annotated[
    list[str],
    typer.Argument(metavar="[NAME=]DIR...", help="Folders of images; NAME is the root's name in SQL."),
]
Workers = Annotated[
    str | None, typer.Option(metavar="N|auto", help="Worker processes; auto: as cores and memory allow.")
]
BatchSize = Annotated[int | None, typer.Option(min=1, max=1024, help="Images per forward pass.")]
Engine = Annotated[
    Literal["auto", "torch", "onnx", "openvino"] | None,
    typer.Option(help="What runs the network; auto: the fastest that is installed.", show_default=False),
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16", "int8"] | None,
    typer.Option(
        help="What it computes in; auto: bf16 where the processor has it, else fp32.", show_default=False
    ),
]
Exact = Annotated[
    bool | None,
    typer.Option("--exact", help="Decode at full size, as torchvision does; slower.", show_default=False),
]
FollowLinks = Annotated[
    bool | None,
    typer.Option(
        "--follow-links", help="Take in what links that lead out of the folders lead to.", show_default=False
    ),
]
Host = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Address of the web pages; any but loopback needs TAGTRAY_TOKEN."),
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, metavar="N", help="Port of the web pages; 0: a free one.")
]
NoAuth = Annotated[bool, typer.Option("--no-auth", help="Let everybody who reaches the web pages use them.")]
Nice = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=19,
        help="How far workers stand back behind other programs.",
        show_default=False,
    ),
]
Metrics = Annotated[
    int | None,
    typer.Option(
        "--metrics",
        metavar="PORT",
        min=0,
        max=65_535,
        help="Show Prometheus metrics on this port of this machine; 0: any free one.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def for_work(workers: str | None, **given: Any) -> Settings:
    """The settings with the options of those commands that start workers."""
    number = None if workers in (None, "auto") else _number(str(workers))
    settings = startup.load(workers=number, **given)
    return settings.model_copy(update={"workers": None}) if workers == "auto" else settings


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_WORKERS):
        raise UsageError(f"--workers takes a number from 1 to {MAX_WORKERS} or auto, not {text!r}.")
    return int(text)
