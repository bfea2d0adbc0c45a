"""Re-classification in the background: brings back, page by page, what the current model has not seen."""

from __future__ import annotations

import time

from tagtray.db.ledger import Ledger
from tagtray.db.stale import Basis, Place

#: Seconds between looks at whether another model became the current one.
LOOK_INTERVAL = 2.0


class StaleImages:
    """Walks the stale images, the newest photo first, and remembers when there are none.

    All that it remembers can be lost: what is stale stands in the ledger.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._basis: Basis | None = None
        self._look_at = 0.0
        self._after: Place | None = None
        self._found = False
        #: Whether no image is stale, as far as is known.
        self.settled = False

    def look(self) -> None:
        """Begin anew if another model is current; what it has classified already is done at once."""
        if time.monotonic() < self._look_at:
            return
        basis = self._ledger.stale_basis()
        self._look_at = time.monotonic() + LOOK_INTERVAL
        if basis == self._basis:
            return
        self._ledger.let_stale_go(basis)
        self._basis, self._after, self._found = basis, None, False
        self.settled = basis.others_at is None

    def bring_back(self, limit: int) -> int:
        """Make up to ``limit`` of them ``pending``; how many."""
        if self.settled or self._basis is None:
            return 0
        moved, self._after = self._ledger.bring_back_stale(self._basis, limit, self._after)
        self._found = self._found or moved > 0
        if self._after is None:
            # Only a whole walk that finds nothing proves that there is nothing.
            self.settled, self._found = not self._found, False
        return moved
