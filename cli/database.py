"""``tagtray db``: upgrade, check, vacuum and back up the database."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.cli.output import Format
from tagtray.config.text import shown
from tagtray.db import invariants, migrate, upkeep
from tagtray.db.places import roots

app = typer.Typer(help="The database: upgrade, check, vacuum, back up.", no_args_is_help=True)


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


@app.command()
def vacuum() -> None:
    """Give room back to the disk and renew the planner's figures; SQLite: while nobody else writes."""
    with bootstrap.changing(startup.load()) as database:
        before = upkeep.size(database)
        upkeep.vacuum(database)
        print(f"{before:,} bytes before, {upkeep.size(database):,} bytes now.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; a former one is replaced.")],
) -> None:
    """Copy the SQLite ledger into a file, as it is just now, while others go on to write."""
    with bootstrap.changing(startup.load()) as database:
        print(f"{shown(file)} has {upkeep.backup(database, file):,} bytes.")
