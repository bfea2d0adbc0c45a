"""The commands that look, on ledgers of both kinds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from redis import Redis

from tagtray.app.doctor import roots as doctor_roots
from tagtray.cli import main
from tagtray.config.errors import InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.reading import run_stats
from tagtray.db.records import Deferred, Failed, Gone
from tagtray.jobs.queue import ImageQueue
from tests import builders
from tests.builders import MODEL_ID

Command = Callable[..., str]


@pytest.fixture
def command(host: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command line on the ledger; its output, after a good end."""
    monkeypatch.setenv("TAGTRAY_HOME", str(host.home))
    monkeypatch.setenv("TAGTRAY_DATABASE_URL", str(host.database_url))

    def run(*arguments: str, code: int = 0) -> str:
        ended = main.invoke([*arguments])
        captured = capsys.readouterr()
        assert ended == code, captured
        return captured.out if code == 0 else captured.err

    return run


@pytest.fixture
def mixed(ledger: Ledger, host: Settings) -> roots.RootFolder:
    """A root with images in every state: 0 and 1 done (one content), 2 and 3 failed, 4 missing, 5 deferred
    for long, 6 running, 7 pending."""
    root = builders.root(ledger, host)
    ids = builders.running(ledger, root.id, 7)
    builders.commit(
        ledger,
        builders.done(ids[0], "same", builders.content()),
        builders.done(ids[1], "same", None),
        Failed(ids[2], "truncated", "The JPEG picture\x1b ends too early."),
        Failed(ids[3], "empty", "The file is empty."),
        Gone(ids[4]),
        Deferred(ids[5], 3600.0),
    )
    ledger.register(root.id, [builders.seen("7.jpg")])
    return root


def _file(root: roots.RootFolder, name: str) -> str:
    return os.fsdecode(os.path.join(root.path, name.encode()))


def test_show_tells_all_about_a_done_image(command: Command, mixed: roots.RootFolder) -> None:
    facts = json.loads(command("show", "--json", _file(mixed, "1.jpg")))

    assert (facts["root"], facts["path"], facts["status"]) == ("photos", "1.jpg", "done")
    assert (facts["sha256"], facts["format"], facts["width"]) == (builders.sha("same"), "JPEG", 640)
    assert [(r["rank"], r["label"], r["label_zh"]) for r in facts["results"]] == [
        (1, "beagle", "比格犬"),
        (2, "pug", "巴哥犬"),
        (3, "tabby", "虎斑猫"),
    ]
    assert [(tag["category"], tag["category_zh"]) for tag in facts["tags"]] == [("dog", "狗")]


def test_show_says_that_another_model_has_not_seen_an_image(
    command: Command, ledger: Ledger, mixed: roots.RootFolder
) -> None:
    used = command("weights", "use", "resnet20")
    assert used == (
        "resnet20 is the current model; `tagtray run` on the folders classifies 2 images by it.\n"
    )

    lines = command("show", _file(mixed, "1.jpg")).splitlines()

    assert lines[-1].endswith(" has not classified it yet; `tagtray run` on its folder does")


def test_show_says_why_an_image_failed_on_one_line(command: Command, mixed: roots.RootFolder) -> None:
    lines = command("show", _file(mixed, "2.jpg")).splitlines()

    assert lines[0] == _file(mixed, "2.jpg")
    assert "  error    truncated: The JPEG picture\\x1b ends too early." in lines


def test_show_of_an_unknown_file_is_one_sentence(command: Command, mixed: roots.RootFolder) -> None:
    hint = "`tagtray run` on its folder brings it in, if it is an image"
    gone = _file(mixed, "nope.jpg")
    for unknown, sentence in (
        ("/etc/hosts", f"/etc/hosts is not in the ledger; {hint}."),
        (gone, f"{gone} is not in the ledger, and there is no such file."),
        ("/etc", "/etc is a folder; name an image in it."),
    ):
        assert command("show", unknown, code=2) == f"tagtray: {sentence}\n"


