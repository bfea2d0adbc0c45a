"""The pipeline on real files and a real ledger, with an engine that answers without a network."""

from __future__ import annotations

import io
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, ModelChanged
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import Done, Failed
from tagtray.worker.batch import fill, reader
from tagtray.worker.batch.batch import CommittedBatch, Hook
from tagtray.worker.batch.fill import Filler
from tagtray.worker.batch.lease import Lease
from tagtray.worker.batch.pipeline import Pipeline
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.engines.classifier import Scores
from tagtray.worker.engines.rollup import RollUp
from tagtray.worker.supervision.progress import Phase, Progress
from tests import builders, models
from tests.builders import MODEL_ID, jpeg, png_of_lines, query, row, seen, status

BATCH = 4
ROLL_UP = RollUp(("c_cat", "c_dog"), np.array([[1, 0], [0, 1], [0, 1], [0, 0]], dtype=np.float32))


class FakeClassifier:
    """Finds a beagle in everything; keeps the brightness of the images of each pass."""

    def __init__(self) -> None:
        self._slots = np.zeros((BATCH, *models.SHAPE), dtype=np.uint8)
        self.passes: list[list[int]] = []
        self.fails_at: int | None = None

    @property
    def batch_size(self) -> int:
        return BATCH

    @property
    def slots(self) -> NDArray[np.uint8]:
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
def host(home: Path, request: pytest.FixtureRequest) -> Settings:
    """Those of a test's own, or the defaults."""
    return configuration.load(home=home, **getattr(request, "param", {}))


@pytest.fixture
def photos(host: Settings) -> Path:
    folder = host.home / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def progress(host: Settings) -> Iterator[Progress]:
    progress = Progress.create(host.home / "progress")
    yield progress
    progress.close()


@pytest.fixture
def engine() -> FakeClassifier:
    return FakeClassifier()


@pytest.fixture
def committed() -> list[CommittedBatch]:
    """What the hooks were told."""
    return []


@pytest.fixture
def hooks(committed: list[CommittedBatch]) -> list[Hook]:
    return [committed.append]


@pytest.fixture
def pipeline(
    host: Settings,
    ledger: Ledger,
    photos: Path,
    engine: FakeClassifier,
    progress: Progress,
    hooks: list[Hook],
) -> Pipeline:
    builders.root(ledger, host)
    lease = Lease(ledger, "w", 60, builders.PROVENANCE, progress)
    filler = Filler(host, lease, RootReader(ledger.engine, host), models.SPEC, progress)
    return Pipeline(host, lease, filler, engine, ROLL_UP, progress, hooks)


Phases = list[tuple[Phase, int]]


@pytest.fixture
def phases(engine: FakeClassifier, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> Phases:
    """The marker during each read, decode, forward pass and commit."""
    seen: Phases = []

    def watch(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            marker = progress.read()
            seen.append((marker.phase, marker.image_id))
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, watched)

    watch(reader, "open_image")
    watch(fill, "decode_into")
    watch(engine, "classify")
    watch(Ledger, "commit")
    return seen


def _queue(ledger: Ledger, photos: Path, files: dict[str, bytes | None]) -> list[int]:
    """Write the files (None: leave it out), register and queue all of them; their ids."""
    for name, data in files.items():
        if data is not None:
            (photos / name).write_bytes(data)
    ledger.register(1, [seen(name, len(data or b"")) for name, data in files.items()])
    return [image.id for image in ledger.take_pending(99)]


def test_images_become_rows(pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50), "b": jpeg(200, (30, 90))})

    pipeline.process(ids, MODEL_ID)

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


def test_features_are_kept_as_little_endian_float16(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_queue(ledger, photos, {"a": jpeg(50)}), MODEL_ID)

    assert query(ledger, "SELECT vector FROM features") == [(bytes.fromhex("003c 0038 00c0"),)]


@pytest.mark.parametrize("host", [{"features": False}], indirect=True)
def test_features_that_are_not_wanted_are_not_kept(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_queue(ledger, photos, {"a": jpeg(50)}), MODEL_ID)

    assert query(ledger, "SELECT count(*) FROM classifications") == [(1,)]
    assert query(ledger, "SELECT vector FROM features") == []


