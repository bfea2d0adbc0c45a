"""The end of a run: what came of it, and what to type next."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence

import typer

from tagtray.app.session import Session
from tagtray.config import urls
from tagtray.config.text import shown
from tagtray.db.places import holds
from tagtray.db.reading import run_stats
from tagtray.db.reading.run_stats import NameCount
from tagtray.db.tables import ON_THEIR_WAY, Status

#: Categories and labels that the summary lists.
NAMES = 10
#: Images among which one with a plain name is looked for, to be suggested.
CANDIDATES = 20


def write(session: Session, seconds: float, stopped: bool = False) -> None:
    """Print it, from the ledger's figures; ``stopped``: somebody ended the run before it was over."""
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
    progress, waiting = session.progress, session.producer.waiting.files
    skipped = progress.skipped
    left = sum((now + before)[state] for state in ON_THEIR_WAY)
    rows = [
        ("done", now[Status.DONE], _done(forwarded, now[Status.DONE] - forwarded)),
        ("failed", now[Status.FAILED], _counts(failed)),
        ("already known", before[Status.DONE], "unchanged since an earlier run"),
        ("failed before", before[Status.FAILED], "unchanged, not tried again"),
        ("skipped", skipped.total(), _counts(skipped)),
        ("missing", now[Status.MISSING], "their files are gone; results are kept"),
        ("ignored", now[Status.IGNORED], "no longer wanted (.tagtrayignore); results are kept"),
        (
            "left out",
            progress.caches,
            "folders of other programs' copies; !NAME/ in .tagtrayignore takes one in",
        ),
        ("links", progress.links, _links(session)),
        ("left", left, "the run was stopped" if stopped else "they cannot be read just now"),
        ("unfinished", waiting, "may still be written to"),
    ]
    for name, count, detail in rows:
        if count or name == "done":
            print(f"  {name:<14} {count:>9,}  {detail}".rstrip())
    _write_holds(session)
    _write_frequent(session)
    failures = now[Status.FAILED] + before[Status.FAILED]
    _write_next(session, bool(failures), bool(left or waiting), bool(progress.links))


def _write_holds(session: Session) -> None:
    names = {target.root.name for target in session.targets}
    for hold in holds.held(session.ledger.engine):
        if hold.root in names:
            why = "is paused" if hold.paused else "cannot be read just now"
            print(f"\n{hold.root} {why}: {hold.waiting:,} images wait.")


def _done(classified: int, known: int) -> str:
    return f"{classified:,} classified, {known:,} with known content" if known else ""


def _links(session: Session) -> str:
    if session.settings.follow_links:
        return "lead out of the folder; what they lead to counts where it is"
    return "lead out of the folder and are not followed; --follow-links takes in what they lead to"


def _write_frequent(session: Session) -> None:
    """Categories first: in a varied folder each label has one photo."""
    engine, targets = session.ledger.engine, session.targets
    _write_names("categories", run_stats.frequent_categories(engine, targets, NAMES))
    _write_names("labels", run_stats.frequent_labels(engine, targets, NAMES))


def _write_names(what: str, found: Sequence[NameCount]) -> None:
    if found:
        typer.secho(f"\nMost frequent {what}", bold=True)
        for row in found:
            print(f"  {row.images:>9,}  {row.name}  {row.name_zh}")


def _write_next(session: Session, failures: bool, left: bool, links: bool) -> None:
    typer.secho("\nNext", bold=True)
    if left:
        print(f"  {_same_command()}")
    if path := _example(session):
        print(f"  tagtray show {shlex.quote(path)}")
        print('  tagtray sql "SELECT path, label, score FROM top1 ORDER BY score DESC LIMIT 20"')
        print(f"  tagtray serve  # in a browser: {urls.page(session.settings.host, session.settings.port)}")
    if failures:
        print("  tagtray failures")
    if links and not session.settings.follow_links:
        print(f"  {_same_command('--follow-links')}")
    elif not (path or failures or left):
        print("  put images into the folder and run the same command again")


def _same_command(*more: str) -> str:
    """What was typed, with ``more`` options, as a shell takes it; names that it cannot show are left out."""
    command = shlex.join(["tagtray", *sys.argv[1:2], *more, *sys.argv[2:]])
    return command if command == shown(command) else "tagtray run, with the same arguments"


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
