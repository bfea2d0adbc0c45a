"""``tagtray scan`` and ``tagtray watch``: the producer alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated

import typer

from tagtray.app import bootstrap, refresher, startup
from tagtray.app.session import Session, check_folders
from tagtray.cli import monitoring, options, progress, streams
from tagtray.cli.signals import AtOnce, StopRequest
from tagtray.config.errors import Locked
from tagtray.config.settings import Settings

#: Seconds between polls of the ledger.
POLL = 0.25


def scan(folders: options.Folders, follow_links: options.FollowLinks = None) -> int:
    """Register the images of folders and queue them; ends when all are queued."""
    return _produce(startup.load(follow_links=follow_links), folders, watch=False)


def watch(
    folders: options.Folders,
    poll: Annotated[
        bool | None,
        typer.Option(
            "--poll", help="Poll instead of using kernel events (network mounts).", show_default=False
        ),
    ] = None,
    follow_links: options.FollowLinks = None,
    metrics: options.Metrics = None,
) -> int:
    """Register and queue the images of folders and what arrives there, until Ctrl-C."""
    return _produce(
        startup.load(poll=poll, follow_links=follow_links, metrics_port=metrics), folders, watch=True
    )


def _produce(settings: Settings, folders: list[str], watch: bool) -> int:
    check_folders(settings, folders)
    startup.name_process("watch" if watch else "scan")
    with StopRequest() as request, _session(settings, folders, request) as session:
        try:
            session.start(watch)
            if watch:
                _print_watching(session)
                with refresher.beside(session.ledger.engine):
                    while not session.refusal and not request.wait(POLL):
                        session.follow()
            else:
                _poll_until_queued(session, request)
            session.stop()
        except AtOnce:
            os._exit(request.exit_code)
        if session.refusal:
            raise session.refusal
        if not watch:
            _print(session)
    return request.exit_code


@contextlib.contextmanager
def _session(settings: Settings, folders: list[str], request: StopRequest) -> Iterator[Session]:
    waits = startup.patience(request.wait)
    with bootstrap.writing(settings, waits) as database:
        session = waits.retry(lambda: Session(settings, database, folders), Locked)
        with monitoring.serving(settings, database, session):
            yield session


def _poll_until_queued(session: Session, request: StopRequest) -> None:
    meter = progress.Meter(session.unqueued() or 0)
    with progress.display() as display:
        while True:
            session.follow()
            producer = session.producer
            idle = producer.idle  # before the count: what it has taken up is counted
            left, totals = session.unqueued(), session.progress
            if left is not None:
                snapshot = meter.read(totals.new + totals.changed, left, producer.waiting, idle, "Queueing")
                if snapshot.over:
                    return
                display.show(snapshot)
            if session.refusal or request.wait(POLL):
                return


def _print_watching(session: Session) -> None:
    count = len(session.targets)
    folders = "1 folder" if count == 1 else f"{count} folders"
    streams.say(f"Watching {folders}; Ctrl-C ends.")


def _print(session: Session) -> None:
    totals = session.progress
    counts = [
        f"{count:,} {name}"
        for name, count in (
            ("new", totals.new),
            ("changed", totals.changed),
            ("unchanged", totals.unchanged),
            ("missing", totals.missing),
            ("skipped by name", totals.skipped.total()),
        )
        if count
    ]
    print(", ".join(counts) or "No images found.")
