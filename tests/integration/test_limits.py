"""Limits that are lowered or raised: known images leave the views, and come back with their results."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagtray.config import limits
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.records import Done, Failed
from tagtray.producer.producer import Producer
from tagtray.search.find import Search
from tests import builders
from tests.producing import JPEG

#: Files with their sizes, in bytes, and the formats of their contents, which all have 640 x 480 pixels.
FILES = {"small.jpg": (1_000, "JPEG"), "large.jpg": (5_000, "JPEG"), "sub/a.png": (1_000, "PNG")}


@pytest.fixture
def library(host: Settings) -> Path:
    folder = host.home / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, (size, _) in FILES.items():
        (folder / name).write_bytes(JPEG[:-2].ljust(size - 2, b"x") + JPEG[-2:])
        os.utime(folder / name, (1_600_000_000,) * 2)
    return folder


def scan(ledger: Ledger, host: Settings, folder: Path, **changed: Any) -> int:
    """Scan with other limits; how often the feeder was told."""
    told: list[None] = []
    settings = host.model_copy(update={"stable": 0.01, "settle": 0.01, **changed})
    target = roots.resolve(ledger.engine, settings, folder)
    Producer(settings, ledger, lambda: told.append(None), [target]).scan()
    return len(told)


def work(ledger: Ledger, folder: Path) -> None:
    """Classify what is pending."""
    ids = [image.id for image in ledger.take_pending(100)]
    for image in ledger.claim(ids, "w", 60.0, builders.MODEL_ID):
        name, info = os.fsdecode(image.path), os.stat(os.path.join(os.fsencode(folder), image.path))
        content = replace(builders.content(), format=FILES[name][1])
        builders.commit(ledger, Done(image.id, builders.sha(name), info.st_size, info.st_mtime_ns, content))


@pytest.fixture
def known(ledger: Ledger, host: Settings, library: Path) -> Path:
    """The library, classified."""
    scan(ledger, host, library)
    work(ledger, library)
    assert shown(ledger) == sorted(FILES)
    return library


def shown(ledger: Ledger) -> list[str]:
    """What the views show, and search."""
    views = ("top1", "results", "image_tags")
    found = [builders.query(ledger, f"SELECT DISTINCT path FROM {view} ORDER BY 1") for view in views]
    with ledger.engine.connect() as connection:
        hits = sorted(hit.path for hit in Search(connection, "dog").stream(connection))
    assert all([path for (path,) in rows] == hits for rows in found)
    return hits


def failures(ledger: Ledger) -> list[tuple[Any, ...]]:
    return builders.query(ledger, "SELECT path, error_code, error_message FROM failures ORDER BY 1")


def test_a_known_file_over_the_limit_leaves_the_views_until_the_limit_goes_up(
    ledger: Ledger, host: Settings, known: Path
) -> None:
    assert scan(ledger, host, known, max_bytes=4_999) == 1
    error = limits.too_large(5_000, 4_999)
    assert failures(ledger) == [("large.jpg", "too_large", str(error))]
    assert shown(ledger) == ["small.jpg", "sub/a.png"]

    assert scan(ledger, host, known, max_bytes=4_999) == 0
    assert scan(ledger, host, known, max_bytes=5_000) == 1
    assert shown(ledger) == sorted(FILES)
    assert failures(ledger) == []
    assert ledger.counts() == {**dict.fromkeys(ledger.counts(), 0), "done": 3}


def test_pixels_count_where_a_decoder_holds_them_all(ledger: Ledger, host: Settings, known: Path) -> None:
    scan(ledger, host, known, max_pixels=640 * 480 - 1)
    error = limits.too_many_pixels(640 * 480, 640 * 480 - 1)
    assert failures(ledger) == [("sub/a.png", "too_many_pixels", str(error))]
    assert shown(ledger) == ["large.jpg", "small.jpg"]

    scan(ledger, host, known, max_pixels=640 * 480 - 1, exact=True)
    assert shown(ledger) == []

    scan(ledger, host, known)
    assert shown(ledger) == sorted(FILES)


def test_what_another_model_has_to_classify_waits_for_it_when_it_is_back(
    ledger: Ledger, host: Settings, known: Path
) -> None:
    scan(ledger, host, known, max_bytes=4_999)
    builders.use_model(ledger, builders.add_model(ledger, "1" * 64))

    scan(ledger, host, known)

    assert [image.id for image in ledger.take_pending(9)] == [
        image_id for (image_id,) in builders.query(ledger, "SELECT id FROM images WHERE path = 'large.jpg'")
    ]


def test_a_file_that_was_never_read_is_tried_when_the_limit_admits_it(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    # Given a file that was refused by its size, and one by its pixels, of which nothing is known
    scan(ledger, host, library)
    ids = dict(builders.query(ledger, "SELECT path, id FROM images"))
    ledger.claim([image.id for image in ledger.take_pending(9)], "w", 60.0, builders.MODEL_ID)
    refused = {"large.jpg": limits.too_large(5_000, 9), "sub/a.png": limits.too_many_pixels(9, 8)}
    outcomes = [Failed(ids[name], error.code, str(error)) for name, error in refused.items()]
    builders.commit(ledger, *outcomes)

    # When they are scanned
    scan(ledger, host, library)

    # Then the one is tried again, the other is for people to retry
    assert builders.status(ledger, ids["large.jpg"], ids["sub/a.png"]) == ["pending", "failed"]


def test_a_scan_of_a_folder_judges_that_folder(ledger: Ledger, host: Settings, known: Path) -> None:
    scan(ledger, host, known / "sub", max_bytes=999)

    assert [path for path, *_ in failures(ledger)] == ["sub/a.png"]


def test_what_is_ignored_is_not_found(ledger: Ledger, host: Settings, known: Path) -> None:
    (known / ".tagtrayignore").write_text("sub/\n")

    scan(ledger, host, known)

    assert shown(ledger) == ["large.jpg", "small.jpg"]
