"""The end of a run: what came of it, and what to type next."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer

from tagtray.app.session import Session
from tagtray.config import urls
from tagtray.config.text import counted, shown
from tagtray.db.places import holds
from tagtray.db.reading import run_stats
from tagtray.db.reading.run_stats import NameCount
from tagtray.db.tables import ON_THEIR_WAY, Status

#: Categories and labels that the summary lists.
NAMES = 10
#: Images among which one with a plain name is looked for, to be suggested.
CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class _Counts:
    """Images by state: those that came to it in the run, and those that were in it before; failures."""

    now: Counter[str]
    before: Counter[str]
    failed: Counter[str]

    @classmethod
    def of(cls, session: Session) -> _Counts:
        counts = cls(Counter(), Counter(), Counter())
        for tally in run_stats.tallies(session.ledger.engine, session.targets, session.started):
            (counts.now if tally.since else counts.before)[tally.status] += tally.images
            if tally.since and tally.status == Status.FAILED:
                counts.failed[str(tally.error_code)] += tally.images
        return counts

    @property
    def finished(self) -> int:
        return self.now[Status.DONE] + self.now[Status.FAILED]

    @property
    def failures(self) -> int:
        return self.now[Status.FAILED] + self.before[Status.FAILED]

    @property
    def left(self) -> int:
        return sum((self.now + self.before)[state] for state in ON_THEIR_WAY)


def write(session: Session, seconds: float, stopped: bool = False) -> None:
    """Print it, from the ledger's figures; ``stopped``: somebody ended the run before it was over."""
    counts = _Counts.of(session)
    finished = counts.finished
    rate = f" ({finished / seconds:,.1f} images/s)" if finished else ""
    print(f"{counted(finished, 'image')} in {seconds:,.1f} s{rate}\n")
    for name, count, detail in _rows(session, counts, stopped):
        if count or name == "done":
            print(f"  {name:<14} {count:>9,}  {detail}".rstrip())
    _write_holds(session)
    _write_frequent(session)
    _write_next(session, counts)


def _rows(session: Session, counts: _Counts, stopped: bool) -> Iterator[tuple[str, int, str]]:
    """The lines of the table: what is counted, how many, and what that means."""
    now, before, progress = counts.now, counts.before, session.progress
    forwarded = run_stats.forwarded(session.ledger.engine, session.targets, session.started)
    yield "done", now[Status.DONE], _done(forwarded, now[Status.DONE] - forwarded)
    yield "failed", now[Status.FAILED], _by_code(counts.failed)
    yield "already known", before[Status.DONE], "unchanged since an earlier run"
    yield "failed before", before[Status.FAILED], "unchanged, not tried again"
    yield "skipped", progress.skipped.total(), _by_code(progress.skipped)
    yield "missing", now[Status.MISSING], "their files are gone; results are kept"
    yield "ignored", now[Status.IGNORED], "no longer wanted (.tagtrayignore); results are kept"
    copies = "folders of other programs' copies; !NAME/ in .tagtrayignore takes one in"
    yield "left out", progress.caches, copies
    yield "links", progress.links, _links(session)
    yield "left", counts.left, "the run was stopped" if stopped else "they cannot be read just now"
    yield "unfinished", _unfinished(session), "may still be written to"


def _write_holds(session: Session) -> None:
    names = {target.root.name for target in session.targets}
    for hold in holds.held(session.ledger.engine):
        if hold.root in names:
            why = "is paused" if hold.paused else "cannot be read just now"
            print(f"\n{hold.root} {why}: {hold.waiting:,} images wait.")


def _unfinished(session: Session) -> int:
    return session.producer.waiting.files


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


def _write_next(session: Session, counts: _Counts) -> None:
    typer.secho("\nNext", bold=True)
    left = counts.left or _unfinished(session)
    if left:
        print(f"  {_same_command()}")
    if path := _example(session):
        print(f"  tagtray show {shlex.quote(path)}")
        print('  tagtray sql "SELECT path, label, score FROM top1 ORDER BY score DESC LIMIT 20"')
        print(f"  tagtray serve  # in a browser: {urls.page(session.settings.host, session.settings.port)}")
    if counts.failures:
        print("  tagtray failures")
    if session.progress.links and not session.settings.follow_links:
        print(f"  {_same_command('--follow-links')}")
    elif not (path or counts.failures or left):
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
            return typed(path)
    return None


def typed(path: str) -> str:
    """A file as one would type it in this folder: never as an option."""
    relative = os.path.relpath(path)
    if relative.startswith(".."):
        return path
    return f"./{relative}" if relative.startswith("-") else relative


def _by_code(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())
