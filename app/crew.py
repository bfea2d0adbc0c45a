"""The workers of this host: how many, the process that forks them, and their supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagtray.app.metrics import folder
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.worker.engines import selection
from tagtray.worker.supervision import resources
from tagtray.worker.supervision.forkserver import ForkServer
from tagtray.worker.supervision.resources import Plan

if TYPE_CHECKING:
    from tagtray.db.ledger import Ledger
    from tagtray.worker.supervision.supervisor import Supervisor


#: Seconds that workers are given to finish the batch in hand.
GRACE = 60.0


class Crew:
    """Made first: its fork server imports PyTorch while the caller prepares everything else.

    A context manager: at its end no worker lives. Raises UsageError where the engine cannot be had.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        folder.prepare(settings)
        self._plan = plan_workers(settings)
        self._server = ForkServer(settings)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def supervisor(self, ledger: Ledger) -> Supervisor:
        """The supervisor of these workers, none of which is started yet. Raises InfrastructureError."""
        # Here, not above: it imports SQLAlchemy, which would keep the fork server waiting.
        from tagtray.worker.supervision.supervisor import Supervisor

        settings = self._settings
        try:
            return Supervisor(settings, ledger, self._plan, self._server)
        except OSError as error:
            home = shown(settings.home)
            raise InfrastructureError(f"{home} cannot be written to: {error.strerror}.") from None


def plan_workers(settings: Settings) -> Plan:
    """How many workers and threads this host can run; raises UsageError where the engine cannot be had."""
    selection.choices(settings)
    return resources.plan(settings.workers, settings.batch_size)
