"""``tagtray roots``: the watched folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.config.text import counted, shown
from tagtray.db.places import folders, merging, roots
from tagtray.db.places.roots import RootFolder
from tagtray.db.reading import run_stats
from tagtray.db.tables import Status
from tagtray.producer import scope

app = typer.Typer(help="List the watched folders, or move, rename, merge or remove one.")

COLUMNS = ("name", "path", "state", "images", "done", "failed")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a root.")]


@app.callback(invoke_without_command=True)
def list_roots(context: typer.Context, json: options.Json = False) -> None:
    """List the watched folders, or move, rename, merge or remove one."""
    if context.invoked_subcommand is not None:
        return
    settings = startup.load()
    with bootstrap.reading(settings) as database:
        known = roots.everywhere(database, settings).values()
        counts = run_stats.images_by_root(database)
    rows = [_row(root, counts.get(root.id, {})) for root in sorted(known, key=lambda root: root.name)]
    output.rows(COLUMNS, rows, Format.JSON if json else Format.TABLE)


@app.command()
def move(name: Name, folder: Annotated[str, typer.Argument(metavar="DIR", help="Where it is now.")]) -> None:
    """Say where a root lies now: its images keep their results."""
    settings = startup.load()
    scope.check(Path(folder))
    with bootstrap.changing(settings) as database:
        moved = roots.move(database, settings, roots.named(database, settings, name), Path(folder))
    print(f"The root {name} is in {shown(moved.path)} now; `tagtray run` on it finds what changed.")


@app.command()
def rename(name: Name, new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")]) -> None:
    """Give a root another name."""
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        roots.rename(database, roots.named(database, settings, name), new)
    print(f"The root {name} is called {new} now.")


@app.command()
def merge(
    name: Name, into: Annotated[str, typer.Argument(metavar="INTO", help="The root that takes it in.")]
) -> None:
    """Make one root of two that are the same folder, or one of which lies in the other."""
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        inner, outer = (roots.named(database, settings, each) for each in (name, into))
        count = roots.merge(database, inner, outer)
    print(f"{counted(count, 'image')} of {name} {'belongs' if count == 1 else 'belong'} to {into} now.")


@app.command()
def remove(
    name: Name,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop the results, too, of contents that no other image has.")
    ] = False,
) -> None:
    """Take a root and its images out of the ledger; the photos themselves stay where they are."""
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        count = merging.remove(database, roots.named(database, settings, name).id, forget)
    images = f"{counted(count, 'image')} of {name} {'is' if count == 1 else 'are'} out of the ledger"
    kept = "results too" if forget else "results are kept for when they come back (--forget drops them)"
    print(f"{images}, {kept}.")


def _row(root: RootFolder, counts: Mapping[str, int]) -> tuple[object, ...]:
    done, failed = counts.get(Status.DONE, 0), counts.get(Status.FAILED, 0)
    return root.name, shown(root.path), _state(root.path), run_stats.present(counts), done, failed


def _state(path: bytes) -> str:
    if not os.path.isdir(path):
        return "absent"
    return "empty" if folders.is_gone(path) else "here"
