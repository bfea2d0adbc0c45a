"""What people call tags: own ones and categories, by their names."""

from __future__ import annotations

import difflib

from sqlalchemy import Connection

from tagtray.config.errors import UsageError
from tagtray.db import own_tags
from tagtray.search import words
from tagtray.search.words import Sense, Vocabulary


def require(connection: Connection, name: str) -> str:
    """The wnid of the own tag of this name; raises UsageError where there is none."""
    if (wnid := own_tags.named(connection, name)) is not None:
        return wnid
    known = list(own_tags.names(connection).values())
    near = difflib.get_close_matches(name, known, n=4, cutoff=0.3) or known[:4]
    hint = f"there is {', '.join(near)}" if near else '`tagtray teach "NAME" PHOTOS...` begins one'
    raise UsageError(f'No own tag is called "{name}"; {hint}.')


def begin(connection: Connection, name: str) -> str:
    """The own tag of this name, which is begun where there is none.

    Raises UsageError where a class or category is called so.
    """
    own_tags.lock(connection)
    check(connection, name)
    return own_tags.named(connection, name) or own_tags.add(connection, name)


def check(connection: Connection, name: str) -> None:
    """Raise UsageError unless there is an own tag of this name or could be one."""
    if own_tags.named(connection, name) is None:
        refuse_taken(connection, name)


def refuse_taken(connection: Connection, name: str) -> None:
    """Raise UsageError where something else is called so."""
    name = own_tags.clean_name(name)
    if own_tags.named(connection, name) is not None:
        raise UsageError(f'There is an own tag "{name}" already.')
    senses = words.load(connection).senses(name)
    taken = [sense for sense in senses if sense.curated and sense.is_called(name)]
    if taken:
        is_class = taken[0].kind == "label"
        correct = "" if is_class else f'`tagtray correct PHOTO +"{name}"` corrects it, '
        known = f"is a {'class' if is_class else 'category'} of the model already"
        raise UsageError(f'"{name}" {known}: {correct}another name such as "my {name}" is free.')


def category(connection: Connection, name: str) -> str:
    """The wnid of the own tag or category that ``name`` means; raises UsageError where that is not clear."""
    wnid = own_tags.named(connection, name)
    return wnid or _category(words.load(connection), name).wnid or ""


def _category(vocabulary: Vocabulary, name: str) -> Sense:
    senses = vocabulary.senses(name)
    found = [sense for sense in senses if sense.kind == "category" and sense.curated]
    exact = [sense for sense in found if sense.is_called(name)] or found
    if len(exact) == 1:
        return exact[0]
    if exact:
        listed = ", ".join(f"{sense.wnid} ({sense.described})" for sense in exact)
        raise UsageError(f'"{name}" is the name of several categories; say which: {listed}.')
    if senses:
        above = " or ".join(f'"{sense.name}"' for sense in vocabulary.above(senses[0])[:2])
        instead = f"take {above}, or " if above else ""
        kind = "class" if senses[0].kind == "label" else "category of WordNet's alone"
        raise UsageError(f'"{name}" is a {kind} and no tag: {instead}teach a tag of your own, "my {name}".')
    near = [word for word in vocabulary.near(name) if _is_tag(vocabulary, word)]
    begin = f'; `tagtray teach "{name}" PHOTOS...` begins one.'
    hint = f"; did you mean {', '.join(near)}?" if near else begin
    raise UsageError(f'No tag is called "{name}"{hint}')


def _is_tag(vocabulary: Vocabulary, word: str) -> bool:
    return any(sense.kind == "category" and sense.curated for sense in vocabulary.senses(word))


def put_below(connection: Connection, wnid: str, parent: str | None) -> None:
    """Put an own tag below the category of this name; None: below none. Raises UsageError."""
    above = category(connection, parent) if parent is not None else None
    if above == wnid:
        raise UsageError("A tag cannot be below itself.")
    own_tags.set_parent(connection, wnid, above)


def rename(connection: Connection, wnid: str, name: str) -> None:
    """Give an own tag another name; raises UsageError where something else is called so."""
    own_tags.lock(connection)
    if own_tags.named(connection, name) != wnid:
        refuse_taken(connection, name)
    own_tags.rename(connection, wnid, name)
