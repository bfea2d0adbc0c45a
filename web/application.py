"""The web application: its routes, its guard, and the services that live as long as it does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Lifespan

from tagtray.app import feeding
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import uploads
from tagtray.jobs.feed import FeederLoop
from tagtray.web import (
    collection,
    events,
    guard,
    images,
    login,
    metrics,
    openapi,
    pages,
    predict,
    preferences,
    problems,
    schemas,
    standing,
    teaching,
    thumb,
)
from tagtray.web.attempts import Attempts
from tagtray.web.auditing import Auditor
from tagtray.web.classify import Classifier
from tagtray.web.cleaning import Cleaner
from tagtray.web.context import Context
from tagtray.web.facets import Facets
from tagtray.web.learner import Learner
from tagtray.web.live import Live
from tagtray.web.places import Places
from tagtray.web.thumbnails import Thumbnails
from tagtray.web.vocabulary import Words

#: Threads for what waits for the database: no more than it gives connections.
THREADS = 12
#: Bytes from which an answer is compressed, and how hard: text alone, pictures are small already.
COMPRESSED_BYTES, COMPRESSION = 1_000, 5

_DESCRIPTION = """
What photos show, and which photos show something. Every error is a problem document (RFC 9457) with a stable
`code` and a sentence in `detail`.
"""


def create(settings: Settings, database: Engine) -> FastAPI:
    """The application over a ledger that is ready; nothing is started before it is served.

    Raises InfrastructureError or UsageError where there is no Redis, or no place for uploads.
    """
    ledger = Ledger(database)
    feeder = feeding.feeder(settings, ledger)
    live = Live(settings, ledger)
    words = Words()
    root = uploads.ensure(database, settings)
    cleaner = Cleaner(settings, ledger, root)
    context = Context(
        settings,
        ledger,
        live,
        Classifier(settings, ledger, root, live, feeder, words),
        Places(settings.upload_max),
        Auditor(database),
        Thumbnails(settings, database),
        words,
        Facets(database),
        Learner(database, words),
        Attempts(),
    )

    app = bare(lambda _: _alive(context, feeder, cleaner))
    app.state.context = context
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_BYTES, compresslevel=COMPRESSION)
    app.add_middleware(guard.Guard, settings=settings, attempts=context.attempts)
    return app


@contextlib.asynccontextmanager
async def _alive(context: Context, feeder: FeederLoop, cleaner: Cleaner) -> AsyncIterator[None]:
    """The services at work; what they have in hand is finished at the end."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    feeder.start()
    cleaner.start()
    await context.live.start()
    yield
    await context.classifier.drain()
    await context.auditor.stop()
    await context.thumbnails.stop()
    await anyio.to_thread.run_sync(context.learner.stop)
    await context.live.stop()
    await anyio.to_thread.run_sync(feeder.stop)
    await anyio.to_thread.run_sync(cleaner.stop)


def bare(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The routes and how they answer, with nothing behind them: enough to describe them."""
    app = FastAPI(
        title="tagtray",
        version=version("tagtray"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": schemas.Problem, "description": "What is wrong."}},
    )
    problems.install(app, pages.problem)
    openapi.install(app)
    routed = (
        predict,
        images,
        collection,
        teaching,
        thumb,
        standing,
        metrics,
        events,
        login,
        pages,
        preferences,
    )
    for module in routed:
        app.include_router(module.router)
    app.mount("/static", pages.Static(directory=pages.FOLDER / "static"), name="static")
    return app
