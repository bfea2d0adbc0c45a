"""``tagtray similar``: photos that look like one."""

from __future__ import annotations

from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.app.examples import Examples
from tagtray.cli import options, people, streams
from tagtray.config.errors import UsageError
from tagtray.learn import similar as likeness

#: Photos unless --limit says otherwise.
LIMIT = 20


def similar(
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="The photo; it may be gone, or not known yet.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Photos at most.")] = LIMIT,
    form: Annotated[
        people.Form, typer.Option("--format", help="How photos are printed.")
    ] = people.Form.TABLE,
    json: options.Json = False,
) -> None:
    """Find the photos that look most like one."""
    form = people.Form.JSON if json else form
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        found = Examples(settings, database, streams.say).of([photo])
        if not found.contents:
            raise UsageError(" ".join(found.refused))
        if len(found.contents) > 1:
            raise UsageError("Name one photo, not a folder of them.")
        near = likeness.similar(database, settings, next(iter(found.contents)), limit)
        people.photos(database, settings, form, [(one.photo, {"similarity": one.cosine}) for one in near])
