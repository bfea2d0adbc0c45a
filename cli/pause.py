"""``tagtray pause`` and ``tagtray resume``: roots whose images wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from sqlalchemy import Engine

from tagtray.app import bootstrap, startup
from tagtray.db.places import holds

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Names of roots; all if none is given.", show_default=False),
]


def pause(names: Names = None) -> None:
    """Classify no more images of some roots until they are resumed; new ones wait."""
    _change(holds.pause, names or [], "paused")


def resume(names: Names = None) -> None:
    """Go on with roots that were paused."""
    _change(holds.resume, names or [], "not paused")


def _change(
    change: Callable[[Engine, Sequence[str]], Sequence[str]], names: Sequence[str], state: str
) -> None:
    with bootstrap.changing(startup.load()) as database:
        changed = change(database, names)
    for name in changed:
        print(f"{name} is {state}.")
    if not changed:
        print("The ledger has no roots yet.")
