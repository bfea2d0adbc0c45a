"""The tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tagtray.db.clock import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = UtcDateTime()


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("aliases", sa.String(), nullable=False),
        sa.Column("curated", sa.Boolean(), nullable=False),
        sa.Column("everyday", sa.Boolean(), nullable=False),
        sa.Column("icon", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("wnid", name="pk_categories"),
    )
    op.create_index("ix_categories_name", "categories", ["name"])

    op.create_table(
        "contents",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("width", BIG_ID, nullable=False),
        sa.Column("height", BIG_ID, nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=True),
        sa.Column("taken_from", sa.String(), nullable=True),
        sa.Column("camera", sa.String(), nullable=True),
        sa.Column("color", sa.String(), nullable=True),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_contents"),
        sa.UniqueConstraint("sha256", name="uq_contents_sha256"),
    )
    op.create_index("ix_contents_taken_at", "contents", ["taken_at", "id"])
    op.create_index("ix_contents_camera", "contents", ["camera", "taken_at", "id"])

    op.create_table(
        "labels",
        sa.Column("label_set", sa.String(), nullable=False),
        sa.Column("class_index", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("wnid", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("aliases", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("label_set", "class_index", name="pk_labels"),
    )
    op.create_index("ix_labels_name", "labels", ["name"])
    op.create_index("ix_labels_wnid", "labels", ["wnid"])

    op.create_table(
        "models",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("label_set", sa.String(), nullable=False),
        sa.Column("weights_sha256", sa.String(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("name", "weights_sha256", name="uq_models_name_weights_sha256"),
    )
    op.create_table(
        "roots",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_roots"),
        sa.UniqueConstraint("name", name="uq_roots_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "classifications",
        sa.Column("content_id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("precision", sa.String(), nullable=False),
        sa.Column("decode", sa.String(), nullable=False),
        sa.Column("classified_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_classifications_content_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_classifications_model_id"),
        sa.PrimaryKeyConstraint("content_id", "model_id", name="pk_classifications"),
    )
    op.create_index(
        "ix_classifications_model_id_classified_at", "classifications", ["model_id", "classified_at"]
    )

    op.create_table(
        "thresholds",
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_thresholds_model_id"),
        sa.PrimaryKeyConstraint("model_id", "wnid", name="pk_thresholds"),
    )
    op.create_table(
        "features",
        sa.Column("content_id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_features_content_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_features_model_id"),
        sa.PrimaryKeyConstraint("content_id", "model_id", name="pk_features"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", BIG_ID, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("precision", sa.String(), nullable=False),
        sa.Column("passed_over", sa.String(), nullable=False),
        sa.Column("roots", sa.JSON(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("heartbeat_at", MOMENT, nullable=False),
        sa.Column("images", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_workers_model_id"),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "images",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("root_id", BIG_ID, nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("path_raw", sa.LargeBinary(), nullable=True),
        sa.Column("content_id", BIG_ID, nullable=True),
        sa.Column("size_bytes", BIG_ID, nullable=False),
        sa.Column("mtime_ns", BIG_ID, nullable=False),
        sa.Column("ctime_ns", BIG_ID, nullable=False),
        sa.Column("inode", BIG_ID, nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("priority", BIG_ID, nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("attempts", BIG_ID, nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_images_content_id"),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name="fk_images_root_id"),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.UniqueConstraint("root_id", "path", name="uq_images_root_id_path"),
    )
    op.create_index("ix_images_content_id", "images", ["content_id"])
    op.create_index("ix_images_status_priority_root_id", "images", ["status", "priority", "root_id", "id"])

    op.create_table(
        "label_categories",
        sa.Column("class_wnid", sa.String(), nullable=False),
        sa.Column("category_wnid", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_wnid"], ["categories.wnid"], name="fk_label_categories_category_wnid"
        ),
        sa.PrimaryKeyConstraint("class_wnid", "category_wnid", name="pk_label_categories"),
    )
    op.create_table(
        "predictions",
        sa.Column("content_id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("rank", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("class_index", BIG_ID, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_predictions_content_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_predictions_model_id"),
        sa.PrimaryKeyConstraint("content_id", "model_id", "rank", name="pk_predictions"),
    )
    op.create_index(
        "ix_predictions_class_index_score",
        "predictions",
        ["class_index", "model_id", "score", "content_id"],
    )
    op.create_index(
        "ix_predictions_score",
        "predictions",
        ["score", "model_id", "content_id"],
        sqlite_where=sa.text("rank = 1"),
        postgresql_where=sa.text("rank = 1"),
    )

    op.create_table(
        "tags",
        sa.Column("content_id", BIG_ID, nullable=False),
        sa.Column("model_id", BIG_ID, nullable=False),
        sa.Column("wnid", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_tags_content_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_tags_model_id"),
        sa.ForeignKeyConstraint(["wnid"], ["categories.wnid"], name="fk_tags_wnid"),
        sa.PrimaryKeyConstraint("content_id", "model_id", "wnid", name="pk_tags"),
    )
    op.create_index("ix_tags_wnid_score", "tags", ["wnid", "model_id", "score", "content_id"])

    op.create_table(
        "sidecars",
        sa.Column("image_id", BIG_ID, nullable=False),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("former_sha256", sa.String(), nullable=True),
        sa.Column("original", sa.LargeBinary(), nullable=True),
        sa.Column("written_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_sidecars_image_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", name="pk_sidecars"),
    )
    op.create_index("ix_sidecars_sha256", "sidecars", ["sha256"])

    op.create_table(
        "album_files",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("album", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("image_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("size_bytes", BIG_ID, nullable=False),
        sa.Column("mtime_ns", BIG_ID, nullable=False),
        sa.Column("written_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name="fk_album_files_image_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_album_files"),
        sa.UniqueConstraint("host", "path", name="uq_album_files_host_path"),
    )
    op.create_index("ix_album_files_image_id", "album_files", ["image_id"])
