"""``tagtray import``: the results of another ledger."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO, Annotated

import typer

from tagtray.app import bootstrap, models, startup
from tagtray.config.errors import UsageError
from tagtray.config.text import shown
from tagtray.db.ledger import Ledger
from tagtray.exchange import outputs
from tagtray.exchange.importing import Importer


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE.jsonl", help="What `tagtray export` wrote; -: standard input.")
    ],
) -> None:
    """Take over the results that another ledger has exported as JSONL, by SHA-256.

    A photo that comes later and has the bytes of one of them is not classified again.
    """
    settings = startup.load()
    with _opened(file) as source, bootstrap.writing(settings) as database:
        importer = Importer(
            Ledger(database),
            lambda model: models.known(database, settings, model.name, model.weights_sha256),
        )
        importer.read(source)
    tally = importer.tally
    said = f" {tally.verdicts:,} verdicts of people are new." if tally.verdicts else ""
    print(
        f"{tally.new:,} results are new, {tally.known:,} were known; {tally.without:,} lines have none.{said}"
    )


@contextlib.contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    """What is to be read; raises UsageError or InfrastructureError where it cannot be."""
    try:
        if name == outputs.STANDARD:
            yield sys.stdin.buffer
            return
        with open(name, "rb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{shown(name)} cannot be read: {error.strerror}.") from None
