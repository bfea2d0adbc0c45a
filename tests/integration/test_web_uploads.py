"""An upload's way: known ones are answered from the ledger, others are classified once and never lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
import sqlalchemy as sa

from tagtray.db import audit
from tagtray.db.access import transactions
from tagtray.db.ledger import Ledger
from tagtray.db.places import uploads
from tagtray.db.registration import RegisteredFile
from tagtray.jobs import hints
from tagtray.jobs.connection import connect
from tagtray.web import live, thumbnail_cache
from tagtray.web.cleaning import Cleaner
from tests import builders, sites
from tests.sites import Site
from tests.stub_worker import StubWorker, working
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with sites.site(upload_wait=sites.TIMEOUT) as found:
        yield found


def _send(site: Site, *files: bytes) -> httpx.Response:
    return site.client.post("/predict", files=[("file", ("a.jpg", data)) for data in files])


def _files(site: Site) -> list[str]:
    """What lies in the folder of the uploads."""
    return [path.name for path in (site.settings.home / "uploads").iterdir() if not path.name.startswith(".")]


def _outcomes(site: Site, count: int) -> list[tuple[str | None, str]]:
    """The latest rows of the audit table, the latest last."""
    found = audit.latest(site.ledger.engine, count)
    return [(entry.sha256, entry.outcome) for entry in reversed(found)]


def test_a_new_photo_is_answered_with_labels_and_tags(site: Site) -> None:
    answer = _send(site, builders.jpeg(1)).json()

    assert answer["results"][0] == {
        "rank": 1,
        "label": "beagle",
        "label_zh": "比格犬",
        "wnid": "n1",
        "score": 0.7,
    }
    tag = {"category": "dog", "category_zh": "狗", "wnid": "c_dog", "score": 0.9}
    assert answer["tags"] == [tag | {"origin": "model", "named": True}]
    assert answer["sha256"] == builders.sha256(builders.jpeg(1))
    assert not answer["cached"]
    assert builders.row(site.ledger, answer["image"])["status"] == "done"


def test_the_body_alone_is_a_photo_as_well(site: Site) -> None:
    answer = site.client.post("/predict", content=builders.jpeg(2), headers={"content-type": "image/jpeg"})

    assert answer.json()["results"][0]["label"] == "beagle"


def test_a_photo_that_was_uploaded_before_is_answered_from_the_ledger(site: Site) -> None:
    first = _send(site, builders.jpeg(3)).json()
    decoded, files = _worker(site).decoded, _files(site)

    again = _send(site, builders.jpeg(3)).json()

    assert again == first | {"cached": True}
    assert (_worker(site).decoded, _files(site)) == (decoded, files)


def test_a_photo_of_the_collection_is_answered_from_the_ledger_and_not_kept_twice(site: Site) -> None:
    [image_id] = site.add({"holiday.jpg": builders.jpeg(4)})
    files = _files(site)

    answer = _send(site, builders.jpeg(4)).json()

    assert (answer["cached"], answer["image"]) == (True, image_id)
    assert _files(site) == files


def test_several_files_are_answered_in_their_order_with_what_is_wrong(site: Site) -> None:
    answer = _send(site, builders.jpeg(5), b"no picture at all", builders.jpeg(6))

    assert answer.status_code == 200
    first, second, third = answer.json()["items"]
    assert [item["sha256"] for item in (first, third)] == [
        builders.sha256(builders.jpeg(shade)) for shade in (5, 6)
    ]
    assert (second["status"], second["code"]) == (422, "not_an_image")


def test_equal_uploads_at_once_are_one_image_and_one_decode(site: Site) -> None:
    worker = _worker(site)
    decoded = worker.decoded
    worker.hold()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(_send, site, builders.jpeg(7)) for _ in range(8)]
        wait_for(lambda: len(list((site.settings.home / "uploads" / ".arriving").glob("*"))) >= 7)
        worker.gate.set()
        found = [answer.result().json() for answer in answers]

    assert {answer["sha256"] for answer in found} == {builders.sha256(builders.jpeg(7))}
    assert len({answer["image"] for answer in found}) == 1
    assert worker.decoded == decoded + 1


def test_an_upload_that_ends_while_an_equal_one_is_looked_up_is_its_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, photo, lookup = _worker(site), builders.jpeg(41), Ledger.lookup
    decoded = worker.decoded
    worker.hold()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_send, site, photo)
        wait_for(lambda: builders.query(site.ledger, "SELECT 1 FROM images WHERE status = 'queued'"))

        # When the first ends between the second one's look at what is known and that at its image
        def late(ledger: Ledger, root_id: int, names: Sequence[bytes]) -> Mapping[bytes, RegisteredFile]:
            worker.gate.set()
            first.result()
            return lookup(ledger, root_id, names)

        monkeypatch.setattr(Ledger, "lookup", late)
        second = _send(site, photo).json()

    assert second["cached"] and second["image"] == first.result().json()["image"]
    assert worker.decoded == decoded + 1


def test_a_slow_worker_is_504_and_the_photo_is_finished_all_the_same() -> None:
    with sites.site(upload_wait=0.5) as site:
        worker = _worker(site)
        worker.hold()
        answer = _send(site, builders.jpeg(8))
        problem = answer.json()

        assert (answer.status_code, problem["code"]) == (504, "not_ready")
        assert answer.headers["retry-after"]
        worker.gate.set()
        wait_for(lambda: builders.status(site.ledger, problem["image"]) == ["done"])
        assert _send(site, builders.jpeg(8)).json()["cached"]


def test_without_a_hint_the_ledger_is_looked_at(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "publish", lambda *_: None)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)

    assert _send(site, builders.jpeg(9)).status_code == 200


def test_a_forged_hint_is_no_answer(site: Site) -> None:
    worker = _worker(site)
    worker.hold()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_send, site, builders.jpeg(10))
        wait_for(lambda: builders.query(site.ledger, "SELECT 1 FROM images WHERE status = 'queued'"))
        connection = connect(site.settings)
        for data in (b"\xff", b"[" * 9_999, b'{"a": 1}', b'["x", -1, 1e9]', b"x" * 99_999):
            connection.publish("tagtray:tagtray:ended", data)
        ids = [row for (row,) in builders.query(site.ledger, "SELECT id FROM images")]
        hints.publish(connection, "tagtray", ids)
        time.sleep(0.2)
        assert not answer.done()
        worker.gate.set()

        assert answer.result().status_code == 200


def test_an_upload_overtakes_what_waits(site: Site) -> None:
    # Given a queue
    worker = _worker(site)
    worker.hold()
    backlog = builders.register(site.ledger, site.root.id, 200, "backlog/")
    wait_for(lambda: {*builders.status(site.ledger, *backlog)} == {"queued"})
    before = len(worker.taken)
    # When a photo is sent, and the worker goes on once it is queued
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_send, site, builders.jpeg(11))
        wait_for(lambda: site.ledger.counts()["queued"] > len(backlog))
        worker.gate.set()
        found = answer.result()
    # Then it is the first that it takes
    assert found.status_code == 200
    assert worker.taken[before] == found.json()["image"]
    wait_for(lambda: {*builders.status(site.ledger, *backlog)} == {"missing"})
    builders.execute(site.ledger, "DELETE FROM images WHERE path LIKE 'backlog/%'")


def test_every_file_leaves_a_row_in_the_audit_table(site: Site) -> None:
    headers = {"user-agent": "a\x1b[31m camera"}
    new, text = builders.jpeg(12), b"This is a text."

    for data in (new, new, text):
        site.client.post("/predict", files={"file": data}, headers=headers)
    site.client.post("/predict")

    expected = [
        (builders.sha256(new), "done"),
        (builders.sha256(new), "cached"),
        (builders.sha256(text), "not_an_image"),
        (None, "no_file"),
    ]
    wait_for(lambda: _outcomes(site, 4) == expected)
    entry = audit.latest(site.ledger.engine, 2)[1]
    assert entry.client == "127.0.0.1"
    assert entry.user_agent == r"a\x1b[31m camera"
    assert 0 <= entry.milliseconds < 60_000


def test_notes_of_uploads_and_thumbnails_are_kept_within_limits(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given old notes and a young one, and a thumbnail where there is no room for any
    entry = audit.Entry(datetime(2020, 1, 1, tzinfo=UTC), "old", "", None, "done", 1)
    audit.add(site.ledger.engine, [entry] * 5 + [replace(entry, at=datetime.now(UTC), client="young")])
    monkeypatch.setattr(audit, "REMOVED", 2)
    settings = site.settings.model_copy(update={"thumbnails_max_bytes": 1})
    thumbnail = thumbnail_cache.file(settings, "0" * 64, "small")
    thumbnail_cache.keep(thumbnail, b"a picture")

    # When the server looks what is to be cleaned away
    cleaner = Cleaner(settings, site.ledger, uploads.ensure(site.ledger.engine, settings))
    cleaner.start()

    # Then what is over a limit goes
    wait_for(lambda: not thumbnail.exists())
    cleaner.stop()
    clients = [client for (client,) in builders.query(site.ledger, "SELECT client FROM audit")]
    assert "old" not in clients and "young" in clients


def test_uploads_are_removed_after_some_days_and_what_they_showed_is_kept(site: Site) -> None:
    # Given an upload with a thumbnail, another one that failed, and one whose photo is in the collection
    old = _send(site, builders.jpeg(13)).json()
    assert site.client.get(f"/thumb/{old['image']}").status_code == 200
    failed = _send(site, builders.jpeg(14, (900, 700))[:2_000]).json()
    twice = _send(site, builders.jpeg(15)).json()
    [kept] = site.add({"kept.jpg": builders.jpeg(15)})
    young = _send(site, builders.jpeg(16)).json()
    assert site.client.get(f"/thumb/{kept}").status_code == 200
    ids = [answer["image"] for answer in (old, failed, twice)]
    listed = ", ".join(map(str, ids))
    builders.execute(
        site.ledger, f"UPDATE images SET first_seen_at = '2020-01-01 00:00:00.000000' WHERE id IN ({listed})"
    )
    # When they are cleaned away
    root = uploads.ensure(site.ledger.engine, site.settings)
    assert Cleaner(site.settings, site.ledger, root).clean() == 3
    # Then files and thumbnails are gone, and the answer is not
    assert builders.status(site.ledger, *ids, young["image"]) == ["missing"] * 3 + ["done"]
    assert site.client.get(f"/thumb/{old['image']}").status_code == 404
    assert site.client.get(f"/thumb/{kept}").status_code == 200
    again = _send(site, builders.jpeg(13)).json()
    assert (again["cached"], again["image"]) == (True, None)
    assert site.client.get("/readyz").status_code == 200
    # And a photo that failed can be sent again
    assert _send(site, builders.jpeg(14, (900, 700))[:2_000]).status_code == 422


def test_a_photo_whose_file_goes_away_before_it_is_read_is_503(site: Site) -> None:
    worker = _worker(site)
    worker.hold()
    with ThreadPoolExecutor(1) as pool:
        before = set(_files(site))
        answer = pool.submit(_send, site, builders.jpeg(17))
        wait_for(lambda: set(_files(site)) - before)
        wait_for(lambda: builders.query(site.ledger, "SELECT 1 FROM images WHERE status = 'queued'"))
        for name in set(_files(site)) - before:
            (site.settings.home / "uploads" / name).unlink()
        worker.gate.set()

        assert answer.result().status_code == 503
    assert _send(site, builders.jpeg(17)).status_code == 200


def test_the_database_away_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(transactions, "RETRY_DELAYS", ())
    monkeypatch.setattr(site.ledger.engine, "connect", away)
    monkeypatch.setattr(site.ledger.engine, "begin", away)
    answer = _send(site, builders.jpeg(18))
    monkeypatch.undo()

    assert (answer.status_code, answer.json()["code"]) == (503, "store_away")
    assert _send(site, builders.jpeg(18)).status_code == 200


def test_without_a_worker_the_photo_is_kept_and_finished_later() -> None:
    with sites.site(works=False) as site:
        answer = _send(site, builders.jpeg(1))
        problem = answer.json()

        assert (answer.status_code, problem["code"]) == (503, "no_worker")
        assert int(answer.headers["retry-after"]) > 0
        assert site.client.get("/readyz").json()["code"] == "no_worker"
        with working(site.settings, site.ledger):
            wait_for(lambda: builders.status(site.ledger, problem["image"]) == ["done"])
            assert _send(site, builders.jpeg(1)).json()["cached"]


def _worker(site: Site) -> StubWorker:
    assert site.worker
    return site.worker
