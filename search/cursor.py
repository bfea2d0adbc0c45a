"""Where a page of hits ends, as text that a client hands back for the next one."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, and_, or_

from tagtray.config.errors import UsageError
from tagtray.search.query import Order

#: Characters of a cursor at most.
MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last hit of a page: what it is ordered by (None: it has no date or score) and its ids."""

    key: float | datetime | None
    content_id: int
    image_id: int

    @classmethod
    def of(cls, row: Row[Any]) -> Cursor:
        """The cursor behind a row of hits."""
        return cls(row.key, row.content_id, row.image_id)

    @classmethod
    def read(cls, text: str, order: Order) -> Cursor:
        """The cursor that ``text`` gave; raises UsageError where none of this order did."""
        try:
            if len(text) > MAX_LENGTH:
                raise ValueError
            key, content_id, image_id = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
            if key is not None:
                key = datetime.fromisoformat(key) if order == "date" else float(key + 0)
            return cls(key, int(content_id + 0), int(image_id + 0))
        except (ValueError, TypeError):
            raise UsageError("The cursor is none that a page of this order ended with.") from None

    def text(self) -> str:
        """What ``read`` reads."""
        key = self.key.isoformat() if isinstance(self.key, datetime) else self.key
        return base64.urlsafe_b64encode(json.dumps([key, self.content_id, self.image_id]).encode()).decode()

    def before(self, hits: FromClause) -> ColumnElement[bool]:
        """The condition on hits, which come from the greatest to the least: that they come after this one."""
        ids = or_(
            hits.c.content_id < self.content_id,
            and_(hits.c.content_id == self.content_id, hits.c.image_id < self.image_id),
        )
        # The first condition says nothing new, but an index can be searched for it.
        if self.key is None:
            return and_(hits.c.content_id <= self.content_id, ids)
        return and_(hits.c.key <= self.key, or_(hits.c.key < self.key, ids))