def test_failures_are_listed_latest_first_and_by_code(command: Command, mixed: roots.RootFolder) -> None:
    rows = json.loads(command("failures", "--json"))
    assert {row["path"] for row in rows} == {"2.jpg", "3.jpg"}

    (row,) = json.loads(command("failures", "--json", "--code", "empty"))
    assert (row["root"], row["path"], row["error_message"]) == ("photos", "3.jpg", "The file is empty.")
    assert len(json.loads(command("failures", "--json", "--limit", "1"))) == 1
    assert command("failures", "--code", "timeout") == "No failures.\n"


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        ([], ["2.jpg", "3.jpg"]),
        (["--code", "empty"], ["3.jpg"]),
        (["FOLDER/2.jpg"], ["2.jpg"]),
        (["FOLDER"], ["2.jpg", "3.jpg"]),
        (["FOLDER/2.jpg", "--code", "empty"], []),
        (["FOLDER/0.jpg"], []),
    ],
)
def test_retry_moves_the_failed_ones_that_are_meant(
    command: Command, ledger: Ledger, mixed: roots.RootFolder, arguments: list[str], again: list[str]
) -> None:
    said = command("retry", *(a.replace("FOLDER", os.fsdecode(mixed.path)) for a in arguments))

    assert said.startswith(f"{len(again)} failed ")
    names = "SELECT path FROM images WHERE status = 'pending' AND path < '4' ORDER BY path"
    assert builders.query(ledger, names) == [(name,) for name in again]


@pytest.mark.parametrize(
    ("arguments", "again"),
    [([], "0123"), (["FOLDER/1.jpg"], "1"), (["FOLDER"], "0123"), (["FOLDER/6.jpg"], "")],
)
def test_a_forced_retry_moves_whatever_ended_and_keeps_its_results(
    command: Command, ledger: Ledger, mixed: roots.RootFolder, arguments: list[str], again: str
) -> None:
    before = builders.query(ledger, "SELECT path, label FROM top1 ORDER BY path")

    said = command("retry", "--force", *(a.replace("FOLDER", os.fsdecode(mixed.path)) for a in arguments))

    assert said.startswith(f"{len(again)} image")
    assert (" classifies it." in said) == (len(again) == 1)
    names = "SELECT path FROM images WHERE status = 'pending' AND path < '4' ORDER BY path"
    assert builders.query(ledger, names) == [(f"{number}.jpg",) for number in again]
    assert builders.query(ledger, "SELECT path, label FROM top1 ORDER BY path") == before != []


def test_a_forced_retry_of_a_code_is_refused(command: Command, mixed: roots.RootFolder) -> None:
    assert "give one of them" in command("retry", "--force", "--code", "empty", code=2)


def test_the_doctor_counts_the_images_that_are_listed(
    command: Command, ledger: Ledger, host: Settings, mixed: roots.RootFolder
) -> None:
    builders.execute(ledger, "UPDATE images SET status = 'ignored' WHERE path = '7.jpg'")

    (listed,) = json.loads(command("roots", "--json"))
    found = next(doctor_roots.examine(ledger.engine, host))

    assert f"{listed['images']} images" in found.found


def test_status_without_redis_says_so(command: Command, mixed: roots.RootFolder) -> None:
    facts = json.loads(command("status", "--json"))

    assert facts["images"] == {
        "pending": 2,
        "queued": 0,
        "running": 1,
        "done": 2,
        "failed": 2,
        "missing": 1,
        "ignored": 0,
    }
    assert facts["images_per_second"] == round(1 / 60, 2)
    assert facts["oldest_pending_seconds"] >= 0
    assert facts["redis"]["running"] is False
    assert "not running" in command("status")


def test_status_lists_the_workers_and_what_they_read(
    command: Command, mixed: roots.RootFolder, ledger: Ledger
) -> None:
    info = workers.this_process("one", builders.PROVENANCE, ["photos"])
    workers.register(ledger.engine, info)
    builders.execute(ledger, "UPDATE workers SET started_at = '2020-01-01 00:00:00.000000'")
    workers.heartbeat(ledger.engine, info, 64)

    (facts,) = json.loads(command("status", "--json"))["workers"]

    assert (facts["id"], facts["host"], facts["pid"]) == ("one", info.host, info.pid)
    assert (facts["images"], facts["roots"], facts["engine"]) == (64, ["photos"], "torch")
    assert facts["images_per_second"] >= 0
    assert "torch fp32" in command("status")


def test_a_root_is_paused_and_resumed(command: Command, mixed: roots.RootFolder) -> None:
    assert command("pause", "photos") == "photos is paused.\n"

    assert json.loads(command("status", "--json"))["held"] == [
        {"root": "photos", "paused": True, "waiting": 2}
    ]
    assert "paused; 2 images wait" in command("status")

    assert command("resume") == "photos is not paused.\n"
    assert json.loads(command("status", "--json"))["held"] == []


