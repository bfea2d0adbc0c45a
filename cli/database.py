"""``tagtray db``: care for the database."""

from __future__ import annotations

import typer

from cli import prepare

app = typer.Typer(help="The database: bring it to this version's tables.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def upgrade() -> None:
    """Bring the tables, the labels and the model of this version into the database."""
    from db import migrate

    changed = prepare.bring_up(prepare.load())
    print(f"The database {'is now' if changed else 'already was'} at revision {migrate.REVISION}.")
