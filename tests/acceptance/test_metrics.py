"""Prometheus reads the truth: what is scraped during a run agrees with the ledger."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance import inside, photos
from tests.acceptance.world import World, ended
from tests.waiting import wait_for

PHOTOS = 8
GOOD = PHOTOS + 1
#: Values by name and labels.
Figures = dict[tuple[Any, ...], float]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(url: str) -> Samples:
    """The samples at ``url`` by name and labels."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }


def value(samples: Samples, name: str, /, **labels: str) -> float:
    """The sum of the samples of this name that have these labels; 0 where there is none."""
    wanted = set(labels.items())
    return sum(found for (key, has), found in samples.items() if key == name and wanted <= set(has))


def test_metrics_of_a_run_agree_with_its_ledger(everywhere: World, tmp_path: Path) -> None:
    # Given photos and a file that is none, in a run with two workers
    folder = tmp_path / "photos"
    photos.make_many(folder, PHOTOS)
    copied = sorted(folder.iterdir())[0]
    photos.write(folder, b"broken.jpg", b"\xff\xd8\xff\xe0 is all there is of this picture")
    options = ("--watch", "--metrics", "0", "--batch-size", "2")
    run = everywhere.start("run", *options, str(folder), TAGTRAY_WORKERS="2", TAGTRAY_SETTLE="0.1")
    assert run.stderr is not None
    found = next(found for line in run.stderr if (found := re.search(r"Metrics are at (\S+)", line)))

    # When it is scraped while it works, then what it says is what is in the ledger
    ends = "SELECT count(*) FROM images WHERE status IN ('done', 'failed')"
    wait_for(lambda: everywhere.count(ends) > 0, run)
    first = scrape(found[1])
    images = "SELECT count(*) FROM images WHERE status = 'done'"
    before = value(first, "tagtray_images", state="done")
    assert before <= everywhere.count(images) <= GOOD
    assert value(first, "tagtray_store_up", store="ledger") == 1

    # And at its end, a copy of what is known included, both are the same, whoever counted
    wait_for(lambda: everywhere.count(ends) == PHOTOS + 1, run)
    (folder / "copy.jpg").write_bytes(copied.read_bytes())
    wait_for(lambda: everywhere.count(ends) == GOOD + 1, run)
    ((code,),) = everywhere.query("SELECT error_code FROM images WHERE status = 'failed'")
    expected = _counted(code, everywhere.environment["TAGTRAY_ENGINE"])
    _assert_comes_to(lambda: _figures(scrape(found[1]), expected), expected)
    assert everywhere.count(images) == GOOD
    assert everywhere.count("SELECT count(*) FROM classifications") == PHOTOS

    # And the same as `status` says
    last = scrape(found[1])
    facts = json.loads(inside.run(everywhere, "status", "--json").output)
    states = {state: value(last, "tagtray_images", state=state) for state in facts["images"]}
    assert states == facts["images"]
    assert value(last, "tagtray_stage_seconds_sum", stage="forward") > 0
    assert value(last, "tagtray_stage_seconds_count", stage="decode") > 0

    # And nothing of it is left behind
    run.terminate()
    assert ended(run).code == 0
    assert list((everywhere.home / "run").iterdir()) == []


def _counted(code: str, engine: str) -> Figures:
    """What workers, producer, supervisor and queue count of the finished run, the one failure by its code."""
    return {
        ("tagtray_images", ("state", "done")): GOOD,
        ("tagtray_inference_count_total",): PHOTOS,
        ("tagtray_images_failed", ("code", code)): 1,
        ("tagtray_image_failures_total", ("code", code)): 1,
        ("tagtray_images_ended_total",): GOOD + 1,
        ("tagtray_images_ended_total", ("result", "failed")): 1,
        ("tagtray_batch_size_sum",): GOOD + 1,
        ("tagtray_producer_files_total", ("result", "new")): GOOD + 1,
        ("tagtray_store_up", ("store", "redis")): 1,
        ("tagtray_queue_jobs",): 0,
        ("tagtray_oldest_pending_seconds",): 0,
        ("tagtray_workers", ("engine", engine)): 2,
        ("tagtray_workers_ready",): 2,
        ("tagtray_model_info", ("name", "resnet18")): 1,
    }


def _figures(samples: Samples, keys: Iterable[tuple[Any, ...]]) -> Figures:
    return {(name, *labels): value(samples, name, **dict(labels)) for name, *labels in keys}


def _assert_comes_to(figures: Callable[[], Figures], expected: Figures) -> None:
    """Several processes count, each in its own time: wait until all have."""
    with contextlib.suppress(AssertionError):
        wait_for(lambda: figures() == expected)
    assert figures() == expected


def test_a_port_that_is_taken_is_one_sentence(laptop: World, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = laptop.run("run", "--metrics", str(port), str(tmp_path))

    assert run.code == 2
    assert run.errors.splitlines()[-1] == (
        f"tagtray: Metrics cannot be shown on 127.0.0.1:{port}: Address already in use."
    )


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_number_that_is_no_port_is_refused(laptop: World, port: str, tmp_path: Path) -> None:
    assert inside.run(laptop, "run", "--metrics", port, str(tmp_path)).code == 2
