"""The pipeline on real files and a real ledger, with an engine that answers without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import ClaimedImage
from tagtray.worker.batch.pipeline import Pipeline
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines.classifier import Scores
from tagtray.worker.engines.rollup import RollUp
from tagtray.worker.supervision.progress import Progress
from tests import builders, models
from tests.builders import jpeg, query, row, seen, status

BATCH = 4
ROLL_UP = RollUp(("c_cat", "c_dog"), np.array([[1, 0], [0, 1], [0, 1], [0, 0]], dtype=np.float32))


class FakeClassifier:
    """Finds a beagle in everything; keeps how many images each pass had, and their brightness."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._slots = np.zeros((BATCH, *models.SHAPE), dtype=np.uint8)
        self.passes: list[list[int]] = []
        self.marked: list[int] = []
        self.fails_at: int | None = None

    @property
    def batch_size(self) -> int:
        return BATCH

    @property
    def slots(self) -> NDArray[np.uint8]:
        self.marked.append(self._progress.read().image_id)
        return self._slots

    def classify(self, n: int) -> Scores:
        if self.fails_at == len(self.passes):
            raise InfrastructureError("The engine is out of order.")
        self.passes.append([round(float(self._slots[slot].mean())) for slot in range(n)])
        return Scores(
            np.tile(np.array([1, 2, 0]), (n, 1)),
            np.tile(np.array([0.7, 0.2, 0.1], dtype=np.float32), (n, 1)),
            np.tile(np.array([0.1, 0.9], dtype=np.float32), (n, 1)),
            np.tile(np.array([1, 0.5, -2], dtype=np.float16), (n, 1)),
        )

    def warm_up(self) -> None:
        pass


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    with builders.ledger(settings) as ledger:
        yield ledger


@pytest.fixture
def photos(settings: Settings) -> Path:
    folder = settings.home / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def progress(settings: Settings) -> Iterator[Progress]:
    progress = Progress.create(settings.home / "progress")
    yield progress
    progress.close()


@pytest.fixture
def engine(progress: Progress) -> FakeClassifier:
    return FakeClassifier(progress)


@pytest.fixture
def pipeline(
    settings: Settings, ledger: Ledger, photos: Path, engine: FakeClassifier, progress: Progress
) -> Pipeline:
    builders.root(ledger, settings)
    folders = RootReader(ledger.engine, settings)
    return Pipeline(settings, ledger, folders, engine, models.SPEC, ROLL_UP, builders.PROVENANCE, progress)


def _claim(ledger: Ledger, photos: Path, files: dict[str, bytes | None]) -> list[ClaimedImage]:
    """Write the files (None: leave it out), register all of them and claim them for ``w``."""
    for name, data in files.items():
        if data is not None:
            (photos / name).write_bytes(data)
    ledger.register(1, [seen(name, len(data or b"")) for name, data in files.items()])
    ids = [image.id for image in ledger.take_pending(99)]
    return ledger.claim(ids, "w", 60)


def test_features_are_kept_as_float16_unless_the_setting_says_no(
    pipeline: Pipeline, ledger: Ledger, photos: Path, settings: Settings
) -> None:
    # Given an image that is classified, and another one where features are not wanted
    pipeline.process(_claim(ledger, photos, {"a": jpeg(50)}), "w")
    pipeline._settings = settings.model_copy(update={"features": False})
    pipeline.process(_claim(ledger, photos, {"b": jpeg(200)}), "w")
    # Then the first one's vector alone is in its table, in little-endian order
    assert query(ledger, "SELECT vector FROM features") == [(bytes.fromhex("003c 0038 00c0"),)]


def test_images_become_rows(pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier) -> None:
    claimed = _claim(ledger, photos, {"a": jpeg(50), "b": jpeg(200, (30, 90))})

    pipeline.process(claimed, "w")

    assert engine.passes == [[50, 200]]
    assert query(ledger, "SELECT path, label, score FROM top1 ORDER BY path") == [
        ("a", "beagle", 0.7),
        ("b", "beagle", 0.7),
    ]
    assert query(ledger, "SELECT category, score FROM image_tags WHERE path = 'a'") == [("dog", 0.9)]
    assert query(ledger, "SELECT wnid FROM tags WHERE content_id = 1") == [("c_dog",)]
    assert query(ledger, "SELECT format, width, height FROM contents ORDER BY width") == [
        ("JPEG", 30, 90),
        ("JPEG", 64, 48),
    ]


