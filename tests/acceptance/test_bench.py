"""``tagtray bench`` for real, with little to measure."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path

import psutil
import pytest

from tests import networks
from tests.acceptance import inside, photos
from tests.acceptance.world import World, ended
from tests.waiting import PATIENCE, wait_for

LITTLE = ("--engine", networks.GRAPH, "--precision", "fp32", "--batch-size", "2")
PHOTOS = 5


def _kept(world: World) -> dict[str, tuple[str, str]]:
    """Values and origins of the settings that a machine's file may hold."""
    rows = json.loads(inside.run(world, "config", "--json").output)
    return {row["variable"]: (str(row["value"]), row["origin"]) for row in rows}


class _Bare(World):
    """A world in which no variable says what the machine's file is to say."""

    @property
    def environment(self) -> dict[str, str]:
        said = ("TAGTRAY_ENGINE", "TAGTRAY_PRECISION", "TAGTRAY_WORKERS")
        return {name: value for name, value in super().environment.items() if name not in said}


@pytest.fixture
def bare(laptop: World) -> World:
    """The laptop, bare."""
    return _Bare(laptop.home, laptop.variables, laptop.running)


def test_the_best_is_recommended_kept_and_used(bare: World) -> None:
    # When a little is measured, kept and drawn
    picture = bare.folder / "bench.png"
    bench = bare.run("bench", *LITTLE, "--save", "--plot", str(picture), "--json")

    # Then the output is JSON with one row for each split of the cores
    assert bench.code == 0, bench.errors
    found = json.loads(bench.output)
    best = found["recommended"]
    assert best in found["rows"]
    assert all(row["workers"] * row["threads"] == found["cores"] for row in found["rows"])
    assert found["left_out"] == []
    assert picture.read_bytes().startswith(b"\x89PNG")

    # And the settings are those of the best one, wherever no variable says otherwise
    settings = _kept(bare)
    assert settings["TAGTRAY_ENGINE"] == (networks.GRAPH, "machine.json")
    assert settings["TAGTRAY_BATCH_SIZE"] == ("2", "machine.json")
    assert settings["TAGTRAY_WORKERS"] == (str(best["workers"]), "machine.json")

    # And a run uses them: batches of 2 at most
    photos.make_many(bare.folder / "photos", PHOTOS)
    run = bare.run("run", str(bare.folder / "photos"), TAGTRAY_LINGER_MS="1000")
    assert run.code == 0, run.errors
    assert run.forward == PHOTOS
    assert max(images for images, _ in run.batches) <= 2

    # When the file is damaged, then that is one sentence
    Path(found["kept_in"]).write_text("{")
    damaged = inside.run(bare, "run", str(bare.folder / "photos"))
    assert damaged.code == 2
    assert "machine.json is not JSON; delete it" in damaged.errors
    assert "Traceback" not in damaged.errors


def test_a_whole_run_is_measured_and_leaves_nothing(laptop: World) -> None:
    # Given a folder of photos and a ledger
    folder = laptop.folder / "photos"
    photos.make_many(folder, PHOTOS)
    (folder / "broken.jpg").write_bytes(b"no picture")
    before = sorted(path.name for path in folder.iterdir())
    scratch = Path(tempfile.mkdtemp(dir=laptop.folder))

    # When a run over it is measured
    bench = laptop.run(
        "bench", "--end-to-end", str(folder), "--json", "--batch-size", "2", TMPDIR=str(scratch)
    )

    # Then the figures are there, and nothing else is
    assert bench.code == 0, bench.errors
    found = json.loads(bench.output)
    assert found["images"] == PHOTOS
    assert 0 < found["first_result_seconds"] < found["seconds"]
    bound = found["ceiling_images_per_second"]
    assert found["efficiency"] == pytest.approx(found["steady_images_per_second"] / bound)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert list(scratch.iterdir()) == []
    assert not (laptop.home / "tagtray.db").exists()


@pytest.mark.parametrize(
    ("end_to_end", "number", "code"), [(False, signal.SIGTERM, 0), (True, signal.SIGINT, 130)]
)
def test_a_signal_ends_it_and_leaves_no_process_and_no_folder(
    laptop: World, end_to_end: bool, number: signal.Signals, code: int
) -> None:
    # Given a measurement that is under way
    photos.make_many(laptop.folder / "photos", 60)
    scratch = Path(tempfile.mkdtemp(dir=laptop.folder))
    what = ("--end-to-end", str(laptop.folder / "photos")) if end_to_end else LITTLE
    process = laptop.start("bench", *what, TMPDIR=str(scratch))
    own = psutil.Process(process.pid)
    wait_for(lambda: len(own.children(recursive=True)) >= (3 if end_to_end else 1), process)
    children = own.children(recursive=True)

    # When it is told to end
    process.send_signal(number)

    # Then it does, without a word, and takes everything along
    stopped = ended(process)
    assert stopped.code == code
    assert "Traceback" not in stopped.errors
    gone, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert gone and not alive
    assert list(scratch.iterdir()) == []


def test_what_cannot_be_measured_is_said_before_anything_is(laptop: World) -> None:
    for arguments, sentence in (
        (("--precision", "fp16"), "The precision fp16 is for GPUs"),
        (("--plot", str(laptop.folder / "no/such.png")), "cannot be written"),
        (("--end-to-end", str(laptop.folder / "nowhere")), "does not exist"),
        (("--end-to-end", str(laptop.folder), "--save"), "takes no --save"),
        (("--end-to-end", str(laptop.folder), "--batch-size", "1", "--batch-size", "2"), "one batch size"),
    ):
        refused = inside.run(laptop, "bench", *arguments)
        assert refused.code == 2
        assert sentence in refused.errors
        assert refused.output == ""
