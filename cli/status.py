"""``tagtray status``: how things stand."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import redis
import typer
from sqlalchemy import Engine

from tagtray.app import bootstrap, startup
from tagtray.cli import options, output
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db import queries, urls
from tagtray.db.ledger import Ledger
from tagtray.jobs import workers
from tagtray.jobs.connection import connect
from tagtray.jobs.embedded_redis import server
from tagtray.jobs.queue import ImageQueue

#: Seconds over which images per second are measured.
WINDOW = 60.0
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
        _show(_look(settings, database), json, watch)
        while watch:
            time.sleep(EVERY)
            _show(_look(settings, database), json, watch)


def _show(facts: dict[str, Any], json: bool, again: bool) -> None:
    if json:
        print(output.json_text(facts, indent=None if again else 2), flush=True)
        return
    if again and sys.stdout.isatty():
        print(CLEAR, end="")
    _print(facts)
    sys.stdout.flush()


def _look(settings: Settings, database: Engine) -> dict[str, Any]:
    waited = queries.oldest_wait(database)
    return {
        "database": urls.where(database.url),
        "images": Ledger(database).counts(),
        "images_per_second": round(queries.classified(database, WINDOW) / WINDOW, 2),
        "oldest_pending_seconds": None if waited is None else round(waited, 1),
        "redis": _look_at_redis(settings),
    }


def _look_at_redis(settings: Settings) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(("jobs", "images", "workers", "refused"))
    if settings.redis_url is None and not server.running(settings.home):
        return {"running": False, "answer": "not running", **nothing}
    try:
        queue = ImageQueue(settings.queue, connect(settings, start=False))
        return {
            "running": True,
            "answer": "running",
            "jobs": queue.count,
            "images": len(queue.waiting_ids()),
            "workers": workers.alive(queue),
            "refused": queue.refused(),
        }
    except (InfrastructureError, redis.RedisError) as error:
        return {"running": False, "answer": str(error), **nothing}


def _print(facts: dict[str, Any]) -> None:
    queue = facts["redis"]
    waited = facts["oldest_pending_seconds"]
    rows = [
        ("database", facts["database"]),
        *((state, f"{count:,}") for state, count in facts["images"].items()),
        ("images/s", f"{facts['images_per_second']:,.1f} over the last minute"),
        ("oldest pending", f"{waited:,.0f} s" if waited is not None else "none waits"),
        ("Redis", queue["answer"]),
    ]
    if queue["running"]:
        rows += [
            ("queue", f"{queue['jobs']:,} jobs with {queue['images']:,} images"),
            ("workers", f"{queue['workers']:,}"),
            ("refused jobs", f"{queue['refused']:,}"),
        ]
    for name, value in rows:
        print(f"{name:<15} {shown(value)}")