def _packet(moment: str) -> bytes:
    return f'<x:xmpmeta><rdf:Description exif:DateTimeOriginal="{moment}"/></x:xmpmeta>'.encode()


def _picture(shade: int, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (64, 48), (shade, shade, shade)).save(file, kind, **options)
    return file.getvalue()


def _changed() -> Picture.Exif:
    exif = Picture.Exif()
    exif[0x0132] = "2004:01:01 00:00:04"
    return exif


def _text() -> PngInfo:
    text = PngInfo()
    text.add_text("Creation Time", "2003-01-01T00:00:03")
    return text


#: Photos by what says in the file itself when they were taken.
STATED: dict[str, Callable[[int], bytes]] = {
    "exif": lambda shade: jpeg(shade, taken="2001:01:01 00:00:01"),
    "xmp": lambda shade: _picture(shade, xmp=_packet("2002-01-01T00:00:02")),
    "png": lambda shade: _picture(shade, "PNG", pnginfo=_text()),
    "modified": lambda shade: _picture(shade, exif=_changed()),
    "nothing": _picture,
}
#: What says it beside the file and in its name.
BESIDE = {
    "": None,
    "-own": "{name}.xmp",
    "-shared": "{stem}.xmp",
    "-20060101-000006": None,
    "-20060101-000006-own": "{name}.xmp",
}


def test_the_date_comes_from_the_best_source_at_hand(
    pipeline: Pipeline, ledger: Ledger, photos: Path
) -> None:
    # Given photos with every combination of what the file, a sidecar and the name say, and an empty sidecar
    files: dict[str, bytes | None] = {}
    for place, (stated, beside) in enumerate(itertools.product(STATED, BESIDE)):
        stem = f"{stated}{beside}"
        name = stem + (".png" if stated == "png" else ".jpg")
        files[name] = STATED[stated](2 * place)
        if sidecar := BESIDE[beside]:
            (photos / sidecar.format(name=name, stem=stem)).write_bytes(_packet("2005-01-01T00:00:05"))
    (photos / "nothing.xmp").write_bytes(b"no date")

    for image_id in _queue(ledger, photos, files):
        pipeline.process([image_id], MODEL_ID)

    tables = "images JOIN contents ON contents.id = content_id"
    rows = query(ledger, f"SELECT path, taken_at, taken_from FROM {tables} ORDER BY path")
    assert rows == sorted((name, *_expected(name)) for name in files)


def _expected(name: str) -> tuple[str, str] | tuple[None, None]:
    found = {
        "exif": ("2001-01-01 00:00:01.000000", "exif"),
        "xmp": ("2002-01-01 00:00:02.000000", "xmp"),
        "png": ("2003-01-01 00:00:03.000000", "png"),
        "modified": ("2004-01-01 00:00:04.000000", "modified"),
    }.get(name.partition(".")[0].partition("-")[0])
    if found and found[1] in ("exif", "xmp"):
        return found
    if "own" in name or "shared" in name:
        return "2005-01-01 00:00:05.000000", "sidecar"
    if found:
        return found
    return ("2006-01-01 00:00:06.000000", "filename") if "2006" in name else (None, None)


def test_the_mean_colour_of_an_image_is_kept(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_queue(ledger, photos, {"a.jpg": jpeg(90)}), MODEL_ID)

    assert query(ledger, "SELECT color, partial FROM contents") == [("#5a5a5a", False)]


def test_an_image_without_its_end_is_marked_as_partial(
    pipeline: Pipeline, ledger: Ledger, photos: Path
) -> None:
    data = png_of_lines(200)

    pipeline.process(_queue(ledger, photos, {"cut.png": data[: int(len(data) * 0.95)]}), MODEL_ID)

    assert query(ledger, "SELECT status, partial FROM images JOIN contents ON contents.id = content_id") == [
        ("done", True)
    ]


def test_copies_in_a_batch_share_one_decode(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50), "b": jpeg(90), "c": jpeg(50), "d": jpeg(50)})

    pipeline.process(ids, MODEL_ID)

    assert engine.passes == [[50, 90]]
    assert ledger.counts()["done"] == 4
    assert query(ledger, "SELECT count(*) FROM contents") == [(2,)]


