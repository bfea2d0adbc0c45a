"""What photo programs are told of a photo: keywords, and their places in a tree from broad to narrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from tagtray.db.reading.tag_summary import TagSummary
from tagtray.exchange.lines import Result

#: Score from which the first label is a keyword, too: some 90 % of those are right.
LABEL_SCORE = 0.7


@dataclass(frozen=True, slots=True)
class Keywords:
    """All words, the broadest first, and the ways down the tree that end in them."""

    words: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]

    def __bool__(self) -> bool:
        return bool(self.words)


def categories(result: Result | None, summary: TagSummary) -> dict[str, str]:
    """The names of a photo's categories by wnid, as ``tagtray show`` has them, but the broadest first."""
    names = {tag.wnid: tag.name for tag in result.tags if tag.shown} if result else {}
    return {wnid: names[wnid] for wnid in reversed(summary.of(names))}


def of(result: Result | None, summary: TagSummary) -> Keywords:
    """The keywords of a photo: its categories, and the first label where the model is sure."""
    names = categories(result, summary)
    members: dict[str, Set[str]] = {wnid: summary.members[wnid] for wnid in names}
    label = result.labels[0] if result else None
    if label and label.score >= LABEL_SCORE and label.name not in names.values():
        key = label.wnid or label.name
        names[key], members[key] = label.name, {key}
    parents = _parents(list(names), members)
    leaves = [wnid for wnid in names if wnid not in parents.values()]
    ways = tuple(tuple(names[at] for at in _way(leaf, parents)) for leaf in leaves)
    return Keywords(tuple(dict.fromkeys(names.values())), ways)


def _parents(wnids: Sequence[str], members: Mapping[str, Set[str]]) -> dict[str, str]:
    """The narrowest of the broader ones of each that has any."""
    found = {}
    for number, wnid in enumerate(wnids):
        broader = [other for other in wnids[:number] if members[wnid] <= members[other]]
        if broader:
            found[wnid] = broader[-1]
    return found


def _way(leaf: str, parents: Mapping[str, str]) -> list[str]:
    way = [leaf]
    while way[-1] in parents:
        way.append(parents[way[-1]])
    return way[::-1]
