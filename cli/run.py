"""``tagtray run``: from folders to rows, all in one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tagtray.app.crew import Crew
from tagtray.cli import options, streams
from tagtray.cli.signals import StopRequest
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings

if TYPE_CHECKING:
    from tagtray.web.beside import WebProcess


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
    web: Annotated[
        bool, typer.Option("--web", help="Serve the web pages, too, and go on as with --watch.")
    ] = False,
    host: options.Host = None,
    port: options.Port = None,
    no_auth: options.NoAuth = False,
) -> int:
    """Classify all images in folders: ends when they are finished, unless --watch."""
    if not web and (host is not None or port is not None or no_auth):
        raise UsageError("--host, --port and --no-auth are about the web pages: say --web, too.")
    settings = options.for_work(
        workers,
        engine=engine,
        precision=precision,
        batch_size=batch_size,
        exact=exact,
        follow_links=follow_links,
        nice=nice,
        metrics_port=metrics,
        host=host,
        port=port,
    )
    with StopRequest() as request, Crew(settings) as crew, contextlib.ExitStack() as closing:
        # Here, not above: it takes as long as the fork server needs to import PyTorch, side by side.
        from tagtray.cli import run_loop

        pages = closing.enter_context(_pages(settings, no_auth)) if web else None
        run_loop.run(settings, folders, crew, request, watch or web, pages)
    return request.exit_code


@contextlib.contextmanager
def _pages(settings: Settings, no_auth: bool) -> Iterator[WebProcess]:
    # Here, not above: most runs have no web pages.
    from tagtray.web import beside, binding

    with binding.bind(settings, no_auth=no_auth) as bound:
        pages = beside.WebProcess(settings, bound)
        streams.say(f"The web pages are at {binding.address(bound)}")
        try:
            yield pages
        finally:
            pages.stop()