def test_known_content_is_neither_decoded_nor_classified(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier, phases: Phases
) -> None:
    pipeline.process(_queue(ledger, photos, {"a": jpeg(50)}), MODEL_ID)
    phases.clear()

    pipeline.process(_queue(ledger, photos, {"moved": jpeg(50)}), MODEL_ID)

    assert engine.passes == [[50]]
    assert [phase for phase, _ in phases] == [Phase.READ, Phase.COMMIT]
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

    pipeline.process(_queue(ledger, photos, files), MODEL_ID)

    assert [shade for batch in engine.passes for shade in batch] == [50, 90]
    assert query(ledger, "SELECT path, error_code FROM failures ORDER BY path") == [
        ("cut", "truncated"),
        ("empty", "empty"),
        ("text", "not_an_image"),
    ]
    assert query(ledger, "SELECT path FROM top1 ORDER BY path") == [("a",), ("b",)]


def test_bad_copies_each_fail(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_queue(ledger, photos, {"a": b"hello", "b": b"hello"}), MODEL_ID)

    assert ledger.counts()["failed"] == 2


def test_a_file_that_is_gone_is_missing(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    pipeline.process(_queue(ledger, photos, {"a": jpeg(), "gone": None}), MODEL_ID)

    assert query(ledger, "SELECT path, status FROM images ORDER BY path") == [
        ("a", "done"),
        ("gone", "missing"),
    ]


def test_a_root_that_is_not_here_defers_its_images_and_says_so_once(
    pipeline: Pipeline, ledger: Ledger, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50), "b": jpeg(90)})
    photos.rename(photos.with_name("unmounted"))

    pipeline.process(ids, MODEL_ID)

    assert status(ledger, *ids) == ["pending", "pending"]
    assert ledger.pending(9) == 0, "not at once"
    assert caplog.text.count("root_fails: root photos") == 1


def test_a_file_that_changed_since_it_was_seen_is_judged_as_it_is(
    pipeline: Pipeline, ledger: Ledger, photos: Path
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50)})
    (photos / "a").write_bytes(jpeg(90, (300, 200)))

    pipeline.process(ids, MODEL_ID)

    stat = (photos / "a").stat()
    assert ledger.register(1, [seen("a", stat.st_size, stat.st_mtime_ns)]).unchanged == 1
    assert query(ledger, "SELECT width FROM contents") == [(300,)]


def test_a_root_that_was_added_later_is_found(
    pipeline: Pipeline, ledger: Ledger, host: Settings, photos: Path
) -> None:
    later = builders.root(ledger, host, "later")
    (host.home / "later" / "x").write_bytes(jpeg())
    ledger.register(later.id, [seen("x")])
    ids = [image.id for image in ledger.take_pending(9)]

    pipeline.process(ids, MODEL_ID)

    assert status(ledger, *ids) == ["done"]


def test_the_marker_says_what_is_done_with_which_image(
    pipeline: Pipeline, ledger: Ledger, photos: Path, progress: Progress, phases: Phases
) -> None:
    taken = "2001:02:03 04:05:06"
    a, b, c = _queue(ledger, photos, {"a": jpeg(50, taken=taken), "b": b"hello", "c": jpeg(90, taken=taken)})

    pipeline.process([a, b, c], MODEL_ID)

    assert phases == [
        *[(Phase.READ, image) for image in (a, b, c)],
        *[(Phase.DECODE, image) for image in (a, b, c)],
        (Phase.FORWARD, 0),
        (Phase.COMMIT, 0),
    ]
    assert (progress.read().phase, progress.read().image_id) == (Phase.IDLE, 0)


def test_a_sidecar_is_read_as_a_file_is(
    pipeline: Pipeline, ledger: Ledger, photos: Path, phases: Phases
) -> None:
    # Given an image without a date, beside which nothing is said of one either
    for name in ("a.jpg.xmp", "a.xmp"):
        (photos / name).write_text("<x/>")

    pipeline.process(_queue(ledger, photos, {"a.jpg": jpeg(50)}), MODEL_ID)

    assert [phase for phase, _ in phases] == [
        *(Phase.READ, Phase.DECODE, Phase.READ, Phase.READ, Phase.FORWARD, Phase.COMMIT)
    ]


