"""Alembic's entry: runs the migrations on the connection that db.migrate hands over."""

from __future__ import annotations

from alembic import context

from tagtray.db.access.ownership import VERSION_TABLE
from tagtray.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
