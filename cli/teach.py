"""``tagtray teach``: tags of one's own, from a few examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy import Engine
from typer.core import TyperCommand

from tagtray.app import bootstrap, startup
from tagtray.app.examples import Examples, Found
from tagtray.cli import options, output, people, streams
from tagtray.cli.output import Format
from tagtray.cli.signals import StopRequest
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import counted, shown
from tagtray.db import own_tags
from tagtray.db.access.transactions import read, write
from tagtray.learn import names, overview, review, teaching
from tagtray.learn.overview import OwnTagFacts
from tagtray.learn.review import Candidate
from tagtray.learn.teaching import Learned

if TYPE_CHECKING:
    from typer._click import Context

#: Photos that are offered for an answer after each lesson.
OFFERED = 3
_NONE = "none"


class Command(TyperCommand):
    """All that follows ``--not``, up to the next option, is a counter-example."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Say ``--not`` before each of them."""
        return super().parse_args(ctx, list(_spread(args)))


def _spread(args: Sequence[str]) -> Sequence[str]:
    spread: list[str] = []
    is_counter = False
    for at, arg in enumerate(args):
        if arg == "--":
            return [*spread, *args[at:]]
        if arg == "--not":
            is_counter = True
        elif arg.startswith("--"):
            is_counter = False
            spread.append(arg)
        else:
            spread += ["--not", arg] if is_counter else [arg]
    return spread


def teach(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="What the tag is called.")] = None,
    photos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PHOTOS]...", help="Files that show it, and folders of such; none: learn anew."
        ),
    ] = None,
    album: Annotated[
        Path | None,
        typer.Option("--from-album", metavar="DIR", help="Photos that have a link or a copy in this folder."),
    ] = None,
    counter: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="PHOTOS...", help="Photos that do not show it, up to the next option."),
    ] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="CATEGORY", help=f"Put it below a category; {_NONE}: below none.")
    ] = None,
    rename: Annotated[str | None, typer.Option(metavar="NEW", help="Give it another name.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Drop it, with its examples.")] = False,
    offer: Annotated[
        int | None,
        typer.Option("--review", min=1, max=1_000, metavar="N", help="N photos whose answer helps most."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="All own tags, and how sure each is.")] = False,
    form: Annotated[
        people.Form, typer.Option("--format", help="How photos are printed.")
    ] = people.Form.TABLE,
    json: options.Json = False,
) -> int:
    """Teach a tag of your own from a few photos; it is found on all others.

    Ten photos of different occasions are a good beginning. What was taught is found on new photos, too, and
    everywhere that other tags are.
    """
    form = people.Form.JSON if json else form
    said = bool(photos or album or counter)
    if listed and not (name or said or parent or rename or forget or offer):
        with bootstrap.reading(startup.load()) as database:
            _print_all(overview.load(database), json)
        return 0
    if listed or name is None:
        raise UsageError('Say what to teach: `tagtray teach "our boat" PHOTOS...`, or --list by itself.')
    if (forget or offer) and (said or parent or rename or (forget and offer)):
        raise UsageError("--forget and --review stand by themselves.")
    settings = startup.load()
    # Who brings photos may begin with them.
    with bootstrap.writing(settings) if said else bootstrap.changing(settings) as database:
        if forget:
            _forget(database, name)
        elif offer:
            _offer(database, settings, name, offer, form)
        else:
            return _teach(
                database, settings, name, (photos or [], album, counter or []), (parent, rename), json
            )
    return 0


def _teach(
    database: Engine,
    settings: Settings,
    name: str,
    given: tuple[Sequence[str], Path | None, Sequence[str]],
    changes: tuple[str | None, str | None],
    json: bool,
) -> int:
    photos, album, counter = given
    parent, new_name = changes
    with StopRequest() as request:
        if photos or album or counter:
            # Before any photo is read: a name that cannot be one is said at once.
            read(database, lambda connection: names.check(connection, name))
            examples = Examples(settings, database, streams.say, request.wait)
            shows, shows_not = examples.of(photos), examples.of(counter)
            if album:
                more = examples.of_album(album)
                shows = Found(shows.contents | more.contents, shows.refused + more.refused)
            if request.requested:
                return request.exit_code
            wnid = _say(database, name, shows, shows_not, parent)
        else:
            wnid = read(database, lambda connection: names.require(connection, name))
        _change(database, wnid, parent, new_name)
        if photos or album or counter or not (parent or new_name):
            _print_learned(database, settings, teaching.learn(database, wnid), json)
        else:
            _print_changed(name, parent, new_name)
    return request.exit_code


