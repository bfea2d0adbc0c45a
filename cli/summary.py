"""The end of a run: what came of it, and what to type next."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from typing import TYPE_CHECKING

import typer

from cli.output import shown
from db import figures
from db.models import Status

if TYPE_CHECKING:
    from cli.session import Session

#: Labels that the summary lists.
LABELS = 10
#: Images among which one with a plain name is looked for, to be suggested.
CANDIDATES = 20


def write(session: Session, seconds: float) -> None:
    """Print it, from the ledger's figures."""
    engine, targets = session.ledger.engine, session.targets
    tallies = figures.tallies(engine, targets, session.started)
    fresh = Counter[str]()
    former = Counter[str]()
    failed = Counter[str]()
    for tally in tallies:
        (fresh if tally.since else former)[tally.status] += tally.images
        if tally.since and tally.status == Status.FAILED:
            failed[str(tally.error_code)] += tally.images
    forwarded = figures.forwarded(engine, targets, session.started)
    finished = fresh[Status.DONE] + fresh[Status.FAILED]
    rate = f" ({finished / seconds:,.1f} images/s)" if finished else ""
    print(f"{finished:,} {_images(finished)} in {seconds:,.1f} s{rate}\n")
    skipped = session.producer.progress.skipped
    rows = [
        ("done", fresh[Status.DONE], ""),
        ("failed", fresh[Status.FAILED], _counts(failed)),
        (
            "already known",
            former[Status.DONE] + fresh[Status.DONE] - forwarded,
            f"{former[Status.DONE]:,} unchanged, {fresh[Status.DONE] - forwarded:,} with known content",
        ),
        ("failed before", former[Status.FAILED], ""),
        ("skipped", skipped.total(), _counts(skipped)),
        ("missing", fresh[Status.MISSING], "files that are gone; their results are kept"),
        ("left", sum((fresh + former)[s] for s in (Status.PENDING, Status.QUEUED, Status.RUNNING)), ""),
    ]
    for name, count, detail in rows:
        if count or name == "done":
            print(f"  {name:<14} {count:>9,}  {detail}".rstrip())
    _write_labels(session)
    _write_next(session, bool(fresh[Status.FAILED] + former[Status.FAILED]))


def _write_labels(session: Session) -> None:
    found = figures.frequent_labels(session.ledger.engine, session.targets, LABELS)
    if found:
        typer.secho("\nMost frequent labels", bold=True)
        for row in found:
            print(f"  {row.images:>9,}  {row.label}  {row.label_zh}")


def _write_next(session: Session, failures: bool) -> None:
    typer.secho("\nNext", bold=True)
    if path := _example(session):
        print(f"  tagtray show {shlex.quote(path)}")
        print('  tagtray sql "SELECT path, label, score FROM top1 ORDER BY score DESC LIMIT 20"')
    if failures:
        print("  tagtray failures")
    if not path and not failures:
        print("  put images into the folder and run the same command again")


def _example(session: Session) -> str | None:
    """An image to look at: as one would type it here, and with a plain name if there is any."""
    folders = {target.root.id: target.root.path for target in session.targets}
    for root_id, name in figures.some_done(session.ledger.engine, session.targets, CANDIDATES):
        path = os.fsdecode(os.path.join(folders[root_id], name))
        if path == shown(path):
            relative = os.path.relpath(path)
            return path if relative.startswith("..") else relative
    return None


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())


def _images(count: int) -> str:
    return "image" if count == 1 else "images"
