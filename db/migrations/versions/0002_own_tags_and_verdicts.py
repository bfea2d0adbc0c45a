"""Own tags, and what people say of photos."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tagtray.db.clock import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = UtcDateTime()
COUNTS = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "own_tags",
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("parent_wnid", sa.String(), nullable=True),
        sa.Column("examples_version", BIG_ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["wnid"], ["categories.wnid"], name="fk_own_tags_wnid"),
        sa.ForeignKeyConstraint(["parent_wnid"], ["categories.wnid"], name="fk_own_tags_parent_wnid"),
        sa.PrimaryKeyConstraint("wnid", name="pk_own_tags"),
    )
    op.create_table(
        "own_tag_classifiers",
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("fit", sa.String(), nullable=False),
        sa.Column("examples_version", BIG_ID, nullable=False),
        sa.Column("positives", BIG_ID, nullable=False),
        sa.Column("negatives", BIG_ID, nullable=False),
        sa.Column("others", BIG_ID, nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("bias", sa.Double(), nullable=False),
        sa.Column("precision", sa.Double(), nullable=False),
        sa.Column("trained_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["wnid"], ["own_tags.wnid"], name="fk_own_tag_classifiers_wnid"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_own_tag_classifiers_model_id"),
        sa.PrimaryKeyConstraint("wnid", "model_id", name="pk_own_tag_classifiers"),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("content_id", BIG_ID, nullable=False),
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("verdict", BIG_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("said_by", sa.String(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_verdicts_content_id"),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
    )
    op.create_index(
        "uq_verdicts_content_id_wnid",
        "verdicts",
        ["content_id", "wnid"],
        unique=True,
        sqlite_where=COUNTS,
        postgresql_where=COUNTS,
    )
    op.create_index("ix_verdicts_content_id_id", "verdicts", ["content_id", "id"])
    op.create_index("ix_verdicts_wnid_content_id", "verdicts", ["wnid", "content_id"])
    op.create_table(
        "overruled_tags",
        sa.Column("content_id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_overruled_tags_content_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_overruled_tags_model_id"),
        sa.ForeignKeyConstraint(["wnid"], ["categories.wnid"], name="fk_overruled_tags_wnid"),
        sa.PrimaryKeyConstraint("content_id", "model_id", "wnid", name="pk_overruled_tags"),
    )
