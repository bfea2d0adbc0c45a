"""``tagtray duplicates``: photos that are there more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output, people, streams
from tagtray.config.settings import Settings
from tagtray.db import paths
from tagtray.db.places import roots
from tagtray.learn import duplicates as copies
from tagtray.learn.duplicates import Group

_COLUMNS = ("group", "keep", "width", "height", "bytes", "file")


def duplicates(
    near: Annotated[
        bool, typer.Option("--near", help="Also the same picture at another size, crop, quality or light.")
    ] = False,
    form: Annotated[
        people.Form,
        typer.Option("--format", help="paths, paths0: without the one to keep of each group."),
    ] = people.Form.TABLE,
    json: options.Json = False,
) -> None:
    """List copies of photos, and which one to keep; nothing is deleted.

    The one to keep has most pixels, then most bytes, then the shortest path.
    """
    form = people.Form.JSON if json else form
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        groups = _near(database, settings) if near else copies.exact(database)
        _print(database, settings, groups, form)
    if form is people.Form.TABLE:
        _sum_up(groups)


def _near(database: Engine, settings: Settings) -> list[Group]:
    # Here, not above: decoders and their libraries.
    from tagtray.app.pictures import Pictures

    return copies.near(database, settings, Pictures(settings, database).are_same)


def _print(database: Engine, settings: Settings, groups: Sequence[Group], form: people.Form) -> None:
    folders = roots.everywhere(database, settings)
    if form in (people.Form.PATHS, people.Form.PATHS0):
        spare = (photo for group in groups for photo in group.photos[1:])
        output.files((people.place(photo, folders) for photo in spare), null=form is people.Form.PATHS0)
        return

    def rows() -> Iterator[list[Any]]:
        for number, group in enumerate(groups, start=1):
            for photo in group.photos:
                keep = photo is group.photos[0]
                place = paths.readable(people.place(photo, folders))
                mark: Any = keep if form is people.Form.JSON else ("keep" if keep else "")
                yield [number, mark, photo.width, photo.height, photo.size_bytes, place]

    if groups or form is people.Form.JSON:
        output.rows(_COLUMNS, rows(), output.Format(form.value))


def _sum_up(groups: Sequence[Group]) -> None:
    spare = [photo.size_bytes for group in groups for photo in group.photos[1:]]
    if not spare:
        streams.say("No photo is there twice.")
        return
    photos = "1 photo is" if len(spare) == 1 else f"{len(spare):,} photos are"
    streams.say(f"{photos} there beside a better one, with {sum(spare) / 1e6:,.0f} MB.")
