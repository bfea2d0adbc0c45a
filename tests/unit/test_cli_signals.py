"""Asked once, a command ends in order; asked by a second Ctrl-C, at once."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tagtray.cli.signals import AtOnce, StopRequest


def test_nobody_asked() -> None:
    with StopRequest() as request:
        assert not request.wait(0.01)
    assert request.exit_code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_asks_to_stop(number: signal.Signals, code: int) -> None:
    with StopRequest() as request:
        signal.raise_signal(number)
        assert request.wait(60)
    assert request.exit_code == code


def test_a_wait_ends_with_the_signal() -> None:
    # Given a signal that comes while the main thread waits
    began = time.monotonic()
    with StopRequest() as request:
        sender = threading.Timer(0.05, signal.raise_signal, [signal.SIGTERM])
        sender.start()
        assert request.wait(60)
    sender.join()

    assert time.monotonic() - began < 30


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_ctrl_c_after_another_request_ends_at_once(first: signal.Signals) -> None:
    with StopRequest() as request, pytest.raises(AtOnce):
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGINT)
    assert request.exit_code == 130


def test_more_sigterms_change_nothing() -> None:
    with StopRequest() as request:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert request.exit_code == 0


def test_the_former_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest():
        pass

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
