"""The ledger: every change of an image's state, each one a conditional statement in one transaction.

    pending -> queued -> running -> done | failed | missing
       ^---------'----------'   (lost queue, lapsed lease, transient fault, retry, file changed)

All methods are safe with any number of callers at once and may be repeated. They raise
InfrastructureError when the database stays away; nothing is half done then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Update, case, func, or_, select, update

from tagtray.config.limits import Limits
from tagtray.config.settings import LONGEST_LEASE
from tagtray.db import claims, clock, commits, dialects, feeding, limits, paging, paths, registration, stale
from tagtray.db.access.transactions import read, write
from tagtray.db.places import holds
from tagtray.db.records import (
    ClaimedImage,
    FoundResult,
    Outcome,
    PendingImage,
    Provenance,
    Registration,
    SaidElsewhere,
    SeenFile,
)
from tagtray.db.registration import RegisteredFile
from tagtray.db.tables import ON_THEIR_WAY, Image, Priority, Status

#: Rows per page when all images of a root are walked, and ids per statement: SQLite takes 32,766 at most.
PAGE = 10_000

_FREE: dict[str, Any] = {"worker": None, "lease_until": None}


class Ledger:
    """The one place that moves images between states."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    # Producers

    def register(
        self, root_id: int, files: Sequence[SeenFile], again: Collection[bytes] = ()
    ) -> Registration:
        """Compare files with their rows: new and changed ones become ``pending``, the rest is left alone.

        Those that are named ``again`` count as changed, whatever their stat says. Raises RootGone, with
        nothing changed, where there are new ones and the root is no more.
        """
        known = self.lookup(root_id, [file.path for file in files])
        new = [file for file in files if file.path not in known]
        seen = {known[file.path].id: file for file in files if file.path in known}
        changed = {
            row: file for row, file in seen.items() if file.path in again or known[file.path].differs(file)
        }

        def work(connection: Connection) -> dict[bytes, int]:
            if changed:
                registration.change(connection, changed, again)
            if not new:
                return {}
            registration.require_root(connection, root_id)
            return registration.add(connection, root_id, new)

        added = write(self.engine, work) if new or changed else {}
        ids = {file.path: row for row, file in seen.items()} | added
        return Registration(len(new), len(changed), len(seen) - len(changed), ids)

    def mark_missing(self, ids: Sequence[int]) -> int:
        """The files are gone: their rows become ``missing`` and keep their results."""
        gone = update(Image).where(Image.status != Status.MISSING)
        return self._update(gone.values(_to(Status.MISSING, **_FREE)), ids)

    def mark_ignored(self, ids: Sequence[int]) -> int:
        """The files are there and not wanted: their rows become ``ignored`` and keep their results."""
        unwanted = update(Image).where(Image.status != Status.IGNORED)
        return self._update(unwanted.values(_to(Status.IGNORED, **_FREE)), ids)

    def apply_limits(self, root_id: int, below: bytes, allowed: Limits) -> int:
        """Known images over a limit become ``failed``; those that failed for one that was raised are back."""
        return limits.apply(self.engine, root_id, below, allowed)

    def lookup(self, root_id: int, names: Sequence[bytes]) -> dict[bytes, RegisteredFile]:
        """The registered ones among ``names``."""
        return read(self.engine, lambda connection: registration.lookup(connection, root_id, names))

    def present(
        self, root_id: int, below: bytes = b"", up_to: int | None = None
    ) -> Iterator[Sequence[tuple[int, bytes]]]:
        """Pages of (id, path) of the images of a root that are not ``missing``, in order of id.

        ``below`` is a folder of the root, ``up_to`` the last id that matters.
        """
        last = 0
        while page := self._page(root_id, below, last, up_to):
            yield page
            last = page[-1][0]

    def newest_id(self) -> int:
        """The largest id of an image; 0 where there is none."""
        return read(self.engine, lambda connection: connection.scalar(select(func.max(Image.id)))) or 0

    # Feeders

    def take_pending(self, limit: int, least: Priority = Priority.STALE) -> list[PendingImage]:
        """Move up to ``limit`` images from ``pending`` to ``queued``, the most urgent and oldest first.

        None of a root that is held, none below the priority ``least``.
        """
        return write(self.engine, lambda connection: feeding.take(connection, limit, least))

    def pending(self, limit: int, least: Priority = Priority.STALE) -> int:
        """How many images ``take_pending`` would find."""
        return read(self.engine, lambda connection: feeding.count(connection, limit, least))

    def enqueue(self, ids: Sequence[int]) -> list[PendingImage]:
        """Make those of ``ids`` that wait urgent and ``queued``, whatever the queue holds already.

        Those that are queued already are among them; those of a held root are not.
        """
        return write(self.engine, lambda connection: feeding.enqueue(connection, ids))

    def stale_basis(self) -> stale.Basis:
        """What decides which images are stale now."""
        return read(self.engine, stale.basis)

    def bring_back_stale(
        self, basis: stale.Basis, limit: int, after: stale.Place | None
    ) -> tuple[int, stale.Place | None]:
        """Make up to ``limit`` stale images ``pending``, those that come ``after`` a place, newest first.

        Returns how many, and the place where to go on: None once there are no more.
        """
        # Found in a transaction that keeps no writer waiting: it may have to pass by many images.
        found = read(self.engine, lambda connection: stale.page(connection, basis, limit, after))
        moved = self._update(stale.bring_back(basis), [image_id for image_id, _ in found])
        return moved, found[-1][1] if len(found) == limit else None

    def let_stale_go(self, basis: stale.Basis) -> int:
        """Images that were brought back and are not stale under ``basis`` are ``done`` as before."""
        return self._update(stale.let_go(basis))

    def queued(self) -> int:
        """How many images are ``queued``: the depth that the high-water mark bounds."""
        query = select(func.count()).where(Image.status == Status.QUEUED)
        return read(self.engine, lambda connection: connection.scalar(query)) or 0

    def has_urgent(self) -> bool:
        """Whether an image is ``queued`` that somebody waits for."""
        query = select(Image.id).where(Image.status == Status.QUEUED, Image.priority == Priority.URGENT)
        return read(self.engine, lambda connection: connection.scalar(query.limit(1))) is not None

    def queued_ids(self, older_than: float) -> list[int]:
        """Images that have been ``queued`` for more than ``older_than`` seconds."""
        query = select(Image.id).where(
            Image.status == Status.QUEUED, Image.queued_at < clock.after(-older_than)
        )
        return read(self.engine, lambda connection: list(connection.scalars(query)))

    def unqueue(self, ids: Sequence[int] | None = None) -> int:
        """Images that are no longer in the queue (None: none is) go back to ``pending``."""
        queued = update(Image).where(_is(ids, Status.QUEUED))
        return self._update(queued.values(_to(Status.PENDING)), ids)

    def hold(self, root_id: int, seconds: float) -> int:
        """A root cannot be read: queue none of it for ``seconds``; how many images left the queue.

        A longer pause stays as it is.
        """
        return write(self.engine, lambda connection: holds.hold(connection, root_id, seconds))

    def lift(self, root: str) -> int:
        """A root of this name can be read: end its hold, never a pause; 1 if it was held."""
        return write(self.engine, lambda connection: holds.lift(connection, [root]))

    def free_lapsed(self) -> int:
        """Images whose worker let its lease lapse go back to ``pending``."""
        over = or_(Image.lease_until < clock.now(), Image.lease_until > clock.after(LONGEST_LEASE))
        lapsed = update(Image).where(Image.status == Status.RUNNING, over)
        return self._update(lapsed.values(_to(Status.PENDING, **_FREE)))

    # Workers

    def claim(self, ids: Sequence[int], worker: str, lease: float, model_id: int) -> list[ClaimedImage]:
        """Move those of ``ids`` that are ``queued`` to ``running`` for ``lease`` seconds, in order of id.

        None, unless the model is the current one. Those that the worker holds already are among them: the
        answer to its first try may have been lost.
        """
        return write(self.engine, lambda connection: claims.claim(connection, ids, worker, lease, model_id))

    def renew(self, worker: str, lease: float) -> int:
        """Extend the lease on everything in the worker's hands."""
        return self._update(_held_by(worker).values(lease_until=clock.after(lease)))

    def release(self, worker: str) -> int:
        """Everything in the hands of a worker that ended goes back to ``pending``."""
        return self._update(_held_by(worker).values(_to(Status.PENDING, **_FREE)))

    def classified(self, hashes: Sequence[str], model_id: int) -> set[str]:
        """Those of the SHA-256 ``hashes`` whose content the model has classified."""
        return read(self.engine, lambda connection: commits.classified(connection, hashes, model_id))

    def commit(self, worker: str, provenance: Provenance, outcomes: Sequence[Outcome]) -> None:
        """Store the results of a batch and end its images, in one transaction.

        Images that are no longer in the worker's hands (lapsed, changed meanwhile) stay as they are.
        """

        def work(connection: Connection) -> None:
            contents = commits.store_results(connection, provenance, outcomes)
            commits.end_images(connection, worker, outcomes, contents)

        write(self.engine, work)

    def import_results(self, model_id: int, results: Sequence[FoundResult]) -> int:
        """Add what another ledger has found with a model, in one transaction; how many were new."""
        return write(self.engine, lambda connection: commits.import_results(connection, model_id, results))

    def import_verdicts(self, said: Mapping[str, SaidElsewhere]) -> int:
        """Add what people said in another ledger of contents, by their hashes; how much of it was new."""
        return write(self.engine, lambda connection: commits.import_verdicts(connection, said))

    def blame(self, image_id: int, code: str, message: str, attempts: int) -> None:
        """A worker died or hung over this image: it is tried again alone, or failed after ``attempts``."""
        final = Image.attempts + 1 >= attempts
        self._update(
            update(Image)
            .where(Image.id == image_id, Image.status.in_(ON_THEIR_WAY))
            .values(
                status=case((final, Status.FAILED.value), else_=Status.PENDING.value),
                error_code=case((final, code), else_=None),
                error_message=case((final, message), else_=None),
                attempts=Image.attempts + 1,
                updated_at=clock.now(),
                **_FREE,
            )
        )

    def put_off(self, image_id: int, seconds: float, root_seconds: float) -> None:
        """Reading an image hung: it waits for ``seconds``, and its root is held for ``root_seconds``."""
        image = Image.id == image_id

        def work(connection: Connection) -> None:
            connection.execute(update(Image).where(image).values(not_before=clock.after(seconds)))
            for root_id in connection.scalars(select(Image.root_id).where(image)):
                holds.hold(connection, root_id, root_seconds)

        write(self.engine, work)

    # People

    def retry(
        self, code: str | None = None, image_ids: Sequence[int] | None = None, done: bool = False
    ) -> int:
        """Failed images, all or those of an error code or of ``image_ids``, become ``pending`` again.

        With ``done`` those that are done, too: they are read again, and keep their results until then.
        """
        again = (Status.FAILED, Status.DONE) if done else (Status.FAILED,)
        failed = update(Image).where(_is(image_ids, *again))
        if code is not None:
            failed = failed.where(Image.error_code == code)
        cleared = _to(
            Status.PENDING,
            priority=Priority.NEW,
            attempts=0,
            error_code=None,
            error_message=None,
            not_before=None,
        )
        return self._update(failed.values(cleared), image_ids)

    def counts(self, active: bool = False) -> dict[str, int]:
        """Images per state; ``active``: only of those still on their way, cheap where few are."""
        states = ON_THEIR_WAY if active else tuple(Status)
        query = select(Image.status, func.count()).where(Image.status.in_(states)).group_by(Image.status)
        found = dict(read(self.engine, lambda connection: connection.execute(query).all()))
        return {state.value: found.get(state, 0) for state in states}

    def _page(self, root_id: int, below: bytes, last: int, up_to: int | None) -> Sequence[tuple[int, bytes]]:
        query = (
            select(Image.id, Image.path, Image.path_raw)
            # By number: else SQLite fetches and sorts the whole root by another index for every page.
            .where(
                Image.id > last, dialects.unindexed(Image.root_id) == root_id, Image.status != Status.MISSING
            )
            .order_by(Image.id)
            .limit(PAGE)
        )
        if below:
            query = query.where(dialects.below(Image.path, below))
        if up_to is not None:
            query = query.where(Image.id <= up_to)
        rows = read(self.engine, lambda connection: connection.execute(query).all())
        return [(row, paths.to_bytes(path, path_raw)) for row, path, path_raw in rows]

    def _update(self, statement: Update, ids: Sequence[int] | None = None) -> int:
        """Run ``statement``, on ``ids`` alone if they are given: any number of them, in one transaction."""
        if ids is None:
            pages = [statement]
        else:
            pages = [statement.where(Image.id.in_(page)) for page in paging.pages(ids, PAGE)]

        def work(connection: Connection) -> int:
            return sum(connection.execute(page).rowcount for page in pages)

        return write(self.engine, work) if pages else 0


def _is(ids: Sequence[int] | None, *states: Status) -> ColumnElement[bool]:
    """Whether an image is in one of these states; SQLite is to begin with the ids where there are any."""
    column = Image.status if ids is None else dialects.unindexed(Image.status)
    return column.in_(states)


def _held_by(worker: str) -> Update:
    return update(Image).where(Image.status == Status.RUNNING, Image.worker == worker)


def _to(status: Status, **values: Any) -> dict[str, Any]:
    return {"status": status, "updated_at": clock.now(), **values}
