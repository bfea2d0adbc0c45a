"""``tagtray status``: how things stand."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from tagtray.app import bootstrap, standing, startup
from tagtray.cli import options, output, streams
from tagtray.config.errors import InfrastructureError
from tagtray.config.text import counted, shown

#: Seconds between two looks with --watch.
EVERY = 2.0
#: ECMA-48: cursor to the upper left corner, then the screen empty.
CLEAR = "\x1b[H\x1b[2J"


def status(
    json: options.Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 seconds, until Ctrl-C.")] = False,
) -> None:
    """Show the ledger's states, the queue, the workers and the speed; starts nothing."""
    settings = startup.load()
    with bootstrap.reading(settings) as database:
        _show(standing.look(settings, database), json, watch)
        while watch:
            time.sleep(EVERY)
            try:
                _show(standing.look(settings, database), json, watch)
            except InfrastructureError as error:
                streams.say(f"tagtray: {error}")


def _show(facts: dict[str, Any], json: bool, again: bool) -> None:
    if json:
        print(output.json_text(facts, indent=None if again else 2), flush=True)
        return
    if again and sys.stdout.isatty():
        print(CLEAR, end="")
    _print(facts)
    sys.stdout.flush()


def _print(facts: dict[str, Any]) -> None:
    queue = facts["redis"]
    waited = facts["oldest_pending_seconds"]
    rows = [
        ("database", facts["database"]),
        *((state, f"{count:,}") for state, count in facts["images"].items()),
        ("model", _model_text(facts)),
        ("images/s", f"{facts['images_per_second']:,.1f} over the last minute"),
        ("oldest pending", f"{waited:,.0f} s" if waited is not None else "none waits"),
        ("Redis", queue["answer"]),
    ]
    if queue["running"]:
        rows += [
            (
                "queue",
                f"{counted(queue['jobs'], 'job')} with {counted(queue['images'], 'image')}",
            ),
            ("refused jobs", f"{queue['refused']:,}"),
        ]
    rows += [("workers", f"{len(facts['workers']):,}")]
    rows += [(f"  {worker['id']}", _worker_text(worker)) for worker in facts["workers"]]
    rows += [(f"root {hold['root']}", _hold_text(hold)) for hold in facts["held"]]
    for name, value in rows:
        print(f"{name:<15} {shown(value)}")


def _model_text(facts: dict[str, Any]) -> str:
    stale = facts["stale"]
    name = facts["model"] or "none yet"
    if not stale:
        return name
    images = counted(stale, "image")
    return f"{name}; {images} {'is' if stale == 1 else 'are'} still to be classified by it"


def _worker_text(worker: dict[str, Any]) -> str:
    where = f"{worker['host']}, {worker['engine']} {worker['precision']}, tagtray {worker['version']}"
    speed = f"{counted(worker['images'], 'image')}, {worker['images_per_second']:,.1f}/s since its start"
    return f"{where}: {speed}; reads {', '.join(worker['roots']) or 'no root'}"


def _hold_text(hold: dict[str, Any]) -> str:
    why = "paused" if hold["paused"] else "cannot be read just now"
    waiting = hold["waiting"]
    return f"{why}; {counted(waiting, 'image')} {'waits' if waiting == 1 else 'wait'}"
