"""How ``teach`` and ``correct`` read their command lines."""

from __future__ import annotations

import pytest

from tagtray.cli.teach import _spread


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["boat", "a.jpg"], ["boat", "a.jpg"]),
        (["boat", "a", "--not", "b", "c"], ["boat", "a", "--not", "b", "--not", "c"]),
        (["boat", "--not", "b", "--json", "a"], ["boat", "--not", "b", "--json", "a"]),
        (["boat", "--not", "b", "--", "a"], ["boat", "--not", "b", "--", "a"]),
    ],
)
def test_all_that_follows_not_is_a_counter_example(given: list[str], read: list[str]) -> None:
    assert list(_spread(given)) == read
