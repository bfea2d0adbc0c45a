"""The language of queries: ``dog taken:2024-05..``, ``cat|"police van" -beagle``, ``score>0.8``.

A query is a row of conditions that must all hold. ``|`` stands between alternatives, ``-`` before a condition
that must not hold, quotes around what is to be taken as one word.
"""

from __future__ import annotations

import functools
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tagtray.config.errors import UsageError

if TYPE_CHECKING:
    from lark import Lark, Token
    from sqlalchemy import ColumnElement, SQLColumnExpression

#: Characters of a query, and words and fields in it.
MAX_LENGTH, MAX_TERMS = 1_000, 30

FIELDS = ("label", "category", "path", "root", "camera", "taken")

_GRAMMAR = r"""
start: group*
group: NOT? term ("|" term)*
term: SCORE | FIELD value | value
value: QUOTED | WORD

NOT: "-"
SCORE.3: /score\s*(>=|<=|>|<)\s*[0-9.]+%?(?=[\s|]|$)/i
FIELD.2: /[a-z]+:/i
QUOTED: /"[^"]*"/
WORD: /[^\s"|()-][^\s"|()]*/

%ignore /\s+/
"""
#: What Chinese keyboards and word processors write for the signs of the grammar.
_SIGNS = str.maketrans("：｜－＂“”„＞＜", ':|-""""><')
_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_SCORE = re.compile(r"score\s*(>=|<=|>|<)\s*([0-9.]+)(%?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Word:
    """What a photo shows; words side by side may be one name unless they were quoted."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Field:
    """``name:value``, the name one of FIELDS."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Score:
    """A bound of the score, from 0 to 1; the operator is one of ``> >= < <=``."""

    operator: str
    value: float

    @property
    def is_lower(self) -> bool:
        """Whether it bounds the score from below."""
        return self.operator in (">", ">=")

    def holds(self, score: SQLColumnExpression[float]) -> ColumnElement[bool]:
        """The condition on a column of scores."""
        holds: ColumnElement[bool] = _COMPARE[self.operator](score, self.value)
        return holds


Term = Word | Field | Score


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, of which one holds, or (negated) none."""

    terms: tuple[Term, ...]
    negated: bool


def parse(text: str) -> tuple[Group, ...]:
    """The conditions of a query, none for an empty one; raises UsageError with one sentence."""
    from lark import exceptions

    if len(text) > MAX_LENGTH:
        raise UsageError(f"The query has {len(text):,} characters; at most {MAX_LENGTH:,} are read.")
    text = text.translate(_SIGNS)
    try:
        tree = _parser().parse(text)
    except exceptions.UnexpectedInput as error:
        raise UsageError(_complaint(text, error)) from None
    groups = tuple(_group(group.children) for group in tree.find_data("group"))
    if sum(len(group.terms) for group in groups) > MAX_TERMS:
        raise UsageError(f"The query has more than {MAX_TERMS} conditions.")
    return groups


@functools.cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr")


def _complaint(text: str, error: Any) -> str:
    place = error.pos_in_stream
    if getattr(getattr(error, "token", None), "type", None) == "$END":
        return "The query ends too early: after `|`, `-` or a field such as `taken:` something has to follow."
    if text[place] == '"':
        return "The query has a quotation mark without a second one."
    return (
        f"The query cannot be read from {text[place : place + 20]!r} on; put quotes around what is one word."
    )


def _group(children: list[Any]) -> Group:
    negated = getattr(children[0], "type", None) == "NOT"
    return Group(tuple(_term(child.children) for child in children[negated:]), negated)


def _term(children: list[Any]) -> Term:
    first = children[0]
    if len(children) == 2:
        return _field(first, children[1].children[0])
    if getattr(first, "type", None) == "SCORE":
        return _score(first)
    token: Token = first.children[0]
    return Word(_text(token), token.type == "QUOTED")


def _field(name: str, value: Token) -> Field:
    field = name[:-1].lower()
    if field not in FIELDS:
        names = ", ".join(f"{known}:" for known in FIELDS)
        raise UsageError(f"There is no field {str(name)!r} to search; there are {names} and score>0.5.")
    return Field(field, _text(value))


def _score(text: str) -> Score:
    found = _SCORE.fullmatch(text)
    assert found is not None
    try:
        value = float(found[2]) / (100 if found[3] else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{str(text)!r} is no bound of a score: scores are from 0 to 1, as in score>0.8.")
    return Score(found[1], value)


def _text(token: Token) -> str:
    text = token[1:-1] if token.type == "QUOTED" else str(token)
    if not text.strip():
        raise UsageError("The query has nothing between two quotation marks.")
    return text
