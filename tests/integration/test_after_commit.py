"""What is done with the results of a batch: sidecars, a command; and what fails there."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from pathlib import Path

import psutil
import pytest

from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.records import ClaimedImage, Failed, Outcome
from tagtray.learn import teaching
from tagtray.worker.batch import after_commit
from tagtray.worker.batch.batch import CommittedBatch
from tests import builders
from tests.waiting import wait_for


@pytest.fixture
def outcomes(ledger: Ledger, host: Settings) -> list[Outcome]:
    """A dog and an image that failed, both committed."""
    root = builders.root(ledger, host)
    ids = builders.running(ledger, root.id, 2)
    found: list[Outcome] = [
        builders.done(ids[0], "dog", builders.content()),
        Failed(ids[1], "empty", "The file is empty."),
    ]
    builders.commit(ledger, *found)
    (host.home / "photos/0.jpg").write_bytes(builders.jpeg())
    return found


def _tell(ledger: Ledger, settings: Settings, outcomes: list[Outcome]) -> None:
    """Have the hooks of ``settings`` told of a batch."""
    images = [ClaimedImage(outcome.image_id, 1, b"", 10, 0) for outcome in outcomes]
    for hook in after_commit.hooks(settings, ledger.engine):
        hook(CommittedBatch(images, outcomes, 1, {}))


def _with(host: Settings, **options: object) -> Settings:
    return host.model_copy(update=options)


def test_nothing_is_done_unless_it_was_asked_for(host: Settings, ledger: Ledger) -> None:
    assert after_commit.hooks(host, ledger.engine) == []


def test_a_command_reads_the_results_as_lines(
    host: Settings, ledger: Ledger, outcomes: list[Outcome], tmp_path: Path
) -> None:
    _tell(ledger, _with(host, on_done=f"cat >> '{tmp_path}/results'"), outcomes)

    (line,) = map(json.loads, (tmp_path / "results").read_text("utf-8").splitlines())
    assert line["file"] == os.path.realpath(host.home / "photos/0.jpg")
    assert line["result"]["labels"][0]["name"] == "beagle"
    assert [tag["name"] for tag in line["result"]["tags"] if tag["shown"]] == ["dog"]


def test_a_command_that_fails_or_reads_nothing_is_no_fault_of_an_image(
    host: Settings, ledger: Ledger, outcomes: list[Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    _tell(ledger, _with(host, on_done="exit 3"), outcomes)
    _tell(ledger, _with(host, on_done="true"), outcomes)
    _tell(ledger, _with(host, on_done="no-such-command-here 2> /dev/null"), outcomes)

    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [
        f"on_done_failed: TAGTRAY_ON_DONE: the command ended with {code}; the results of 1 images are stored."
        for code in (3, 127)
    ]
    assert builders.status(ledger, *(outcome.image_id for outcome in outcomes)) == ["done", "failed"]


def _is_running(program: Path) -> bool:
    """Whether a living process has it in its command line."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(program) in part for part in process.cmdline()):
                return True
    return False


def test_a_command_that_hangs_is_killed_with_all_that_it_started(
    host: Settings,
    ledger: Ledger,
    outcomes: list[Outcome],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(after_commit, "COMMAND_SECONDS", 0.5)
    program = tmp_path / "lingers"
    program.symlink_to(str(shutil.which("sleep")))
    _tell(ledger, _with(host, on_done=f"'{program}' 600 & wait"), outcomes)

    assert "was killed; the results of 1 images are stored." in caplog.text
    wait_for(lambda: not _is_running(program))


def test_sidecars_are_kept_as_photos_are_done(
    host: Settings, ledger: Ledger, outcomes: list[Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    # When a photo is done
    _tell(ledger, _with(host, xmp=True), outcomes)

    # Then its sidecar is there; one that may not be changed is a line in the log
    sidecar = host.home / "photos/0.jpg.xmp"
    assert b"<rdf:li>beagle</rdf:li>" in sidecar.read_bytes()
    sidecar.write_bytes(b"broken")
    builders.execute(ledger, "DELETE FROM sidecars")
    for _ in range(2):
        _tell(ledger, _with(host, xmp=True), outcomes)
    assert f"sidecar_kept: {os.path.realpath(sidecar)} is broken XML" in caplog.text
    assert sidecar.read_bytes() == b"broken"


def test_what_is_taught_while_a_worker_lives_is_told_and_written(
    host: Settings, ledger: Ledger, outcomes: list[Outcome]
) -> None:
    # Given a worker that has told of a batch
    file = host.home / "told"
    settings = host.model_copy(update={"xmp": True, "on_done": f"cat >> {file}"})
    hooks = after_commit.hooks(settings, ledger.engine)
    batch = CommittedBatch([ClaimedImage(outcomes[0].image_id, 1, b"", 10, 0)], outcomes[:1], 1, {})
    for hook in hooks:
        hook(batch)

    # When an own tag is taught that its photo shows, and it tells again
    (content_id,) = builders.query(ledger, "SELECT content_id FROM images WHERE content_id IS NOT NULL")[0]
    teaching.say(ledger.engine, "our Bello", [content_id], [], "ann")
    for hook in hooks:
        hook(batch)

    # Then the tag is among the others
    first, second = (
        [tag["name"] for tag in json.loads(line)["result"]["tags"]] for line in file.read_bytes().splitlines()
    )
    assert (first, second) == (["dog"], ["our Bello", "dog"])
    assert b"our Bello" in (host.home / "photos/0.jpg.xmp").read_bytes()


def test_workers_are_given_both_settings(host: Settings) -> None:
    given = configuration.environment(configuration.load(home=host.home, xmp=True, on_done="wc -l"))
    assert given["TAGTRAY_XMP"] == "True" and given["TAGTRAY_ON_DONE"] == "wc -l"
