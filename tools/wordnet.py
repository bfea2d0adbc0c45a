"""For developers: recompute from WordNet 3.0 which class lies below which category, and compare.

``python -m tools.wordnet /usr/share/wordnet/data.noun`` (Debian: wordnet-base) exits 1 on a difference.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tagtray.weights.labels import LabelSet
from tagtray.weights.store import ModelStore

#: Categories of fewer classes add nothing to a label, those of more say nothing ("entity").
FEWEST, MOST = 2, 400

#: What people call food is two synsets of WordNet; the first one gets the classes of both.
FOOD, SOLID_FOOD = "n00021265", "n07555863"

#: A pointer of a synset to a noun above it: "@" a kind of, "@i" an instance of, then the offset.
#: https://wordnet.princeton.edu/documentation/wndb5wn and wninput5wn
HYPERNYM = re.compile(r" @i? (\d{8}) n ")


def parents(data_noun: Path) -> dict[str, tuple[str, ...]]:
    """The direct hypernyms of every noun synset; a wnid is "n" and the synset's offset."""
    found = {}
    for line in data_noun.read_text(encoding="latin-1").splitlines():
        if not line.startswith("  "):  # the licence
            synset, _, _ = line.partition(" | ")
            found["n" + synset[:8]] = tuple("n" + offset for offset in HYPERNYM.findall(synset))
    return found


def ancestors(wnid: str, above: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """All synsets above ``wnid``, at any distance; a synset may have several parents."""
    seen: set[str] = set()
    waiting = list(above[wnid])
    while waiting:
        found = waiting.pop()
        if found not in seen:
            seen.add(found)
            waiting.extend(above[found])
    return frozenset(seen)


def closure(wnids: Iterable[str], above: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """For every class its categories: the ancestors that FEWEST to MOST of the classes share."""
    all_of = {wnid: _with_food(ancestors(wnid, above)) for wnid in wnids}
    size = Counter(category for found in all_of.values() for category in found)
    kept = {category for category, n in size.items() if FEWEST <= n <= MOST}
    return {wnid: found & kept for wnid, found in all_of.items()}


def _with_food(found: frozenset[str]) -> frozenset[str]:
    return found | {FOOD} if SOLID_FOOD in found else found


def differences(data_noun: Path, labels: LabelSet) -> set[tuple[str, str]]:
    """(class, category) pairs that WordNet has and the label set has not, or the other way round."""
    found = closure([label.wnid for label in labels.labels if label.wnid], parents(data_noun))
    return {(wnid, category) for wnid, categories in found.items() for category in categories} ^ set(
        labels.closure
    )


if __name__ == "__main__":
    found = differences(Path(sys.argv[1]), ModelStore().default.labels)
    print(f"{len(found)} pairs differ from WordNet.")
    sys.exit(bool(found))
