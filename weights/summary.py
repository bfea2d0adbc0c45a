"""Which of a photo's categories a list names: the most specific first, and none that adds nothing.

The categories are taken from the smallest (in classes below it) to the largest. An everyday word is always
named; any other category is left out where those named before it hold a third or more of its classes. So a
beagle is "hunting dog, dog, animal", without the pet, canine and mammal that say nearly the same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from tagtray.weights.labels import Category, LabelSet

#: Share of a category's classes from which it adds nothing to those that were named before it.
COVERED = 1 / 3


def summary(labels: LabelSet, wnids: Iterable[str]) -> list[str]:
    """Those of the categories ``wnids`` that are worth naming together, the most specific first."""
    curated, members = _curated(labels), _members(labels)
    # Of two with the same classes the later synset comes first: WordNet numbers plant before flower.
    largest_first = sorted(curated.keys() & set(wnids), key=lambda wnid: (-len(members[wnid]), wnid))
    named: list[str] = []
    covered: set[str] = set()
    for wnid in reversed(largest_first):
        share = len(members[wnid] & covered) / len(members[wnid])
        if curated[wnid].everyday or share < COVERED:
            named.append(wnid)
            covered |= members[wnid]
    return named


@functools.cache
def _curated(labels: LabelSet) -> dict[str, Category]:
    return {category.wnid: category for category in labels.categories if category.curated}


@functools.cache
def _members(labels: LabelSet) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for below, above in labels.closure:
        found.setdefault(above, set()).add(below)
    return {wnid: frozenset(members) for wnid, members in found.items()}