def test_a_suspect_is_tried_alone_after_the_others_were_committed(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier, phases: Phases
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50), "b": jpeg(90), "c": jpeg(130)})
    ledger.blame(ids[0], "crashed_worker", "It crashes.", 9)
    ledger.take_pending(9)

    pipeline.process(ids, MODEL_ID)

    assert engine.passes == [[90, 130], [50]]
    assert [image for phase, image in phases if phase is Phase.FORWARD] == [0, ids[0]]
    assert row(ledger, ids[0])["attempts"] == 0


def test_hooks_are_told_of_each_committed_batch(
    pipeline: Pipeline, ledger: Ledger, photos: Path, committed: list[CommittedBatch]
) -> None:
    files: dict[str, bytes | None] = {str(number): jpeg(30 * number) for number in range(BATCH)}
    ids = _queue(ledger, photos, {**files, "copy": jpeg(30), "text": b"hello"})

    pipeline.process(ids, MODEL_ID)

    first, second = committed
    assert [image.id for image in (*first.images, *second.images)] == ids
    assert (first.forward, second.forward) == (BATCH, 0)
    assert [type(outcome) for outcome in second.outcomes] == [Failed, Done]
    assert {"claim", "read", "decode", "forward", "commit"} <= first.seconds.keys()
    assert "forward" not in second.seconds
    assert all(seconds >= 0 for seconds in first.seconds.values())


@pytest.mark.parametrize("hooks", [[lambda _batch: 1 / 0]])
def test_a_hook_that_fails_does_the_batch_no_harm(
    pipeline: Pipeline, ledger: Ledger, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50)})

    pipeline.process(ids, MODEL_ID)

    assert status(ledger, *ids) == ["done"]
    assert "hook_failed" in caplog.text


def test_events_have_fields(
    pipeline: Pipeline, ledger: Ledger, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = _queue(ledger, photos, {"a": jpeg(50), "b": b"hello"})

    with caplog.at_level(logging.INFO, "tagtray.worker"):
        pipeline.process([a, b], MODEL_ID)

    fields = {record.__dict__["event"]: record.__dict__["fields"] for record in caplog.records}
    assert fields["image_failed"].items() >= {"image": b, "code": "not_an_image"}.items()
    assert fields["forward_pass"] == {"images": 1}
    assert fields["batch_done"].items() >= {"images": 2, "forward": 1}.items()
    assert "batch_done: images=2 forward=1" in caplog.text


def test_a_job_of_a_former_model_gives_its_images_back(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50)})

    pipeline.process(ids, MODEL_ID + 1)

    assert status(ledger, *ids) == ["pending"]
    assert engine.passes == []


@pytest.mark.parametrize("job_model", [MODEL_ID, MODEL_ID + 1])
def test_a_worker_of_a_former_model_claims_nothing(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier, job_model: int
) -> None:
    ids = _queue(ledger, photos, {"a": jpeg(50)})
    builders.use_model(ledger, builders.add_model(ledger, "1" * 64))

    with pytest.raises(ModelChanged, match="tiny"):
        pipeline.process(ids, job_model)

    assert status(ledger, *ids) == ["pending"]
    assert engine.passes == []


def test_a_fault_of_the_engine_leaves_its_batch_and_keeps_the_ones_before(
    pipeline: Pipeline, ledger: Ledger, photos: Path, engine: FakeClassifier
) -> None:
    ids = _queue(ledger, photos, {f"{number}": jpeg(30 * number) for number in range(6)})
    engine.fails_at = 1

    with pytest.raises(InfrastructureError):
        pipeline.process(ids, MODEL_ID)

    assert status(ledger, *ids) == ["done"] * 4 + ["running"] * 2


def test_a_name_that_is_no_text_is_read(pipeline: Pipeline, ledger: Ledger, photos: Path) -> None:
    name = b"\xff\xfe.jpg"
    with open(os.fsencode(photos) + b"/" + name, "wb") as file:
        file.write(jpeg())
    ledger.register(1, [seen(name)])
    ids = [image.id for image in ledger.take_pending(9)]

    pipeline.process(ids, MODEL_ID)

    assert status(ledger, *ids) == ["done"]


def test_no_images_are_no_batch(pipeline: Pipeline, engine: FakeClassifier) -> None:
    pipeline.process([], MODEL_ID)

    assert engine.passes == []
