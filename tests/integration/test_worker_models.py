"""Workers and the current model: who holds other weights classifies nothing and says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagtray.app import models as app_models
from tagtray.config.settings import Settings
from tagtray.db import workers as workers_table
from tagtray.db.ledger import Ledger
from tagtray.worker.supervision.resources import Plan
from tagtray.worker.supervision.supervisor import Supervisor
from tests import builders, models, networks, workers
from tests.builders import MODEL_ID, jpeg, query, status
from tests.models import DEFAULT
from tests.waiting import wait_for

#: The hash of weights that no host has.
OTHER = "f" * 64

Said = Callable[[], str]


@pytest.fixture
def host(home: Path, redis_url: str) -> Settings:
    return workers.settings(home, redis_url, lease=5.0)


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    with workers.ledger(host) as ledger:
        yield ledger


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """What workers have said on standard error so far."""
    texts: list[str] = []

    def said() -> str:
        texts.append(capfd.readouterr().err)
        return "".join(texts)

    return said


def test_a_worker_without_the_weights_of_the_current_model_classifies_nothing_and_says_so(
    host: Settings, ledger: Ledger, said: Said
) -> None:
    # Given a host that has other weights under the name of the current model, and queued images
    builders.use_model(ledger, builders.add_model(ledger, OTHER))
    with workers.feeding(host, ledger), workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as crew:
        ids = workers.drop(ledger, host, {"a": jpeg(40), "b": jpeg(80)})

        # When its worker starts, then it says so, and waits
        sentence = f"has the weights {DEFAULT.weights.sha256[:12]} here and {OTHER[:12]} in the"
        wait_for(lambda: "weights_missing" in said() and sentence in said())
        wait_for(lambda: status(ledger, *ids) == ["queued"] * 2)
        assert (crew.ready, crew.deaths, crew.failure) == (0, 0, None)

        # And when the model is one that it has, it works
        builders.use_model(ledger, MODEL_ID)
        wait_for(lambda: status(ledger, *ids) == ["done"] * 2)

    assert query(ledger, "SELECT DISTINCT model_id FROM classifications") == [(MODEL_ID,)]


def test_of_two_hosts_with_other_weights_under_one_name_the_wrong_one_classifies_nothing(
    host: Settings, ledger: Ledger, said: Said
) -> None:
    # Given two hosts on one ledger and one queue, and the weights of one of them current
    url = f"sqlite:///{host.home / 'tagtray.db'}"
    right, wrong = (
        host.model_copy(update={"home": host.home / name, "database_url": url}) for name in ("right", "wrong")
    )
    model, other = models.add(right.home, seed=1), models.add(wrong.home, seed=2)
    model_id = app_models.use(ledger.engine, model)

    with workers.feeding(host, ledger), workers.supervised(Supervisor(wrong, ledger, Plan(1, 1))) as crew:
        # When the other one works alone, then it says what it lacks
        ids = workers.drop(ledger, host, {"a": jpeg(40), "b": jpeg(80)})
        words = ("weights_missing", model.name, model.weights.sha256[:12], other.weights.sha256[:12])
        wait_for(lambda: all(word in said() for word in words))
        assert set(status(ledger, *ids)) <= {"pending", "queued"}

        # And with the right one at work, that one alone classifies
        with workers.supervised(Supervisor(right, ledger, Plan(1, 1))) as right_crew:
            wait_for(lambda: status(ledger, *ids) == ["done"] * 2)
            (worker,) = workers_table.alive(ledger.engine)
            assert [worker.info.pid] == right_crew.pids
        assert (crew.ready, crew.deaths) == (0, 0)

    assert query(ledger, "SELECT DISTINCT model_id FROM classifications") == [(model_id,)]


def test_a_running_worker_sees_a_switch_and_is_replaced_at_once(
    host: Settings, ledger: Ledger, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    with workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as crew:
        # Given a worker that is idle
        wait_for(lambda: workers_table.alive(ledger.engine))
        (pid,) = crew.pids

        # When another model becomes the current one
        builders.use_model(ledger, builders.add_model(ledger, OTHER))

        # Then another worker takes its place without a death, and looks for that model's weights
        wait_for(lambda: "weights_missing" in said())
        assert crew.pids != [pid] and crew.deaths == 0
        assert "worker_died" not in caplog.text
        assert workers_table.alive(ledger.engine) == []


def test_a_worker_in_the_middle_of_a_queue_stops_at_a_switch(
    host: Settings, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    def states() -> set[str]:
        return {state for (state,) in query(ledger, "SELECT DISTINCT status FROM images")}

    with workers.feeding(host, ledger), workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as crew:
        # Given a worker that works off a queue
        workers.drop(ledger, host, {str(number): jpeg(number) for number in range(80)})
        wait_for(lambda: "done" in states())

        # When the model changes and changes back
        builders.use_model(ledger, builders.add_model(ledger, OTHER))
        wait_for(lambda: "running" not in states())
        builders.use_model(ledger, MODEL_ID)

        # Then nothing is lost, nothing fails, and nothing is classified for the other one
        wait_for(lambda: states() == {"done"})
        assert crew.deaths == 0

    assert query(ledger, "SELECT DISTINCT model_id FROM classifications") == [(MODEL_ID,)]


def test_workers_are_in_the_table_of_workers_while_they_work(
    host: Settings, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with workers.feeding(host, ledger), workers.supervised(Supervisor(host, ledger, Plan(1, 1))) as crew:
        with caplog.at_level(logging.INFO):
            wait_for(lambda: workers_table.alive(ledger.engine))
        (worker,) = workers_table.alive(ledger.engine)
        assert [worker.info.pid] == crew.pids
        assert (worker.info.model_id, worker.info.engine) == (MODEL_ID, networks.GRAPH)

        ids = workers.drop(ledger, host, {"a": jpeg(40), "b": jpeg(80)})
        wait_for(lambda: status(ledger, *ids) == ["done"] * 2)
        wait_for(lambda: [found.images for found in workers_table.alive(ledger.engine)] == [2])

    assert workers_table.alive(ledger.engine) == []