def test_copies_in_a_batch_share_one_decode(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    claimed = _claim(ledger, photos, {"a": jpeg(50), "b": jpeg(90), "c": jpeg(50), "d": jpeg(50)})

    pipeline.process(claimed, "w")

    assert engine.passes == [[50, 90]]
    assert ledger.counts()["done"] == 4
    assert query(ledger, "SELECT count(*) FROM contents") == [(2,)]


def test_known_content_is_neither_decoded_nor_classified(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    pipeline.process(_claim(ledger, photos, {"a": jpeg(50)}), "w")
    engine.marked.clear()

    pipeline.process(_claim(ledger, photos, {"moved": jpeg(50)}), "w")

    assert engine.passes == [[50]]
    assert engine.marked == []
    assert ledger.counts()["done"] == 2


def test_bad_neighbours_do_no_harm(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    files: dict[str, bytes | None] = {
        "a": jpeg(50),
        "cut": jpeg(70)[:300],
        "text": b"hello",
        "b": jpeg(90),
        "empty": b"",
    }

    pipeline.process(_claim(ledger, photos, files), "w")

    assert [shade for batch in engine.passes for shade in batch] == [50, 90]
    assert query(ledger, "SELECT path, error_code FROM failures ORDER BY path") == [
        ("cut", "truncated"),
        ("empty", "empty"),
        ("text", "not_an_image"),
    ]
    assert query(ledger, "SELECT path FROM top1 ORDER BY path") == [("a",), ("b",)]


def test_bad_copies_each_fail(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_claim(ledger, photos, {"a": b"hello", "b": b"hello"}), "w")

    assert ledger.counts()["failed"] == 2


def test_a_file_that_is_gone_is_missing(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_claim(ledger, photos, {"a": jpeg(), "gone": None}), "w")

    assert query(ledger, "SELECT path, status FROM images ORDER BY path") == [
        ("a", "done"),
        ("gone", "missing"),
    ]


def test_a_root_that_is_not_here_defers_its_images_and_says_so_once(
    pipeline: Pipeline, ledger: Ledger, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claimed = _claim(ledger, photos, {"a": jpeg(50), "b": jpeg(90)})
    photos.rename(photos.with_name("unmounted"))

    pipeline.process(claimed, "w")

    assert status(ledger, *[image.id for image in claimed]) == ["pending", "pending"]
    assert ledger.pending(9) == 0, "not at once"
    assert caplog.text.count("image_deferred: root photos") == 1


def test_a_file_that_changed_since_it_was_seen_is_judged_as_it_is(
    pipeline: Pipeline, ledger: Ledger, photos: Path
) -> None:
    (image,) = _claim(ledger, photos, {"a": jpeg(50)})
    (photos / "a").write_bytes(jpeg(90, (300, 200)))

    pipeline.process([image], "w")

    stat = (photos / "a").stat()
    assert ledger.register(1, [seen("a", stat.st_size, stat.st_mtime_ns)]).unchanged == 1
    assert query(ledger, "SELECT width FROM contents") == [(300,)]


def test_a_root_that_was_added_later_is_found(
    pipeline: Pipeline, ledger: Ledger, settings: Settings, photos: Path
) -> None:
    later = builders.root(ledger, settings, "later")
    (settings.home / "later" / "x").write_bytes(jpeg())
    ledger.register(later.id, [seen("x")])
    ids = [image.id for image in ledger.take_pending(9)]

    pipeline.process(ledger.claim(ids, "w", 60), "w")

    assert status(ledger, *ids) == ["done"]


def test_the_marker_names_the_image_while_it_is_decoded(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier, progress: Progress
) -> None:
    claimed = _claim(ledger, photos, {"a": jpeg(50), "b": b"hello", "c": jpeg(90)})

    pipeline.process(claimed, "w")

    assert engine.marked == [image.id for image in claimed]
    assert progress.read().image_id == 0


def test_a_suspect_is_decoded_after_the_others_were_committed(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    claimed = _claim(ledger, photos, {"a": jpeg(50), "b": jpeg(90), "c": jpeg(130)})
    ledger.blame(claimed[0].id, "crashed_worker", "It crashes.", 9)
    ledger.take_pending(9)
    (suspect,) = ledger.claim([claimed[0].id], "w", 60)

    pipeline.process([suspect, *claimed[1:]], "w")

    assert engine.passes == [[90, 130], [50]]
    assert row(ledger, suspect.id)["attempts"] == 0


def test_a_fault_of_the_engine_leaves_its_batch_and_keeps_the_ones_before(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    claimed = _claim(ledger, photos, {f"{number}": jpeg(30 * number) for number in range(6)})
    engine.fails_at = 1

    with pytest.raises(InfrastructureError):
        pipeline.process(claimed, "w")

    assert status(ledger, *[image.id for image in claimed]) == ["done"] * 4 + ["running"] * 2


def test_a_name_that_is_no_text_is_read(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    name = b"\xff\xfe.jpg"
    with open(os.fsencode(photos) + b"/" + name, "wb") as file:
        file.write(jpeg())
    ledger.register(1, [seen(name)])
    ids = [image.id for image in ledger.take_pending(9)]

    pipeline.process(ledger.claim(ids, "w", 60), "w")

    assert status(ledger, *ids) == ["done"]


def test_no_images_are_no_batch(pipeline: Pipeline, engine: FakeClassifier) -> None:
    pipeline.process([], "w")

    assert engine.passes == []
