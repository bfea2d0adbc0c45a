"""Which rows have lost their files: found after a scan, confirmed one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable

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
    """Images up to the id ``newest`` in the folder ``below`` that were not ``seen`` and whose files are gone.

    Rows in the ``unknown`` folders are left alone, and all of them once the scope is not the same any more.
    Returns how many became ``missing``. Raises InfrastructureError; it may be repeated then.
    """
    missing = 0
    for page in ledger.present(scope.root.id, below, newest):
        gone = [
            row
            for row, path in page
            if row not in seen
            and (not below or is_below(path, below))
            and not (unknown and _lies_in(path, unknown))
            and files.is_gone(scope.root.path, path)
        ]
        if not scope.is_same():
            return missing
        missing += ledger.mark_missing(gone)
    return missing


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
