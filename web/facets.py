"""The figures beside a gallery: counted when they are asked for and old, by one for all who ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError
from tagtray.db.access.transactions import read
from tagtray.db.reading import facets
from tagtray.web import schemas

#: Seconds after which figures are counted again in the background by whoever asks.
FRESH_SECONDS = 5.0
#: Seconds from which those who ask wait for that count, and for how many at most.
OLD_SECONDS, WAIT_SECONDS = 10.0, 1.0
#: Share of the time that counting may take: figures that take long are counted less often.
COUNTING_SHARE = 0.05
#: Categories that are given out.
CATEGORIES = 60

Figure = TypeVar("Figure")


@dataclass(frozen=True, slots=True)
class _Counted(Generic[Figure]):
    figure: Figure
    at: float
    seconds: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.at

    @property
    def fresh_seconds(self) -> float:
        return max(FRESH_SECONDS, self.seconds / COUNTING_SHARE)


class Kept(Generic[Figure]):
    """A figure and its age; safe for threads. ``waits``: who comes to an old one waits for a new count."""

    def __init__(self, count: Callable[[], Figure], waits: bool = True) -> None:
        self._count = count
        self._waits = waits
        self._counting = threading.Lock()
        self._counted: _Counted[Figure] | None = None

    def get(self) -> tuple[Figure, float]:
        """The figure and its age in seconds; the first to ask waits for it. Raises InfrastructureError."""
        found = self._counted or self._first()
        if found.age > found.fresh_seconds:
            if self._counting.acquire(blocking=False):
                threading.Thread(target=self._recount, name="facets", daemon=True).start()
            if self._waits and found.age > OLD_SECONDS and self._counting.acquire(timeout=WAIT_SECONDS):
                self._counting.release()
            found = self._counted or found
        return found.figure, found.age

    def _first(self) -> _Counted[Figure]:
        with self._counting:
            return self._counted or self._take()

    def _recount(self) -> None:
        try:
            self._take()
        except InfrastructureError:
            pass  # it stays as old as it says
        finally:
            self._counting.release()

    def _take(self) -> _Counted[Figure]:
        began = time.monotonic()
        figure = self._count()
        self._counted = _Counted(figure, began, time.monotonic() - began)
        return self._counted


class Facets:
    """The figures of one server.

    Of a million photos, categories take a tenth of a second, and months nearly one: they are counted apart.
    """

    def __init__(self, engine: Engine) -> None:
        self._categories = Kept(lambda: read(engine, facets.categories))
        self._months = Kept(lambda: read(engine, facets.months), waits=False)

    def get(self) -> schemas.Facets:
        """The figures and their ages. Raises InfrastructureError."""
        categories, age = self._categories.get()
        (months, undated), months_age = self._months.get()
        return schemas.Facets.model_validate(
            {
                "photos": undated + sum(month.photos for month in months),
                "categories": categories[:CATEGORIES],
                "months": months,
                "undated": undated,
                "age": round(age, 1),
                "months_age": round(months_age, 1),
            }
        )
