"""``tagtray export``: results for other programs, and for another ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import streams
from tagtray.config.text import counted, shown
from tagtray.db.access import transactions
from tagtray.db.places import roots
from tagtray.exchange import lines, outputs, own_tags, sheets
from tagtray.exchange.lines import Line
from tagtray.exchange.records import Records
from tagtray.exchange.sheets import Form
from tagtray.search.find import Search


def export(
    file: Annotated[
        str, typer.Argument(metavar="FILE.csv|jsonl|parquet", help="The file to write; -: standard output.")
    ],
    query: Annotated[
        str, typer.Option("--query", help="Only photos that `tagtray find` finds by this; unset: all.")
    ] = "",
    form: Annotated[
        Form | None, typer.Option("--format", help="Unset: as the file's name ends; of -, jsonl.")
    ] = None,
    features: Annotated[bool, typer.Option("--features", help="With the feature vectors.")] = False,
) -> None:
    """Write photos with their results to a file: CSV, JSONL (which `tagtray import` reads) or Parquet."""
    form = outputs.form_of(file, form)
    settings = startup.load()
    with bootstrap.reading(settings) as database, transactions.reading(database) as connection:
        search = Search(connection, query)
        for note in search.notes:
            streams.say(note)
        records = Records(connection, roots.everywhere(database, settings), features)
        found = records.stream(hit.image_id for hit in search.stream(connection))
        own = own_tags.exported(connection) if form is Form.JSONL else []
        with outputs.opened(file) as target, sheets.opened(form, target, features) as write:
            target.writelines(map(lines.text, own))
            photos = _write(found, write)
    if file != outputs.STANDARD:
        print(f"{counted(photos, 'photo')} in {shown(file)}.")


def _write(pages: Iterator[list[Line]], write: sheets.Write) -> int:
    photos = 0
    for page in pages:
        write(page)
        photos += len(page)
    return photos
