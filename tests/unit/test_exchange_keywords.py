"""Which words a photo program is told, and where in its tree they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tagtray.db.reading.tag_summary import TagSummary
from tagtray.exchange import keywords, lines
from tagtray.exchange.keywords import Keywords

_DOGS = {f"dog{number}" for number in range(10)}
_CATS = {f"cat{number}" for number in range(5)}
SUMMARY = TagSummary(
    members={
        "animal": _DOGS | _CATS | {"ant"},
        "pet": _DOGS | _CATS,
        "dog": _DOGS,
        "hunting dog": {"dog1", "dog2"},
        "vehicle": {"car", "bus"},
        "food": {"apple", "soup"},
        "plant": {"apple", "oak"},
        "fruit": {"apple"},
    },
    everyday={"animal", "dog", "vehicle", "food", "plant", "fruit"},
)


def _result(tags: Sequence[str], label: str = "dog1", score: float = 0.5) -> lines.Result:
    return lines.Result(
        lines.Model("m", "0" * 64),
        *("torch", "fp32", "draft", datetime.now(UTC)),
        [lines.Label(1, label, label.upper(), "", score)],
        [lines.Tag(tag, tag, "", 0.9, shown=not tag.startswith("-")) for tag in tags],
    )


def test_words_go_from_the_broad_to_the_narrow_and_leave_out_what_adds_nothing() -> None:
    found = keywords.of(_result(["dog", "animal", "hunting dog", "pet"]), SUMMARY)
    assert found == Keywords(("animal", "dog", "hunting dog"), (("animal", "dog", "hunting dog"),))


def test_each_thing_in_a_photo_has_a_way_of_its_own() -> None:
    found = keywords.of(_result(["dog", "animal", "vehicle"]), SUMMARY)
    assert found.paths == (("animal", "dog"), ("vehicle",))


def test_a_word_below_two_others_stands_below_the_narrower_and_none_is_lost() -> None:
    found = keywords.of(_result(["food", "plant", "fruit"]), SUMMARY)
    assert sorted(found.words) == ["food", "fruit", "plant"]
    assert {word for path in found.paths for word in path} == set(found.words)


def test_a_sure_label_is_the_narrowest_word() -> None:
    assert keywords.of(_result(["animal", "dog"], score=0.7), SUMMARY).paths == (("animal", "dog", "DOG1"),)
    assert keywords.of(_result(["animal", "dog"], score=0.69), SUMMARY).paths == (("animal", "dog"),)
    assert keywords.of(_result([], "car", 0.9), SUMMARY).words == ("CAR",)


def test_a_photo_without_tags_or_without_a_result_has_no_words() -> None:
    assert not keywords.of(None, SUMMARY)
    assert not keywords.of(_result(["-dog"]), SUMMARY)
