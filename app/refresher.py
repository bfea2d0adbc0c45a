"""Own tags are learned anew while photos come in, and where another model has become the current one."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.db import own_tags
from tagtray.db.access.transactions import read

#: Seconds between looks at what could be learned better.
LOOK = 30.0

log = logging.getLogger(__name__)


def refresh(database: Engine) -> int:
    """Learn all own tags anew that are worth it; how many. Raises InfrastructureError."""
    if not read(database, own_tags.exist):
        return 0
    # Here, not above: a ledger without own tags needs no numpy.
    from tagtray.learn import teaching

    outdated = teaching.outdated(database)
    for wnid in outdated:
        with contextlib.suppress(UsageError):  # forgotten meanwhile
            learned = teaching.learn(database, wnid)
            sentence = "{tag} was learned anew: it is on {photos} photos."
            logs.event(log, logging.INFO, "own_tag_learned", sentence, tag=learned.name, photos=learned.found)
    return len(outdated)


@contextlib.contextmanager
def beside(database: Engine) -> Iterator[None]:
    """Keep own tags learned in a thread of its own until the block ends; what fails is tried again."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(LOOK):
            try:
                refresh(database)
            except InfrastructureError as error:
                log.debug("own_tags_wait: %s", error)

    thread = threading.Thread(target=look, name="own tags", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
