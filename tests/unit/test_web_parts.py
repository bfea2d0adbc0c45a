"""Parts of the web application by themselves: names in Host headers, work done together, places."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.datastructures import Headers

from tagtray.web import guard, tokens
from tagtray.web.batches import Batches
from tagtray.web.places import Places
from tagtray.web.problems import Problem


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
    assert tokens.proves(Headers({"cookie": cookie}), "one token")
    assert tokens.proves(Headers({"cookie": f'other=["]; {cookie}; more'}), "one token")
    assert not tokens.proves(Headers({"cookie": cookie}), "another token")
    assert not tokens.proves(Headers({"cookie": "a=[]; tagtray=\xff; b"}), "one token")
    assert not tokens.proves(Headers({"authorization": "Basic one token"}), "one token")


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
