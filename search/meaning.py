"""From what was written to what is meant: words become classes and categories, fields become bounds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from tagtray.config.errors import UsageError
from tagtray.db.tables import Content, Root
from tagtray.search import dates
from tagtray.search.dates import Span
from tagtray.search.senses import Chooser
from tagtray.search.syntax import Field, Group, Score, Term, Word
from tagtray.search.words import Sense, Vocabulary

#: Words of one name at most ("soft coated wheaten terrier").
MAX_NAME = 5
#: Fields that say what a photo shows; the others say where it is from.
KINDS = ("label", "category")


@dataclass(frozen=True, slots=True)
class Cameras:
    """Taken by one of these."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InRoot:
    """Lies in this root."""

    root_id: int


@dataclass(frozen=True, slots=True)
class InPath:
    """The path has this text in it, whatever the case of its letters."""

    text: str


Place = Span | Cameras | InRoot | InPath


@dataclass(frozen=True, slots=True)
class Filter:
    """One of ``places`` holds, or (negated) none."""

    places: tuple[Place, ...]
    negated: bool


@dataclass(slots=True)
class Meaning:
    """A query that is understood: photos that show one of each of ``shown`` and none of ``unwanted``.

    ``scores`` bound the score; ``notes`` are sentences on words that could mean something else.
    """

    shown: list[tuple[Sense, ...]] = field(default_factory=list)
    unwanted: list[Sense] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def understand(connection: Connection, vocabulary: Vocabulary, groups: Sequence[Group]) -> Meaning:
    """What ``groups`` ask for; raises UsageError for a word or a value that nothing is known by."""
    meaning, chooser = Meaning(), Chooser(connection, vocabulary)
    for group in _with_names(vocabulary, groups):
        scores = [term for term in group.terms if isinstance(term, Score)]
        if scores:
            _alone(group)
            meaning.scores += scores
        elif any(_shows(term) for term in group.terms):
            senses = _senses(chooser, group)
            if group.negated:
                meaning.unwanted += senses
            else:
                meaning.shown.append(senses)
        else:
            fields = (term for term in group.terms if isinstance(term, Field))
            meaning.filters.append(Filter(tuple(_place(connection, term) for term in fields), group.negated))
    meaning.shown = [senses for senses in meaning.shown if not _follows(vocabulary, senses, meaning.shown)]
    meaning.notes = chooser.notes
    return meaning


def _follows(vocabulary: Vocabulary, senses: Sequence[Sense], shown: Sequence[Sequence[Sense]]) -> bool:
    """Whether another word says it already: every dog is an animal, with at least the same score."""
    return len(senses) == 1 and any(
        len(others) == 1
        and others != senses
        and vocabulary.holds(senses[0], others[0])
        and vocabulary.threshold(senses[0]) <= vocabulary.threshold(others[0])
        for others in shown
    )


def _with_names(vocabulary: Vocabulary, groups: Sequence[Group]) -> Iterable[Group]:
    """The groups, where words side by side that are a known name became one word."""
    at = 0
    while at < len(groups):
        run = _run(groups[at : at + MAX_NAME])
        lengths = range(len(run), 1, -1)
        length = next((length for length in lengths if vocabulary.senses(" ".join(run[:length]))), 1)
        name = Word(" ".join(run[:length]), quoted=True)
        yield Group((name,), negated=False) if length > 1 else groups[at]
        at += length


def _run(groups: Sequence[Group]) -> list[str]:
    """The plain words that the groups begin with."""
    words: list[str] = []
    for group in groups:
        match group:
            case Group(terms=(Word(text=text, quoted=False),), negated=False):
                words.append(text)
            case _:
                break
    return words


def _alone(group: Group) -> None:
    if group.negated or len(group.terms) > 1:
        raise UsageError("A bound such as score>0.8 stands by itself, without - or |.")


def _shows(term: Term) -> bool:
    return isinstance(term, Word) or (isinstance(term, Field) and term.name in KINDS)


def _senses(chooser: Chooser, group: Group) -> tuple[Sense, ...]:
    senses: dict[Sense, None] = {}
    for term in group.terms:
        if isinstance(term, Word):
            senses |= dict.fromkeys(chooser.choose(term.text, None))
        elif isinstance(term, Field) and term.name in KINDS:
            senses |= dict.fromkeys(chooser.choose(term.value, term.name))
        else:
            raise UsageError(
                "What a photo shows and where it is from cannot be alternatives; leave out the |."
            )
    return tuple(senses)


def _place(connection: Connection, term: Field) -> Place:
    match term.name:
        case "taken":
            return dates.span(term.value)
        case "camera":
            return _cameras(connection, term.value)
        case "root":
            return _root(connection, term.value)
        case _:
            return InPath(term.value)


def _cameras(connection: Connection, text: str) -> Cameras:
    known = _known_cameras(connection)
    found = tuple(name for name in known if text.casefold() in name.casefold())
    if not found:
        raise UsageError(f"No photo was taken by a camera like {text!r}{_hint(text, known)}")
    return Cameras(found)


def _known_cameras(connection: Connection) -> list[str]:
    """All cameras, read by leaps through their index."""
    leaps = select(func.min(Content.camera).label("name")).cte("cameras", recursive=True)
    next_one = select(func.min(Content.camera)).where(Content.camera > leaps.c.name).scalar_subquery()
    leaps = leaps.union_all(select(next_one).where(leaps.c.name.is_not(None)))
    return list(connection.scalars(select(leaps.c.name).where(leaps.c.name.is_not(None))))


def _root(connection: Connection, name: str) -> InRoot:
    known = dict(connection.execute(select(Root.name, Root.id)).all())
    if name.lower() not in known:
        raise UsageError(f"There is no root {name!r}{_hint(name, list(known))}")
    return InRoot(known[name.lower()])


def _hint(text: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(text, known, n=4, cutoff=0.3) or sorted(known)[:4]
    return f"; there is {', '.join(near)}." if near else "."
