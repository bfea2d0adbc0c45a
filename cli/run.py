"""``tagtray run``: from folders to rows, all in one."""

from __future__ import annotations

from typing import Annotated

import typer

from tagtray.app.crew import Crew
from tagtray.cli import options
from tagtray.cli.signals import StopRequest


def run(
    folders: options.Folders,
    watch: Annotated[bool, typer.Option("--watch", help="Go on and classify what arrives later.")] = False,
    workers: options.Workers = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    exact: options.Exact = None,
    follow_links: options.FollowLinks = None,
    nice: options.Nice = None,
    metrics: options.Metrics = None,
) -> int:
    """Classify all images in folders: ends when they are finished, unless --watch."""
    settings = options.for_work(
        workers,
        engine=engine,
        precision=precision,
        batch_size=batch_size,
        exact=exact,
        follow_links=follow_links,
        nice=nice,
        metrics_port=metrics,
    )
    with StopRequest() as request, Crew(settings) as crew:
        # Here, not above: it takes as long as the fork server needs to import PyTorch, side by side.
        from tagtray.cli import run_loop

        run_loop.run(settings, folders, crew, request, watch)
    return request.exit_code
