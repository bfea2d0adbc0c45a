"""The figures beside a gallery, counted in the background: whoever asks gets what there is."""

from __future__ import annotations

import threading
import time

from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError
from tagtray.db.access.transactions import read
from tagtray.db.reading import facets
from tagtray.web import schemas

#: Seconds for which figures are given out without counting again.
FRESH_SECONDS = 10.0
#: Share of the time that counting may take: of a million photos it takes seconds.
COUNTING_SHARE = 0.05
#: Categories that are given out.
CATEGORIES = 60


class Facets:
    """Counts when asked and the figures are old; one count at a time, for all who ask."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._found: schemas.Facets | None = None
        self._counted_at = 0.0
        self._cost = 0.0

    def get(self) -> schemas.Facets:
        """The figures; the first to ask waits for them. Raises InfrastructureError."""
        found = self._found
        if found is None:
            with self._lock:
                return self._found or self._count()
        age = time.monotonic() - self._counted_at
        due = age > max(FRESH_SECONDS, self._cost / COUNTING_SHARE)
        if due and self._lock.acquire(blocking=False):
            threading.Thread(target=self._recount, name="facets", daemon=True).start()
        return found.model_copy(update={"age": round(age, 1)})

    def _recount(self) -> None:
        try:
            self._count()
        except InfrastructureError:
            pass  # the figures stay as old as they say
        finally:
            self._lock.release()

    def _count(self) -> schemas.Facets:
        began = time.monotonic()
        categories = read(self._engine, facets.categories)
        months = read(self._engine, facets.months)
        photos = read(self._engine, facets.photos)
        dated = sum(month.photos for month in months)
        self._found = schemas.Facets.model_validate(
            {
                "photos": photos,
                "categories": categories[:CATEGORIES],
                "months": months,
                "undated": photos - dated,
                "age": 0.0,
            }
        )
        self._counted_at = time.monotonic()
        self._cost = self._counted_at - began
        return self._found
