"""Which of a photo's categories a list names: the most specific first, and none that adds nothing.

The categories are taken from the smallest (in classes below it) to the largest. An everyday word is always
named; any other category is left out where those named before it hold a third or more of its classes. So a
beagle is "hunting dog, dog, animal", without the pet, canine and mammal that say nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from sqlalchemy import Connection, select

from tagtray.db.tables import Category, LabelCategory

#: Share of a category's classes from which it adds nothing to those that were named before it.
COVERED = 1 / 3


@dataclass(frozen=True, slots=True)
class TagSummary:
    """The curated categories by wnid, each with the classes below it; and which are everyday words."""

    members: Mapping[str, Set[str]]
    everyday: Set[str]

    @classmethod
    def load(cls, connection: Connection) -> TagSummary:
        """Those of the ledger."""
        query = select(Category.wnid, Category.everyday, LabelCategory.class_wnid).join(
            LabelCategory, LabelCategory.category_wnid == Category.wnid
        )
        members: dict[str, set[str]] = {}
        everyday = set()
        for wnid, is_everyday, class_wnid in connection.execute(query.where(Category.curated)):
            members.setdefault(wnid, set()).add(class_wnid)
            if is_everyday:
                everyday.add(wnid)
        return cls(members, everyday)

    def of(self, wnids: Iterable[str]) -> list[str]:
        """Those of ``wnids`` that are worth naming together, the most specific first."""
        # Of two with the same classes the later synset comes first: WordNet numbers plant before flower.
        largest_first = sorted(
            self.members.keys() & set(wnids), key=lambda wnid: (-len(self.members[wnid]), wnid)
        )
        named: list[str] = []
        covered: set[str] = set()
        for wnid in reversed(largest_first):
            members = self.members[wnid]
            if wnid in self.everyday or len(members & covered) < COVERED * len(members):
                named.append(wnid)
                covered |= members
        return named
