"""Whatever is done to the ledger and in whatever order: what its rows say stays true."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import Deferred, Failed, Gone, Outcome
from tagtray.db.tables import Status
from tests import builders
from tests.builders import MODEL_ID, content, done, query, seen, sha

WORKERS = ("one", "two")
COUNT = 6
IDS = range(1, COUNT + 1)
WORDS = ("cat", "dog")
TABLES = ("tags", "predictions", "classifications", "images", "contents")

some_ids = st.lists(st.sampled_from(IDS), max_size=COUNT)
worker = st.sampled_from(WORKERS)
lease = st.sampled_from([-1.0, 60.0])

#: Each of these queries finds the rows that break a promise.
BROKEN = {
    "running, with a holder and a lease, or not running and free": """
        SELECT * FROM images WHERE (status = 'running') <> (worker IS NOT NULL)
        OR (status = 'running') <> (lease_until IS NOT NULL)""",
    "done, with a content": "SELECT * FROM images WHERE status = 'done' AND content_id IS NULL",
    "done, with a classification of ranks 1 to 3": """
        SELECT i.id FROM images i JOIN contents k ON k.id = i.content_id
        LEFT JOIN classifications c ON c.content_id = k.id
        LEFT JOIN predictions p ON p.content_id = c.content_id AND p.model_id = c.model_id
        WHERE i.status = 'done' GROUP BY i.id
        HAVING count(p.rank) <> 3 OR min(p.rank) <> 1 OR max(p.rank) <> 3""",
    "failed, with a code and a sentence": """
        SELECT * FROM images WHERE status = 'failed' AND (error_code IS NULL OR error_message IS NULL)""",
    "pending, queued, running or done, without an error": """
        SELECT * FROM images WHERE status NOT IN ('failed', 'missing') AND error_code IS NOT NULL""",
    "queued, with the moment": "SELECT * FROM images WHERE status = 'queued' AND queued_at IS NULL",
    "in one of the six states": f"SELECT * FROM images WHERE status NOT IN {tuple(map(str, Status))}",
    "a row in top1 for each of the done": """
        SELECT 1 WHERE (SELECT count(*) FROM images WHERE status = 'done') >
        (SELECT count(*) FROM top1)""",
}


class Meddling(RuleBasedStateMachine):
    """Every method of the ledger with any arguments; the subclass brings ledger and root."""

    ledger: Ledger
    root: int

    @initialize()
    def empty(self) -> None:
        for table in TABLES:
            builders.execute(self.ledger, f"DELETE FROM {table}")
        for image_id in IDS:
            builders.execute(
                self.ledger,
                "INSERT INTO images (id, root_id, path, size_bytes, mtime_ns, ctime_ns, status, priority, "
                "attempts, first_seen_at, updated_at) "
                f"VALUES ({image_id}, {self.root}, '{image_id}', 10, 1, 1, 'pending', 1, 0, "
                "CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)",
            )

    @rule(ids=some_ids, mtime=st.sampled_from([1, 2]))
    def register(self, ids: list[int], mtime: int) -> None:
        self.ledger.register(self.root, [seen(str(image_id), mtime=mtime) for image_id in ids])

    @rule(ids=some_ids)
    def mark_missing(self, ids: list[int]) -> None:
        self.ledger.mark_missing(ids)

    @rule(limit=st.integers(0, COUNT))
    def take_pending(self, limit: int) -> None:
        taken = self.ledger.take_pending(limit)
        assert len(taken) <= limit
        assert all(builders.row(self.ledger, image.id)["status"] == "queued" for image in taken)

    @rule(ids=st.none() | some_ids)
    def unqueue(self, ids: list[int] | None) -> None:
        self.ledger.unqueue(ids)

    @rule()
    def free_lapsed(self) -> None:
        self.ledger.free_lapsed()

    @rule(ids=some_ids, worker=worker, lease=lease)
    def claim(self, ids: list[int], worker: str, lease: float) -> None:
        for image in self.ledger.claim(ids, worker, lease, MODEL_ID):
            assert builders.row(self.ledger, image.id)["worker"] == worker

    @rule(worker=worker, lease=lease)
    def renew(self, worker: str, lease: float) -> None:
        self.ledger.renew(worker, lease)

    @rule(worker=worker)
    def release(self, worker: str) -> None:
        self.ledger.release(worker)

    @rule(worker=worker, ends=st.dictionaries(st.sampled_from(IDS), st.sampled_from([*WORDS, "f", "g", "d"])))
    def commit(self, worker: str, ends: dict[int, str]) -> None:
        before = {image_id: dict(builders.row(self.ledger, image_id)) for image_id in IDS}
        known = self.ledger.classified([sha(word) for word in WORDS], 1)
        self.ledger.commit(worker, builders.PROVENANCE, self._outcomes(ends, known))
        for image_id in IDS:
            if before[image_id]["worker"] != worker or image_id not in ends:
                assert dict(builders.row(self.ledger, image_id)) == before[image_id]

    @rule(image_id=st.sampled_from(IDS), attempts=st.integers(1, 3))
    def blame(self, image_id: int, attempts: int) -> None:
        self.ledger.blame(image_id, "crashed_worker", "It crashes.", attempts)

    @rule(ids=st.none() | some_ids, code=st.sampled_from([None, "corrupt", "crashed_worker"]))
    def retry(self, ids: list[int] | None, code: str | None) -> None:
        self.ledger.retry(code, ids)

    @invariant()
    def every_promise_holds(self) -> None:
        for promise, search in BROKEN.items():
            assert query(self.ledger, search) == [], f"an image is not: {promise}"
        assert sum(self.ledger.counts().values()) == COUNT

    def _outcomes(self, ends: dict[int, str], known: set[str]) -> Sequence[Outcome]:
        found: list[Outcome] = []
        for image_id, end in ends.items():
            if end == "f":
                found.append(Failed(image_id, "corrupt", "It is damaged."))
            elif end == "g":
                found.append(Gone(image_id))
            elif end == "d":
                found.append(Deferred(image_id, -1.0))
            else:
                found.append(done(image_id, end, None if sha(end) in known else content()))
        return found


def test_what_the_rows_say_stays_true(ledger: Ledger, host: Settings) -> None:
    class Here(Meddling):
        pass

    Here.ledger = ledger
    Here.root = builders.root(ledger, host).id
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25 if ledger.engine.dialect.name == "sqlite" else 6,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