def _say(database: Engine, name: str, shows: Found, shows_not: Found, parent: str | None) -> str:
    for sentence in shows.refused + shows_not.refused:
        streams.say(sentence)
    if not shows.contents and not shows_not.contents:
        raise UsageError(f'None of these photos can be used; nothing was taught of "{name}".')
    above = None if parent == _NONE else parent
    return teaching.say(database, name, list(shows.contents), list(shows_not.contents), people.name(), above)


def _change(database: Engine, wnid: str, parent: str | None, new_name: str | None) -> None:
    if parent is not None:
        write(
            database,
            lambda connection: names.put_below(connection, wnid, None if parent == _NONE else parent),
        )
    if new_name is not None:
        write(database, lambda connection: names.rename(connection, wnid, new_name))


def _print_changed(name: str, parent: str | None, new_name: str | None) -> None:
    if new_name is not None:
        print(f"{shown(name)} is called {shown(new_name)} now.")
    if parent is not None:
        above = "no category" if parent == _NONE else shown(parent)
        print(f"{shown(new_name or name)} is below {above} now.")


def _forget(database: Engine, name: str) -> None:
    wnid = read(database, lambda connection: names.require(connection, name))
    examples = write(database, lambda connection: own_tags.forget(connection, wnid))
    print(f"{shown(name)} is forgotten, with {counted(examples, 'example')}.")


def _offer(database: Engine, settings: Settings, name: str, count: int, form: people.Form) -> None:
    wnid = read(database, lambda connection: names.require(connection, name))
    found = review.candidates(database, settings, wnid, count)
    if form is people.Form.TABLE:
        streams.say(_how_to_answer(name) if found else "Just now there is no photo whose answer would help.")
        if not found:
            return
    people.photos(database, settings, form, [(one.photo, {"score": one.score}) for one in found])


def _how_to_answer(name: str) -> str:
    return f'Answer with `tagtray correct PHOTO... +"{shown(name)}"` or -"{shown(name)}".'


def _print_learned(database: Engine, settings: Settings, learned: Learned, json: bool) -> None:
    offered = review.candidates(database, settings, learned.wnid, OFFERED) if not learned.waiting else []
    if json:
        files = [people.file(database, settings, one.photo) for one in offered]
        print(output.json_text({**dataclasses.asdict(learned), "review": files}))
        return
    print(_sentence(learned))
    if learned.waiting:
        print(f"{learned.waiting:,} of its examples have no features of the current model yet.")
    if offered:
        print(_hint(learned, offered))
        for one in offered:
            print(f"  {people.file(database, settings, one.photo)}")
        print(_how_to_answer(learned.name))


def _hint(learned: Learned, offered: Sequence[Candidate]) -> str:
    some = "1 answer" if len(offered) == 1 else f"{len(offered)} answers"
    return f"{some} would help most: " + (
        "do these show it?" if learned.reason is None else "these look like it; do they show it?"
    )


def _sentence(learned: Learned) -> str:
    name = shown(learned.name)
    if learned.reason is not None:
        return f"{name}: on nothing but what you said yet: {learned.reason}."
    photos = counted(learned.found, "photo")
    right = round(100 * learned.precision)
    examples = f"{learned.examples:,} examples"
    if learned.counter_examples:
        examples += f", {learned.counter_examples:,} counter-examples"
    return f"{name}: found on {photos}, at least {right} of 100 right, as far as can be told ({examples})."


def _print_all(facts: Sequence[OwnTagFacts], json: bool) -> None:
    if json:
        print(output.json_text([dataclasses.asdict(one) for one in facts]))
        return
    columns = ["name", "below", "photos", "right", "examples", "counter", "state"]
    rows = (
        [one.name, one.parent or "", one.photos, _right(one), one.examples, one.counter_examples, _state(one)]
        for one in facts
    )
    if facts:
        output.rows(columns, rows, Format.TABLE)
    else:
        print('No own tags yet; `tagtray teach "NAME" PHOTOS...` begins one.')


def _right(facts: OwnTagFacts) -> Any:
    return "" if facts.precision is None else f"{facts.precision:.0%}"


def _state(facts: OwnTagFacts) -> str:
    if facts.trained_at is None:
        return "not learned yet"
    if not facts.is_found:
        return "examples alone"
    return "learned" if facts.is_up_to_date else "learned before the last example"
