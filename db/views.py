"""The public views: the stable interface for everybody who queries with SQL."""

from __future__ import annotations

from sqlalchemy import Connection, text

NAMES = ("results", "top1", "image_tags", "failures")

_MONTH = {"sqlite": "substr({0}, 1, 7)", "postgresql": "to_char({0}, 'YYYY-MM')"}

_RESULTS = """
CREATE VIEW results AS
SELECT r.name AS root, i.path, p.rank, l.name AS label, l.name_zh AS label_zh, l.wnid, p.score,
       m.name AS model, c.engine, c.precision, c.classified_at, k.taken_at, {month} AS taken_month, k.sha256
FROM images i
JOIN roots r ON r.id = i.root_id
JOIN contents k ON k.id = i.content_id
JOIN classifications c ON c.content_id = k.id
JOIN models m ON m.id = c.model_id
JOIN predictions p ON p.content_id = k.id AND p.model_id = m.id
JOIN labels l ON l.label_set = m.label_set AND l.class_index = p.class_index
WHERE i.status NOT IN ('missing', 'ignored')
"""

_TOP1 = """
CREATE VIEW top1 AS
SELECT r.name AS root, i.path, l.name AS label, l.name_zh AS label_zh, l.wnid, p.score, m.name AS model,
       c.classified_at, k.taken_at, {month} AS taken_month, k.sha256
FROM images i
JOIN roots r ON r.id = i.root_id
JOIN contents k ON k.id = i.content_id
JOIN models m ON m.is_current
JOIN classifications c ON c.content_id = k.id AND c.model_id = m.id
JOIN predictions p ON p.content_id = k.id AND p.model_id = m.id AND p.rank = 1
JOIN labels l ON l.label_set = m.label_set AND l.class_index = p.class_index
WHERE i.status NOT IN ('missing', 'ignored')
"""

_IMAGE_TAGS = """
CREATE VIEW image_tags AS
SELECT r.name AS root, i.path, g.name AS category, g.name_zh AS category_zh, t.wnid, t.score,
       k.taken_at, {month} AS taken_month, k.sha256
FROM images i
JOIN roots r ON r.id = i.root_id
JOIN contents k ON k.id = i.content_id
JOIN models m ON m.is_current
JOIN tags t ON t.content_id = k.id AND t.model_id = m.id
JOIN categories g ON g.wnid = t.wnid AND g.curated
JOIN thresholds d ON d.model_id = m.id AND d.wnid = ''
LEFT JOIN thresholds o ON o.model_id = m.id AND o.wnid = t.wnid
WHERE i.status NOT IN ('missing', 'ignored') AND t.score >= COALESCE(o.score, d.score)
"""

_FAILURES = """
CREATE VIEW failures AS
SELECT r.name AS root, i.path, i.error_code, i.error_message, i.attempts, i.updated_at
FROM images i
JOIN roots r ON r.id = i.root_id
WHERE i.status = 'failed'
"""


def create(connection: Connection) -> None:
    """Create all views in the dialect of ``connection``."""
    dialect = connection.dialect.name
    month = _MONTH[dialect].format("k.taken_at")
    for statement in (_RESULTS, _TOP1, _IMAGE_TAGS, _FAILURES):
        connection.execute(text(statement.format(month=month)))


def drop(connection: Connection) -> None:
    """Drop those that exist; a migration may change the tables below them."""
    for name in NAMES:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
