"""``tagtray pause`` and ``tagtray resume``: roots whose images wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tagtray.app import bootstrap

if TYPE_CHECKING:
    from sqlalchemy import Engine

Names = Annotated[
    list[str] | None, typer.Argument(help="Names of roots; all of them if none is given.", show_default=False)
]


def pause(names: Names = None) -> None:
    """Classify no more images of these roots until they are resumed; new ones are registered and wait."""
    from tagtray.db import holds

    _change(holds.pause, names or [], "paused")


def resume(names: Names = None) -> None:
    """Go on with roots that were paused."""
    from tagtray.db import holds

    _change(holds.resume, names or [], "not paused")


def _change(
    change: Callable[[Engine, Sequence[str]], Sequence[str]], names: Sequence[str], state: str
) -> None:
    with bootstrap.reading(bootstrap.load()) as database:
        changed = change(database, names)
    for name in changed:
        print(f"{name} is {state}.")
    if not changed:
        print("The ledger has no roots yet.")
