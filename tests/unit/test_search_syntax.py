"""How a query is read, and what is said of one that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.config.errors import UsageError
from tagtray.search import syntax
from tagtray.search.syntax import Field, Group, Score, Term, Word


def word(text: str, quoted: bool = False) -> Word:
    return Word(text, quoted)


def one(*terms: Term) -> Group:
    return Group(terms, negated=False)


def none(*terms: Term) -> Group:
    return Group(terms, negated=True)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", []),
        ("  ", []),
        ("dog", [one(word("dog"))]),
        ("dog beach", [one(word("dog")), one(word("beach"))]),
        ("cat|dog", [one(word("cat"), word("dog"))]),
        ("cat | dog", [one(word("cat"), word("dog"))]),
        ("dog -puppy", [one(word("dog")), none(word("puppy"))]),
        ("-cat|dog", [none(word("cat"), word("dog"))]),
        ("ping-pong T-shirt", [one(word("ping-pong")), one(word("T-shirt"))]),
        ('"golden retriever"', [one(word("golden retriever", quoted=True))]),
        ('"a|b -c"', [one(word("a|b -c", quoted=True))]),
        ("狗｜猫 －小狗", [one(word("狗"), word("猫")), none(word("小狗"))]),
        ("“金毛 犬”", [one(word("金毛 犬", quoted=True))]),
        ("label:crane", [one(Field("label", "crane"))]),
        ("Camera:Nikon", [one(Field("camera", "Nikon"))]),
        ('path:"my photos/a" root:x', [one(Field("path", "my photos/a")), one(Field("root", "x"))]),
        ("taken:..2023-05", [one(Field("taken", "..2023-05"))]),
        ("-camera:a|camera:b", [none(Field("camera", "a"), Field("camera", "b"))]),
        ("score>0.8", [one(Score(">", 0.8))]),
        ("score >= 80% dog", [one(Score(">=", 0.8)), one(word("dog"))]),
        ("SCORE<.5", [one(Score("<", 0.5))]),
        ("score", [one(word("score"))]),
    ],
)
def test_a_query_is_read_as_it_is_meant(text: str, groups: list[Group]) -> None:
    assert list(syntax.parse(text)) == groups


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dog |", "ends too early"),
        ("label:", "ends too early"),
        ("-", "ends too early"),
        ("| dog", "cannot be read from '| dog' on"),
        ("a||b", "cannot be read from"),
        ("(a b)|c", "cannot be read from"),
        ("path:-x", "cannot be read from '-x' on"),
        ('dog "puppy', "a quotation mark without a second one"),
        ('dog ""', "nothing between two quotation marks"),
        ('path:" "', "nothing between two quotation marks"),
        ("colour:red", "There is no field 'colour:'"),
        ("http://x", "There is no field 'http:'"),
        ("score>2", "'score>2' is no bound of a score"),
        ("score>1.2.3", "is no bound of a score"),
        ("a" * 1001, "at most 1,000 are read"),
        ("a " * 31, "more than 30 conditions"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        syntax.parse(text)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")


@given(
    st.text(alphabet=st.sampled_from(list('ab"|-:> .狗()score0\n\x00')), max_size=30) | st.text(max_size=40)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        groups = syntax.parse(text)
    except UsageError:
        return
    assert all(group.terms for group in groups)
