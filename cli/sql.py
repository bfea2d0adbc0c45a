"""``tagtray sql``: one SELECT, on a connection that cannot write."""

from __future__ import annotations

from typing import Annotated

import typer

from tagtray.app import startup
from tagtray.cli import output
from tagtray.cli.output import Format
from tagtray.db.reading import readonly


def sql(
    statement: Annotated[
        str, typer.Argument(metavar="SELECT", help="The statement; quote it for the shell.")
    ],
    form: Annotated[Format, typer.Option("--format", help="How rows are printed.")] = Format.TABLE,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> None:
    """Query the database, read-only: the views are results, top1, image_tags and failures."""
    settings = startup.load()
    with readonly.select(settings, statement) as answer:
        output.rows(answer.columns, answer.rows, Format.JSON if json else form)
