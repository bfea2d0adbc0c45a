"""``tagtray failures`` and ``tagtray retry``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output, streams
from tagtray.cli.output import Format
from tagtray.config.errors import ImageCode, UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.reading import queries

#: Failures that are listed unless --limit says otherwise.
LIMIT = 50

Code = Annotated[
    ImageCode | None, typer.Option("--code", metavar="CODE", help="Only those with this error code.")
]


def failures(
    code: Code = None,
    limit: Annotated[int, typer.Option(min=1, help="Failures at most, latest first.")] = LIMIT,
    json: options.Json = False,
) -> None:
    """List the images that could not be classified, and why."""
    with bootstrap.reading(startup.load()) as database:
        found, total = queries.failures(database, code, limit)
    columns = [field.name for field in dataclasses.fields(queries.Failure)]
    if json:
        output.rows(columns, map(dataclasses.astuple, found), Format.JSON)
    elif not found:
        print("No failures.")
    else:
        people = [[f.root, f.path, f.error_code, f.error_message] for f in found]
        output.rows(["root", "path", "code", "why"], people, Format.TABLE)
        if total > len(found):
            streams.say(f"{total - len(found):,} more; --limit {total} lists all.")


def retry(
    path: Annotated[str | None, typer.Argument(metavar="[PATH]", help="One image, or a folder.")] = None,
    code: Code = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that are done: their files are read again.")
    ] = False,
) -> None:
    """Try failed images again: all, those of a code, or those of a path."""
    if force and code is not None:
        raise UsageError("--code names failures and --force means every image; give one of them.")
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        ids = None if path is None else _ids(database, settings, path)
        count = Ledger(database).retry(code, ids, done=force)
    images = f"{count:,} {'' if force else 'failed '}{'image is' if count == 1 else 'images are'}"
    hint = f"; `tagtray run` on the folder classifies {'it' if count == 1 else 'them'}" if count else ""
    print(f"{images} pending again{hint}.")


def _ids(database: Engine, settings: Settings, path: str) -> Sequence[int]:
    # A folder is sought by a name in it: it may be the root itself, which lies in none.
    is_folder = os.path.isdir(path)
    place = roots.locate(database, settings, Path(path, "_") if is_folder else Path(path))
    if place is None:
        raise UsageError(f"{shown(path)} lies in no folder that tagtray knows.")
    root, name = place
    return queries.ended_ids(database, root.id, os.path.dirname(name) if is_folder else name)
