"""``tagtray db``: upgrade and check the database."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.db import invariants, migrate
from tagtray.db.places import roots

app = typer.Typer(help="The database: upgrade, check.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def upgrade() -> None:
    """Upgrade the database to the tables, the labels and the model of this version."""
    changed = bootstrap.bring_up(startup.load())
    print(f"The database {'is now' if changed else 'already was'} at revision {migrate.REVISION}.")


@app.command()
def check(
    fix: Annotated[bool, typer.Option("--fix", help="Repair what is broken, in one transaction.")] = False,
    json: options.Json = False,
) -> int:
    """Check the ledger's rules; exit code 1 if one is broken and was not repaired."""
    settings = startup.load()
    with (bootstrap.changing if fix else bootstrap.reading)(settings) as database:
        overlaps = roots.overlaps(database, settings)
        if fix:
            roots.merge_overlaps(database, settings)
        findings = [*invariants.check(database, fix), invariants.overlapping_roots(len(overlaps))]
    broken = [finding for finding in findings if finding.rows]
    if json:
        columns = [field.name for field in dataclasses.fields(invariants.Finding)]
        output.rows(columns, map(dataclasses.astuple, findings), Format.JSON)
    elif not broken:
        print(f"All {len(findings)} rules hold.")
    else:
        for finding in broken:
            print(f"{finding.rows:,} {finding.sentence}{' (repaired)' if fix else ''}.")
    return int(bool(broken) and not fix)
