"""``tagtray show``: one image."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.config.errors import UsageError
from tagtray.config.text import shown
from tagtray.db import paths
from tagtray.db.access import transactions
from tagtray.db.places import roots
from tagtray.db.reading import queries
from tagtray.db.reading.queries import ImageFacts
from tagtray.db.reading.tag_summary import TagSummary
from tagtray.db.tables import Status


def show(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The image's file, which may be gone.")],
    json: options.Json = False,
) -> None:
    """Show one image: its state, Top-3 and tags, or why it failed."""
    settings = startup.load()
    with bootstrap.reading(settings) as database:
        place = roots.locate(database, settings, Path(path))
        facts = queries.image(database, place[0].id, place[1]) if place else None
        with transactions.reading(database) as connection:
            summary = TagSummary.load(connection)
    if place is None or facts is None:
        raise UsageError(_absent(path))
    root, name = place
    file = os.fsdecode(os.path.join(root.path, name))
    if json:
        print(output.json_text(_as_json(facts, file)))
    else:
        _print(facts, file, summary)


def _absent(path: str) -> str:
    """Why there is nothing to show of it, and what to do."""
    if os.path.isdir(path):
        return f"{shown(path)} is a folder; name an image in it."
    if not os.path.exists(path):
        return f"{_named(path)} is not in the ledger, and there is no such file."
    return (
        f"{_named(path)} is not in the ledger; `tagtray run` on its folder brings it in, if it is an image."
    )


def _named(path: str) -> str:
    """The path that was given, and where it leads if it is a link."""
    return (
        f"{shown(path)} leads to {shown(os.path.realpath(path))}, which"
        if os.path.islink(path)
        else shown(path)
    )


def _as_json(facts: ImageFacts, file: str) -> dict[str, Any]:
    found = dataclasses.asdict(facts)
    del found["root_id"], found["path_raw"]  # the file says them
    return {"file": paths.readable(os.fsencode(file)), **found}


def _print(facts: ImageFacts, file: str, summary: TagSummary) -> None:
    typer.secho(shown(file), bold=True)
    size = f"{facts.width:,} x {facts.height:,}" if facts.width and facts.height else None
    how = f"{facts.model} ({facts.engine}, {facts.precision}, {facts.decode})" if facts.engine else None
    if facts.status == Status.DONE and not facts.results:
        how = f"{facts.model} has not classified it yet; `tagtray run` on its folder does"
    rows = [
        ("root", facts.root),
        ("state", facts.status),
        ("error", f"{facts.error_code}: {facts.error_message}" if facts.error_code else None),
        ("taken", facts.taken_at.isoformat(" ") if facts.taken_at else None),
        ("camera", facts.camera),
        ("image", f"{facts.format}, {size}" if size else None),
        ("sha256", facts.sha256),
        ("model", how),
    ]
    for name, value in rows:
        if value:
            print(f"  {name:<8} {shown(value)}")
    if facts.results:
        print()
    for result in facts.results:
        print(f"  {result.rank}.  {result.score:>6.1%}  {shown(f'{result.label}  {result.label_zh}')}")
    if facts.tags:
        known = {tag.wnid: tag for tag in facts.tags}
        named = (known[wnid] for wnid in summary.of(known))
        tags = (" ".join(filter(None, (tag.category, tag.category_zh, f"{tag.score:.0%}"))) for tag in named)
        print(f"\n  tags  {shown(', '.join(tags))}")
