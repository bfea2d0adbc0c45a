"""``tagtray db``: care for the database."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.db import invariants, migrate

app = typer.Typer(help="The database: bring it to this version's tables, check it.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def upgrade() -> None:
    """Bring the tables, the labels and the model of this version into the database."""
    changed = bootstrap.bring_up(startup.load())
    print(f"The database {'is now' if changed else 'already was'} at revision {migrate.REVISION}.")


@app.command()
def check(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what breaks a rule, in one transaction.")] = False,
    json: options.Json = False,
) -> int:
    """Check that the ledger is true to itself: exit code 1 if it is not, and was not mended."""
    with (bootstrap.changing if fix else bootstrap.reading)(startup.load()) as database:
        findings = invariants.check(database, fix)
    broken = [finding for finding in findings if finding.rows]
    if json:
        columns = [field.name for field in dataclasses.fields(invariants.Finding)]
        output.rows(columns, map(dataclasses.astuple, findings), Format.JSON)
    elif not broken:
        print(f"All {len(findings)} rules hold.")
    else:
        for finding in broken:
            print(f"{finding.rows:,} {finding.sentence}{' (mended)' if fix else ''}.")
    return int(bool(broken) and not fix)