def test_to_pause_a_root_that_is_not_there_is_one_sentence(command: Command, mixed: roots.RootFolder) -> None:
    assert command("pause", "scans", code=2) == "tagtray: There is no root 'scans'; there is photos.\n"


def test_status_counts_jobs_images_and_refused_ones(
    command: Command, mixed: roots.RootFolder, redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a queue with two jobs of three images, and a job that was refused
    monkeypatch.setenv("TAGTRAY_REDIS_URL", redis_url)
    ImageQueue("tagtray", redis).put([[1, 2], [3]], MODEL_ID)
    redis.set("tagtray:tagtray:refused", 4)

    # When one looks
    facts = json.loads(command("status", "--json"))["redis"]

    # Then all are counted
    assert facts == {
        "running": True,
        "answer": "running",
        "jobs": 2,
        "images": 3,
        "refused": 4,
    }


def test_status_survives_a_redis_that_does_not_answer(
    command: Command, mixed: roots.RootFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGTRAY_REDIS_URL", "redis://:secret@127.0.0.1:1/0")

    facts = json.loads(command("status", "--json"))
    assert (facts["redis"]["running"], facts["redis"]["jobs"]) == (False, None)
    assert "does not answer" in facts["redis"]["answer"]
    assert "secret" not in facts["redis"]["answer"]


def test_the_figures_of_a_run_are_those_of_its_folders(
    ledger: Ledger, host: Settings, mixed: roots.RootFolder
) -> None:
    # Given a second root, and a folder of it beside one whose name differs in case
    start = run_stats.moment(ledger.engine)
    other = builders.root(ledger, host, "other")
    files = [builders.seen(name) for name in ("sub/a.jpg", "Sub/b.jpg", "subway/c.jpg", "d.jpg")]
    ledger.register(other.id, files)
    whole, below = roots.Target(other, b""), roots.Target(other, b"sub")
    first = roots.Target(mixed, b"")

    # Then each target counts its own, and none what is deferred for long
    engine = ledger.engine
    counted = [run_stats.active(engine, [t]) for t in (whole, below, first)]
    assert counted == [4, 1, 2]
    assert [run_stats.unqueued(engine, [t]) for t in (whole, below, first)] == [4, 1, 1]
    assert run_stats.active(engine, [below, first]) == 3
    assert run_stats.active(engine, []) == 0
    assert sum(t.images for t in run_stats.tallies(engine, [first], start) if t.since) == 0
    assert sum(t.images for t in run_stats.tallies(engine, [whole], start) if t.since) == 4


def test_known_content_is_no_forward_pass(ledger: Ledger, mixed: roots.RootFolder) -> None:
    # Given two images with one content that were done just now
    engine, target = ledger.engine, roots.Target(mixed, b"")
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)

    # Then one was classified, and since now none
    assert run_stats.forwarded(engine, [target], long_ago) == 1
    assert run_stats.forwarded(engine, [target], run_stats.moment(engine)) == 0
    assert [(row.name, row.images) for row in run_stats.frequent_labels(engine, [target], 10)] == [
        ("beagle", 2)
    ]
    assert [(row.name, row.images) for row in run_stats.frequent_categories(engine, [target], 10)] == [
        ("dog", 2)
    ]
    assert run_stats.some_done(engine, [target], 1) == [(mixed.id, b"0.jpg")]


def test_a_watch_goes_on_when_the_database_was_away(
    command: Command,
    mixed: roots.RootFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given a database that is away at the second of three looks, and Ctrl-C after that
    counts, looks = Ledger.counts, iter(("there", "away", "there"))
    pauses = iter((None, None, KeyboardInterrupt()))

    def counted(ledger: Ledger) -> dict[str, int]:
        if next(looks) == "away":
            raise InfrastructureError("The database is away.")
        return counts(ledger)

    def pause(_seconds: float) -> None:
        if error := next(pauses):
            raise error

    monkeypatch.setattr(Ledger, "counts", counted)
    monkeypatch.setattr("tagtray.cli.status.time.sleep", pause)

    # When it is watched
    assert main.invoke(["status", "--watch", "--json"]) == 130

    # Then it said so, and showed the rest, a line each
    output = capsys.readouterr()
    assert [json.loads(line)["images"]["done"] for line in output.out.splitlines()] == [2, 2]
    assert output.err == "tagtray: The database is away.\n"
