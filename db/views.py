"""The public views: the stable interface for everybody who queries with SQL."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, or_, text

from tagtray.config import limits
from tagtray.db.tables import OWN, Image, Status

#: What marks a view as one that tagtray made: in its text (SQLite), in its comment (PostgreSQL).
MARK = "made by tagtray"
NAMES = ("results", "top1", "image_tags", "failures")

#: The images that the views show: their files are there, wanted and within the limits.
_SHOWN = """i.status NOT IN ('missing', 'ignored')
  AND (i.error_code IS NULL OR i.error_code NOT IN ('too_large', 'too_many_pixels'))"""
_MONTH = {"sqlite": "substr({0}, 1, 7)", "postgresql": "to_char({0}, 'YYYY-MM')"}

#: Who says so; at the end, since PostgreSQL adds columns to a view there alone without a drop.
_ORIGIN = f"""CASE WHEN EXISTS (
           SELECT 1 FROM verdicts v
           WHERE v.content_id = t.content_id AND v.wnid = t.wnid AND v.ended_at IS NULL
       ) THEN 'person' WHEN substr(t.wnid, 1, {len(OWN)}) = '{OWN}' THEN 'taught' ELSE 'model' END"""

_RESULTS = """
SELECT r.name AS root, i.path, p.rank, l.name AS label, l.name_zh AS label_zh, l.wnid, p.score,
       m.name AS model, c.engine, c.precision, c.classified_at, k.taken_at, {month} AS taken_month, k.sha256
FROM images i
JOIN roots r ON r.id = i.root_id
JOIN contents k ON k.id = i.content_id
JOIN classifications c ON c.content_id = k.id
JOIN models m ON m.id = c.model_id
JOIN predictions p ON p.content_id = k.id AND p.model_id = m.id
JOIN labels l ON l.label_set = m.label_set AND l.class_index = p.class_index
WHERE {shown}
"""

_TOP1 = """
SELECT r.name AS root, i.path, l.name AS label, l.name_zh AS label_zh, l.wnid, p.score, m.name AS model,
       c.classified_at, k.taken_at, {month} AS taken_month, k.sha256
FROM images i
JOIN roots r ON r.id = i.root_id
JOIN contents k ON k.id = i.content_id
JOIN models m ON m.is_current
JOIN classifications c ON c.content_id = k.id AND c.model_id = m.id
JOIN predictions p ON p.content_id = k.id AND p.model_id = m.id AND p.rank = 1
JOIN labels l ON l.label_set = m.label_set AND l.class_index = p.class_index
WHERE {shown}
"""

_IMAGE_TAGS = """
SELECT r.name AS root, i.path, g.name AS category, g.name_zh AS category_zh, t.wnid, t.score,
       k.taken_at, {month} AS taken_month, k.sha256, {origin} AS origin
FROM images i
JOIN roots r ON r.id = i.root_id
JOIN contents k ON k.id = i.content_id
JOIN models m ON m.is_current
JOIN tags t ON t.content_id = k.id AND t.model_id = m.id
JOIN categories g ON g.wnid = t.wnid AND g.curated
JOIN thresholds d ON d.model_id = m.id AND d.wnid = ''
LEFT JOIN thresholds o ON o.model_id = m.id AND o.wnid = t.wnid
WHERE {shown} AND t.score >= COALESCE(o.score, d.score)
"""

_FAILURES = """
SELECT r.name AS root, i.path, i.error_code, i.error_message, i.attempts, i.updated_at
FROM images i
JOIN roots r ON r.id = i.root_id
WHERE i.status = 'failed'
"""


def is_shown() -> ColumnElement[bool]:
    """SQL condition on ``images``: the one of the views."""
    within = or_(Image.error_code.is_(None), Image.error_code.not_in(limits.CODES))
    return and_(Image.status.not_in((Status.MISSING, Status.IGNORED)), within)


def create(connection: Connection) -> None:
    """Create all views in the dialect of ``connection``; PostgreSQL's are put in the place of earlier ones.

    There, views of the user's that are built on them stay, and so does who may read them.
    """
    dialect = connection.dialect.name
    month = _MONTH[dialect].format("k.taken_at")
    for name, query in zip(NAMES, (_RESULTS, _TOP1, _IMAGE_TAGS, _FAILURES), strict=True):
        query = query.format(month=month, shown=_SHOWN, origin=_ORIGIN)
        if dialect == "postgresql":
            connection.execute(text(f"CREATE OR REPLACE VIEW {name} AS {query}"))
            connection.execute(text(f"COMMENT ON VIEW {name} IS '{MARK}'"))
        else:
            connection.execute(text(f"CREATE VIEW {name} AS /* {MARK} */ {query}"))
