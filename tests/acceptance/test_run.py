"""A folder becomes rows: one run, looked at from all sides, and what later runs add to it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tagtray.jobs.embedded_redis import server
from tests.acceptance import inside, photos
from tests.acceptance.world import Ended, World
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def folder(everywhere: World) -> Path:
    folder = everywhere.folder / "holiday"
    photos.make(folder)
    return folder


@pytest.fixture(scope="module")
def first(everywhere: World, folder: Path) -> Ended:
    """The first run, which does not wait long for the end of files that are never completed."""
    return everywhere.run("run", "--batch-size", "8", str(folder), TAGTRAY_SETTLE="2")


def _states(world: World) -> dict[bytes, tuple[str, str | None]]:
    rows = world.query("SELECT path, path_raw, status, error_code FROM images")
    return {
        bytes(raw) if raw is not None else path.encode(): (state, code) for path, raw, state, code in rows
    }


def test_every_image_ends_done_or_failed_with_its_code(everywhere: World, first: Ended) -> None:
    done: dict[bytes, tuple[str, str | None]] = dict.fromkeys(photos.GOOD, ("done", None))
    failed = {name: ("failed", code) for name, code in photos.BROKEN.items()}

    assert _states(everywhere) == done | failed
    assert first.code == 0


def test_every_content_has_its_top_three_once(everywhere: World, first: Ended) -> None:
    per_content = "SELECT count(*), min(rank), max(rank), sum(score) FROM predictions GROUP BY content_id"
    rows = everywhere.query(per_content)

    assert [row[:3] for row in rows] == [(3, 1, 3)] * photos.CONTENTS
    assert all(0 < row[3] <= 1.00001 for row in rows)
    assert first.forward == photos.CONTENTS


def test_the_views_show_every_done_path(everywhere: World, first: Ended) -> None:
    (count,) = everywhere.query("SELECT count(*) FROM results")[0]
    (labels,) = everywhere.query("SELECT count(*) FROM top1 WHERE label <> '' AND label_zh <> ''")[0]

    assert (count, labels) == (3 * len(photos.GOOD), len(photos.GOOD))


def test_the_summary_counts_and_says_what_to_type_next(first: Ended) -> None:
    total = len(photos.GOOD) + len(photos.BROKEN)
    lines = [" ".join(line.split()) for line in first.output.splitlines()]

    assert lines[0].startswith(f"{total} images in ")
    assert f"done {len(photos.GOOD)} {photos.CONTENTS} classified, 1 with known content" in lines
    failed = next(line for line in lines if line.startswith(f"failed {len(photos.BROKEN)} "))
    assert all(f"{code} 1" in failed for code in photos.BROKEN.values())
    assert any(line.startswith("skipped 2 ") for line in lines)
    assert {"Most frequent categories", "Most frequent labels", "Next", "tagtray failures"} <= set(lines)
    assert any(line.startswith("tagtray show ") for line in lines)


def test_a_run_that_is_no_terminal_shows_no_control_characters(first: Ended) -> None:
    assert "\x1b" not in first.output + first.errors
    assert "Traceback" not in first.errors


def test_a_second_run_makes_no_jobs(everywhere: World, first: Ended, folder: Path) -> None:
    # Given the moments at which images were queued
    query = "SELECT id, status, queued_at, updated_at FROM images ORDER BY id"
    before = everywhere.query(query)

    # When the same folder is run again
    second = everywhere.run("run", str(folder))

    # Then nothing was queued, claimed or classified
    assert (second.code, second.batches) == (0, [])
    assert everywhere.query(query) == before
    summary = " ".join(second.output.split())
    assert f"already known {len(photos.GOOD)} unchanged" in summary
    assert f"failed before {len(photos.BROKEN)} unchanged" in summary


@pytest.mark.parametrize(
    "name", [b"line\nbreak.jpg", b"no utf-8 \xe9\xff.jpg"], ids=["line break", "no UTF-8"]
)
def test_show_finds_a_file_with_an_odd_name(
    everywhere: World, first: Ended, folder: Path, name: bytes
) -> None:
    shown = inside.run(everywhere, "show", os.path.join(os.fsencode(folder), name), "--json")

    facts = json.loads(shown.output)
    assert (shown.code, facts["status"], facts["root"]) == (0, "done", "holiday")
    assert [result["rank"] for result in facts["results"]] == [1, 2, 3]


def test_status_counts_the_images(everywhere: World, first: Ended) -> None:
    # Given an embedded Redis that has ended with its last user, a moment after it
    wait_for(lambda: not server.running(everywhere.home))

    facts = json.loads(inside.run(everywhere, "status", "--json").output)

    assert facts["images"]["done"] >= len(photos.GOOD)
    assert facts["images"]["failed"] == len(photos.BROKEN)
    assert facts["redis"]["running"] is ("TAGTRAY_REDIS_URL" in everywhere.variables)


def test_a_copy_and_a_renamed_file_make_no_forward_pass_and_failures_are_tried_again(
    everywhere: World, first: Ended, folder: Path
) -> None:
    # Given a copy, a file that was renamed, and the failures of one code, which are to be tried again
    shutil.copy2(folder / "c.webp", folder / "copy.webp")
    os.rename(folder / "d.gif", folder / "renamed.gif")
    listed = json.loads(inside.run(everywhere, "failures", "--json").output)
    assert {row["path"]: row["error_code"] for row in listed} == {
        name.decode(): code for name, code in photos.BROKEN.items()
    }
    retried = inside.run(everywhere, "retry", "--code", "truncated")
    assert retried.output.startswith("1 failed image is pending again")
    classified = "SELECT count(*) FROM classifications"
    before = everywhere.query(classified)

    # When the folder is run again
    again = everywhere.run("run", str(folder))

    # Then two are done by their hash, the old name is missing, and of the failures one alone was tried
    states = _states(everywhere)
    assert [states[name][0] for name in (b"copy.webp", b"renamed.gif", b"d.gif")] == [
        "done",
        "done",
        "missing",
    ]
    assert states[b"half.jpg"] == ("failed", "truncated")
    assert (again.code, again.forward) == (0, 0)
    assert sum(images for images, _ in again.batches) == 3
    assert everywhere.query(classified) == before
