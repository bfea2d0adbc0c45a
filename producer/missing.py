"""Which rows have lost their files, or are no longer wanted: found after a scan, confirmed one by one."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence

from tagtray.db.ledger import Ledger
from tagtray.db.paths import is_below
from tagtray.producer import files
from tagtray.producer.scope import Scope


class IdSet:
    """A set of small positive numbers, one bit each: a million ids are 125 KB."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def update(self, ids: Iterable[int]) -> None:
        """Add ``ids``."""
        bits = self._bits
        for number in ids:
            byte = number >> 3
            if byte >= len(bits):
                bits.extend(bytes(byte + 1 + byte // 4 - len(bits)))
            bits[byte] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        byte = number >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (number & 7) & 1)


def mark_missing(
    ledger: Ledger, scope: Scope, below: bytes, seen: IdSet, newest: int, unknown: set[bytes]
) -> int:
    """Judge the images up to the id ``newest`` in the folder ``below`` that were not ``seen``.

    Those whose files are gone become ``missing``, those that the scope no longer admits ``ignored``. Rows in
    the ``unknown`` folders are left alone, and all of them once the scope is not the same any more. Returns
    how many became ``missing``. Raises InfrastructureError; it may be repeated then.
    """
    missing = 0
    for page in ledger.present(scope.root.id, below, newest):
        unseen = [
            (row, path)
            for row, path in page
            if row not in seen
            and scope.covers(path)
            and (not below or is_below(path, below))
            and not (unknown and _lies_in(path, unknown))
        ]
        gone = {row for row, path in unseen if files.is_gone(scope.root.path, path)}
        unwanted = _unwanted(scope, [(row, path) for row, path in unseen if row not in gone])
        if not scope.is_same():
            return missing
        missing += ledger.mark_missing(list(gone))
        ledger.mark_ignored(unwanted)
    return missing


def _unwanted(scope: Scope, rows: Sequence[tuple[int, bytes]]) -> list[int]:
    """Those of ``rows`` that the scope does not admit; the rules of a folder are read once."""
    rules = functools.cache(scope.rules)
    return [row for row, path in rows if not scope.admits(path, rules(os.path.dirname(path)))]


def has_rows(ledger: Ledger, scope: Scope) -> bool:
    """Whether the ledger has images of the scope that are not ``missing``."""
    return any(ledger.present(scope.root.id, scope.below))


def _lies_in(path: bytes, folders: set[bytes]) -> bool:
    if b"" in folders:
        return True
    folder = os.path.dirname(path)
    while folder:
        if folder in folders:
            return True
        folder = os.path.dirname(folder)
    return False
