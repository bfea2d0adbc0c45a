"""``tagtray correct``: what a person says of a photo counts more than any model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from tagtray.app import bootstrap, startup
from tagtray.app.examples import Examples
from tagtray.cli import options, output, people, signed, streams
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.verdicts import Entry
from tagtray.learn import corrections, teaching

Command = signed.SignedWords


def correct(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO... [+TAG|-TAG]...", help="Photos; tags that they show (+), or do not (-)."
        ),
    ],
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was said last of each photo.")] = False,
    json: options.Json = False,
) -> int:
    """Say what a photo shows and what not: +dog -wolf +"our boat".

    It counts for ever, whatever models find. Without tags: all that was ever said of the photo.
    """
    names = [word for word in words[1:] if word[:1] in "+-"]
    photos = [word for at, word in enumerate(words) if not at or word[:1] not in "+-"]
    if unknown := next((name for name in names if len(name) == 1), None):
        raise UsageError(f"{unknown} is no tag; `tagtray correct --help` says more.")
    if undo and names:
        raise UsageError("--undo takes back what was said last; leave the tags out.")
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        contents = _contents(database, settings, photos)
        if undo:
            _undo(database, contents)
        elif names:
            _correct(database, contents, names)
        else:
            _print_history(database, contents, json)
    return 0


def _contents(database: Engine, settings: Settings, photos: Sequence[str]) -> list[int]:
    found = Examples(settings, database, streams.say).of(photos)
    for sentence in found.refused:
        streams.say(sentence)
    if not found.contents:
        raise UsageError("None of these photos can be judged.")
    return list(found.contents)


def _correct(database: Engine, contents: Sequence[int], names: Sequence[str]) -> None:
    shows = [name[1:] for name in names if name.startswith("+")]
    shows_not = [name[1:] for name in names if name.startswith("-")]
    said = corrections.correct(database, contents, shows, shows_not, people.name())
    verdicts = f"{said.verdicts:,} {'verdict is' if said.verdicts == 1 else 'verdicts are'} new"
    print(f"{verdicts}{'; `--undo` takes back what was said last' if said.verdicts else ''}.")
    _learn(database, said.own_tags)


def _undo(database: Engine, contents: Sequence[int]) -> None:
    own: set[str] = set()
    for content_id in contents:
        undone, tags = corrections.undo(database, content_id)
        own |= set(tags)
        print(f"Taken back: {_listed(undone)}." if undone else "Nothing was said of this photo.")
    _learn(database, sorted(own))


def _learn(database: Engine, own: Sequence[str]) -> None:
    for wnid in own:
        learned = teaching.learn(database, wnid)
        print(f"{shown(learned.name)} is learned anew: on {learned.found:,} other photos.")


def _listed(entries: Sequence[Entry]) -> str:
    return ", ".join(f"{'+' if entry.shows else '-'}{shown(entry.tag)}" for entry in entries)


def _print_history(database: Engine, contents: Sequence[int], json: bool) -> None:
    rows = [entry for content_id in contents for entry in corrections.history(database, content_id)]
    if json:
        print(output.json_text([dataclasses.asdict(entry) for entry in rows]))
    elif not rows:
        print("Nothing was said of this photo.")
    else:
        output.rows(["tag", "by", "at", "until"], map(_row, rows), output.Format.TABLE)


def _row(entry: Entry) -> list[Any]:
    sign = "+" if entry.shows else "-"
    until = entry.ended_at.isoformat(" ", "seconds") if entry.ended_at else ""
    return [f"{sign}{entry.tag}", entry.said_by, entry.at.isoformat(" ", "seconds"), until]
