"""Parts of the web application by themselves: names in Host headers, tokens, figures, thumbnails, places."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from tagtray.config import settings as configuration
from tagtray.web import attempts, facets, guard, thumbnail_cache, tokens
from tagtray.web.attempts import Attempts
from tagtray.web.batches import Batches
from tagtray.web.places import Places
from tagtray.web.problems import Problem
from tests import waiting


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8765", "localhost"),
        ("[::1]:1", "::1"),
        ("a:b", None),
        ("a@b", None),
        ("a/b", None),
        ("", None),
        ("[", None),
    ],
)
def test_a_host_header_is_a_name_and_a_port(host: str, name: str | None) -> None:
    assert guard.host_name(host) == name


def test_a_cookie_proves_its_own_token_alone() -> None:
    from starlette.responses import Response

    response = Response()
    tokens.set_cookie(response, "one token", secure=True)
    cookie = response.headers["set-cookie"].partition(";")[0]

    assert "Secure" in response.headers["set-cookie"]
    assert tokens.has_cookie(Headers({"cookie": cookie}), "one token")
    assert tokens.has_cookie(Headers({"cookie": f'other=["]; {cookie}; more'}), "one token")
    assert not tokens.has_cookie(Headers({"cookie": cookie}), "another token")
    assert not tokens.has_cookie(Headers({"cookie": "a=[]; tagtray=\xff; b"}), "one token")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer one token", "one token"), ("bearer  x ", "x"), ("Basic one token", None), ("", None)],
)
def test_a_program_sends_its_token_as_a_bearer(header: str, token: str | None) -> None:
    assert tokens.bearer(Headers({"authorization": header})) == token


def _from(address: str) -> dict[str, object]:
    return {"client": (address, 40_000)}


def _tries(tried: Attempts, address: str) -> int:
    """Wrong tokens from an address until there were too many."""
    for count in range(100):
        try:
            tried.check(_from(address))
        except Problem as problem:
            assert (problem.status_code, problem.code) == (429, "too_many_attempts")
            assert 0 < int((problem.headers or {})["Retry-After"]) <= attempts.SECONDS
            return count
        tried.failed(_from(address))
    raise AssertionError("there are never too many")


def test_a_client_may_be_wrong_some_times_at_once_and_others_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 3_600.0)
    tried = Attempts()

    assert _tries(tried, "192.0.2.1") == attempts.AT_ONCE
    assert _tries(tried, "192.0.2.1") == 0
    assert _tries(tried, "192.0.2.2") == attempts.AT_ONCE
    # One subscriber has all addresses of a network of IPv6
    assert _tries(tried, "2001:db8::1") == attempts.AT_ONCE
    assert _tries(tried, "2001:db8::ffff:2") == 0
    assert _tries(tried, "2001:db8:0:1::1") == attempts.AT_ONCE


def test_who_was_wrong_may_try_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 0.01)
    tried = Attempts()
    for _ in range(attempts.AT_ONCE):
        tried.failed(_from("192.0.2.1"))

    time.sleep(0.02 * attempts.AT_ONCE)

    tried.check(_from("192.0.2.1"))


def test_no_more_clients_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 3_600.0)
    monkeypatch.setattr(attempts, "MOST", 2)
    tried = Attempts()

    assert [_tries(tried, f"192.0.2.{n}") for n in (1, 2, 3, 1, 3)] == [10, 10, 10, 10, 0]


def test_figures_are_kept_while_they_are_fresh_and_counted_for_those_who_come_to_old_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facets, "WAIT_SECONDS", waiting.PATIENCE)
    monkeypatch.setattr(facets, "FRESH_SECONDS", 3_600.0)
    numbers = itertools.count(1)
    kept = facets.Kept(lambda: next(numbers))
    assert [kept.get()[0] for _ in range(3)] == [1, 1, 1]

    monkeypatch.setattr(facets, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(facets, "COUNTING_SHARE", 1e9)
    monkeypatch.setattr(facets, "OLD_SECONDS", 0.0)

    assert [kept.get()[0] for _ in range(3)] == [2, 3, 4]


def test_figures_of_a_middle_age_are_counted_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, may_count = itertools.count(1), threading.Event()
    may_count.set()

    def count() -> int:
        may_count.wait(waiting.PATIENCE)
        return next(numbers)

    kept = facets.Kept(count)
    kept.get()
    may_count.clear()
    monkeypatch.setattr(facets, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(facets, "COUNTING_SHARE", 1e9)
    monkeypatch.setattr(facets, "OLD_SECONDS", 3_600.0)

    assert [kept.get()[0] for _ in range(3)] == [1, 1, 1]
    may_count.set()
    waiting.wait_for(lambda: kept.get()[0] > 1)


def test_figures_that_take_long_are_counted_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(1)
    kept = facets.Kept(lambda: next(numbers))
    monkeypatch.setattr(facets, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(facets, "COUNTING_SHARE", 1e-12)

    assert [kept.get()[0] for _ in range(3)] == [1, 1, 1]


def test_thumbnails_that_were_used_longest_ago_go_when_there_are_too_many(tmp_path: Path) -> None:
    # Given four of equal size, of which the oldest was looked at just now
    settings = configuration.load(home=tmp_path, thumbnails_max_bytes=100)
    kept = [thumbnail_cache.file(settings, str(number) * 64, "small") for number in range(4)]
    for number, file in enumerate(kept):
        thumbnail_cache.keep(file, bytes(30))
        os.utime(file, (1_000_000 + number, 1_000_000 + number))
    assert thumbnail_cache.read(kept[0]) == bytes(30)

    # When there is room for three
    assert thumbnail_cache.trim(settings) == 1

    # Then the one goes that is the oldest now, and no other one
    assert [file.exists() for file in kept] == [True, False, True, True]
    assert thumbnail_cache.trim(settings) == 0


def test_there_may_be_no_thumbnails_yet(tmp_path: Path) -> None:
    assert thumbnail_cache.trim(configuration.load(home=tmp_path)) == 0


def test_what_comes_while_a_batch_is_worked_on_is_the_next_one() -> None:
    batches: list[Sequence[int]] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        batches.append(items)
        return [2 * item for item in items]

    async def ask() -> list[int]:
        together = Batches(work, size=3)
        found = await asyncio.gather(*(together.do(item) for item in range(8)))
        await together.drain()
        return found

    assert asyncio.run(ask()) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [item for batch in batches for item in batch] == list(range(8))
    assert max(map(len, batches)) == 3


def test_an_error_is_that_of_all_in_its_batch_and_of_no_other() -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        if 0 in items:
            raise ValueError("no")
        return items

    async def ask() -> tuple[list[object], int]:
        together = Batches(work)
        failed = await asyncio.gather(*(together.do(item) for item in range(2)), return_exceptions=True)
        return list(failed), await together.do(5)

    failed, later = asyncio.run(ask())
    assert all(isinstance(error, ValueError) for error in failed)
    assert later == 5


def test_there_are_as_many_places_as_were_said() -> None:
    places = Places(2)
    with places.taken(), places.taken():
        with pytest.raises(Problem, match="2 requests") as caught, places.taken():
            pass
        assert (caught.value.status_code, caught.value.code) == (429, "busy")
    with places.taken():
        pass
