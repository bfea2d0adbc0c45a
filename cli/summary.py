"""The end of a run: what came of it, and what to type next."""

from __future__ import annotations

import os
import shlex
from collections import Counter

import typer

from tagtray.app.session import Session
from tagtray.config.text import shown
from tagtray.db.places import holds
from tagtray.db.reading import run_stats
from tagtray.db.tables import Status

#: Labels that the summary lists.
LABELS = 10
#: Images among which one with a plain name is looked for, to be suggested.
CANDIDATES = 20


def write(session: Session, seconds: float) -> None:
    """Print it, from the ledger's figures."""
    engine, targets = session.ledger.engine, session.targets
    tallies = run_stats.tallies(engine, targets, session.started)
    now, before, failed = Counter[str](), Counter[str](), Counter[str]()
    for tally in tallies:
        (now if tally.since else before)[tally.status] += tally.images
        if tally.since and tally.status == Status.FAILED:
            failed[str(tally.error_code)] += tally.images
    finished = now[Status.DONE] + now[Status.FAILED]
    rate = f" ({finished / seconds:,.1f} images/s)" if finished else ""
    print(f"{finished:,} {'image' if finished == 1 else 'images'} in {seconds:,.1f} s{rate}\n")
    forwarded = run_stats.forwarded(engine, targets, session.started)
    skipped, caches = session.progress.skipped, session.progress.caches
    left = sum((now + before)[state] for state in (Status.PENDING, Status.QUEUED, Status.RUNNING))
    rows = [
        ("done", now[Status.DONE], _done(forwarded, now[Status.DONE] - forwarded)),
        ("failed", now[Status.FAILED], _counts(failed)),
        ("already known", before[Status.DONE], "unchanged since an earlier run"),
        ("failed before", before[Status.FAILED], "unchanged, not tried again"),
        ("skipped", skipped.total(), _counts(skipped)),
        ("missing", now[Status.MISSING], "their files are gone; results are kept"),
        ("ignored", now[Status.IGNORED], "no longer wanted (.tagtrayignore); results are kept"),
        ("left out", caches, "folders of other programs' copies; !NAME/ in .tagtrayignore takes one in"),
        ("left", left, "the same command goes on with them"),
    ]
    for name, count, detail in rows:
        if count or name == "done":
            print(f"  {name:<14} {count:>9,}  {detail}".rstrip())
    _write_holds(session)
    _write_labels(session)
    _write_next(session, bool(now[Status.FAILED] + before[Status.FAILED]))


def _write_holds(session: Session) -> None:
    names = {target.root.name for target in session.targets}
    for hold in holds.held(session.ledger.engine):
        if hold.root in names:
            why = "is paused" if hold.paused else "cannot be read just now"
            print(f"\n{hold.root} {why}: {hold.waiting:,} images wait.")


def _done(classified: int, known: int) -> str:
    return f"{classified:,} classified, {known:,} with known content" if known else ""


def _write_labels(session: Session) -> None:
    found = run_stats.frequent_labels(session.ledger.engine, session.targets, LABELS)
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
    for root_id, name in run_stats.some_done(session.ledger.engine, session.targets, CANDIDATES):
        path = os.fsdecode(os.path.join(folders[root_id], name))
        if path == shown(path):
            relative = os.path.relpath(path)
            return path if relative.startswith("..") else relative
    return None


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())
