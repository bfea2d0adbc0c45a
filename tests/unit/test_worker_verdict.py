"""Limits of the phases, and whom a death is blamed on."""

from __future__ import annotations

import time

import pytest

from tagtray.config.errors import ImageCode
from tagtray.config.settings import Settings
from tagtray.db.access import engine, sqlite, transactions
from tagtray.jobs import connection
from tagtray.worker.supervision import limits
from tagtray.worker.supervision.limits import Limits
from tagtray.worker.supervision.progress import Phase, Snapshot
from tagtray.worker.supervision.verdict import judge

#: Addresses of one host name that are tried in turn: IPv6 and IPv4.
ADDRESSES = 2


def _at(phase: Phase, image_id: int = 7, age: float = 0.0) -> Snapshot:
    return Snapshot(phase, image_id, time.monotonic() - age)


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_limit(settings: Settings, phase: Phase) -> None:
    found = Limits(settings)

    assert found.allow(_at(phase, age=found[phase] / 2))
    assert not found.allow(_at(phase, age=found[phase] + 1))


def test_a_database_that_is_away_is_no_hang() -> None:
    attempts = len(transactions.RETRY_DELAYS) + 1
    attempt = max(int(engine.LIBPQ["connect_timeout"]) * ADDRESSES, sqlite.BUSY_MS / 1000)

    assert sum(transactions.RETRY_DELAYS) + attempts * attempt < limits.LEDGER_SECONDS


def test_a_redis_that_is_away_is_no_hang() -> None:
    attempt = connection.CONNECT_SECONDS * ADDRESSES + connection.COMMAND_SECONDS

    assert (connection.RETRIES + 1) * (attempt + connection.RETRY_CAP) < limits.IDLE_SECONDS


def test_a_forward_pass_of_a_larger_batch_may_take_longer(settings: Settings) -> None:
    large = settings.model_copy(update={"batch_size": 10 * settings.batch_size})

    assert Limits(large)[Phase.FORWARD] > Limits(settings)[Phase.FORWARD]


@pytest.mark.parametrize("phase", [Phase.DECODE, Phase.FORWARD])
def test_an_image_that_was_alone_in_hand_is_blamed(settings: Settings, phase: Phase) -> None:
    at = _at(phase)

    crash, hang = judge(at, None, Limits(settings)), judge(at, at, Limits(settings))

    assert crash is not None and (crash.image_id, crash.code) == (7, ImageCode.CRASHED_WORKER)
    assert hang is not None and (hang.image_id, hang.code) == (7, ImageCode.TIMEOUT)
    assert crash.message.endswith(".") and hang.message.endswith(".")


@pytest.mark.parametrize("hung", [False, True])
@pytest.mark.parametrize(
    "at",
    [_at(Phase.FORWARD, 0), *[_at(phase) for phase in Phase if phase not in (Phase.DECODE, Phase.FORWARD)]],
)
def test_nobody_is_blamed_for_what_is_no_image_s_fault(settings: Settings, at: Snapshot, hung: bool) -> None:
    assert judge(at, at if hung else None, Limits(settings)) is None


def test_an_image_that_had_just_begun_when_its_worker_was_killed_is_innocent(settings: Settings) -> None:
    assert judge(_at(Phase.DECODE, 8), _at(Phase.DECODE, 7, age=99.0), Limits(settings)) is None
