"""What the routes share: the settings, the ledger, and the services that live as long as the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy import Engine

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.web.attempts import Attempts
from tagtray.web.auditing import Auditor
from tagtray.web.classify import Classifier
from tagtray.web.facets import Facets
from tagtray.web.learner import Learner
from tagtray.web.live import Live
from tagtray.web.places import Places
from tagtray.web.thumbnails import Thumbnails
from tagtray.web.vocabulary import Words


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a route may use."""

    settings: Settings
    ledger: Ledger
    live: Live
    classifier: Classifier
    places: Places
    auditor: Auditor
    thumbnails: Thumbnails
    words: Words
    facets: Facets
    learner: Learner
    attempts: Attempts

    @property
    def engine(self) -> Engine:
        """The ledger's."""
        return self.ledger.engine


def of(request: Request) -> Context:
    """The context of the application that a request came to."""
    return cast(Context, request.app.state.context)


#: As a parameter of a route.
Shared = Annotated[Context, Depends(of)]
