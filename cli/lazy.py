"""A group whose commands are imported when they are called; its help needs a line of each and no more."""

from __future__ import annotations

import importlib
import keyword
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context


class LazyGroup(TyperGroup):
    """Subclasses list their commands: the module of each, within ``tagtray.cli``, and its line in the help.

    A module holds the command as a function of its name (``import_`` where that is a word of Python's), or as
    a Typer application ``app``; with a class ``Command`` where its arguments are read in a way of their own.
    """

    table: ClassVar[Mapping[str, tuple[str, str]]]

    def __init__(self, **attributes: Any) -> None:
        lines = {name: TyperCommand(name=name, help=line) for name, (_, line) in self.table.items()}
        super().__init__(**attributes | {"commands": lines})

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find a command by its name, and import it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name else None, rest

    def load(self, name: str) -> Command:
        """Import a command."""
        module = importlib.import_module(f"tagtray.cli.{self.table[name][0]}")
        if hasattr(module, "app"):
            return typer.main.get_group(module.app)
        app = typer.Typer(add_completion=False)
        kind = getattr(module, "Command", TyperCommand)
        app.command(name, cls=kind)(getattr(module, f"{name}_" if keyword.iskeyword(name) else name))
        return typer.main.get_command(app)
