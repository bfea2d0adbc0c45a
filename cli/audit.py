"""``tagtray audit``: who uploaded what."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.db import audit as audits

#: Uploads that are listed unless --limit says otherwise.
LIMIT = 50


def audit(
    limit: Annotated[int, typer.Option(min=1, help="Uploads at most, latest first.")] = LIMIT,
    json: options.Json = False,
) -> None:
    """List the photos that were uploaded: when, by whom, what came of them."""
    with bootstrap.reading(startup.load()) as database:
        found = audits.latest(database, limit)
    columns = [field.name for field in dataclasses.fields(audits.Entry)]
    if json or found:
        output.rows(columns, map(dataclasses.astuple, found), Format.JSON if json else Format.TABLE)
    else:
        print("No uploads.")
