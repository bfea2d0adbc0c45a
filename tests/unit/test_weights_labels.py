"""Names of classes and categories, and who belongs to whom."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.config.errors import WeightsError
from tagtray.weights.labels import CATEGORY_COLUMNS, LABEL_COLUMNS, Category, LabelSet, table
from tests.models import DEFAULT
from tools import wordnet

IMAGENET = DEFAULT.labels
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
DATA_NOUN = Path("/usr/share/wordnet/data.noun")  # Debian: wordnet-base

MEMBERS = {
    "dog": 118,
    "cat": 13,
    "bird": 59,
    "animal": 398,
    "vehicle": 67,
    "fruit": 16,
    "clothing": 49,
    "furniture": 22,
    "musical instrument": 26,
    "building": 14,
}


def curated() -> dict[str, Category]:
    return {category.name: category for category in IMAGENET.categories if category.curated}


def members(*names: str) -> set[str]:
    wnids = {curated()[name].wnid for name in names}
    return {label for label, category in IMAGENET.closure if category in wnids}


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_an_index_is_the_rank_of_the_wnid() -> None:
    wnids = [label.wnid or "" for label in IMAGENET.labels]
    assert len(set(wnids)) == 1000 and wnids == sorted(wnids)


def test_every_class_has_one_chinese_name_of_its_own() -> None:
    names = [label.name_zh for label in IMAGENET.labels]
    assert all(has_chinese(name) for name in names)
    assert [name for name, n in Counter(names).items() if n > 1] == []
    assert [name for name in names if set(name) & set(" ,，、;；()（）|")] == []


@pytest.mark.parametrize(
    ("index", "name_zh"),
    [
        (15, "旅鸫"),  # robin, not the bunting before it
        (76, "捕鸟蛛"),  # tarantula
        (77, "狼蛛"),  # wolf spider
        (92, "蜂虎"),  # bee eater, not bee
        (96, "巨嘴鸟"),  # toucan, not hornbill
        (115, "海蛞蝓"),  # sea slug, not sea cucumber
        (134, "鹤"),  # the bird
        (438, "烧杯"),  # beaker, not goblet
        (517, "起重机"),  # the machine
        (643, "面具"),  # mask, not the cosmetic
        (666, "研钵"),  # mortar, not cement
        (802, "雪地摩托"),  # snowmobile, not sled
        (981, "棒球运动员"),  # the player, not the ball
        (992, "伞菌"),  # agaric, not wood ear
    ],
)
def test_a_name_that_is_often_mistranslated_is_right(index: int, name_zh: str) -> None:
    assert IMAGENET.labels[index].name_zh == name_zh


@pytest.mark.parametrize(("name", "n"), MEMBERS.items())
def test_a_category_has_the_members_that_wordnet_gives_it(name: str, n: int) -> None:
    assert len(members(name)) == n


def test_food_joins_two_synsets() -> None:
    assert len(members("food")) == 48


def test_a_toy_is_not_a_toy_dog() -> None:
    toys = {label.name for label in IMAGENET.labels if label.wnid in members("toy")}
    assert toys == {"swing", "teddy"}
    assert "toy" not in curated()["toy dog"].aliases
    assert not members("toy") & members("dog")


def test_100_to_150_categories_are_curated_and_named_in_both_languages() -> None:
    assert 100 <= len(curated()) <= 150
    assert all(has_chinese(category.name_zh) for category in curated().values())
    assert max(Counter(category.name_zh for category in curated().values()).values()) == 1


def test_categories_have_unique_names_and_wnids() -> None:
    categories = IMAGENET.categories
    assert len({category.wnid for category in categories}) == len(categories) == 465
    assert len({category.name for category in categories}) == len(categories)


@pytest.mark.parametrize("name", ["entity", "whole", "artifact", "instrumentality", "matter", "chordate"])
def test_a_category_that_says_nothing_is_hidden(name: str) -> None:
    assert name not in curated()


def test_no_word_is_for_two_curated_categories() -> None:
    words = Counter(
        word.casefold()
        for category in curated().values()
        for word in (category.name, category.name_zh, *category.aliases)
    )
    assert {word for word, n in words.items() if n > 1} == set()


def test_curated_categories_and_no_others_have_an_icon() -> None:
    found = IMAGENET.categories
    assert [category.name for category in found if bool(category.icon) != category.curated] == []
    assert [category.name for category in found if category.everyday and not category.curated] == []


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("cow", "ox"),
        ("牛", "ox"),
        ("奶牛", "ox"),
        ("horse", "sorrel"),
        ("sheep", "ram"),
        ("sneakers", "running shoe"),
        ("运动鞋", "running shoe"),
        ("smartphone", "cellular telephone"),
        ("sofa", "studio couch"),
        ("polar bear", "ice bear"),
        ("ATM", "cash machine"),
    ],
)
def test_a_class_is_found_by_the_word_that_people_use(word: str, name: str) -> None:
    found = [label.name for label in IMAGENET.labels if word in (label.name_zh, *label.aliases)]
    assert found == [name]


def test_phone_is_a_word_for_all_telephones() -> None:
    assert "phone" in curated()["telephone"].aliases


def test_a_class_repeats_no_word_of_its_own_or_of_a_curated_category_above_it() -> None:
    above: dict[str | None, set[str]] = {label.wnid: set() for label in IMAGENET.labels}
    names = {category.wnid: category for category in IMAGENET.categories if category.curated}
    for below, category in IMAGENET.closure:
        if category in names:
            found = names[category]
            above[below] |= {word.casefold() for word in (found.name, found.name_zh, *found.aliases)}
    for label in IMAGENET.labels:
        words = [word.casefold() for word in label.aliases]
        assert len(set(words)) == len(words), label
        assert not {label.name.casefold(), label.name_zh} & set(words), label
        assert not above[label.wnid] & set(words), label


def test_a_hidden_category_takes_no_word_of_a_curated_one() -> None:
    taken = {
        word.casefold()
        for found in curated().values()
        for word in (found.name, found.name_zh, *found.aliases)
    }
    hidden = [category for category in IMAGENET.categories if not category.curated]
    words = {word.casefold() for found in hidden for word in (found.name, *found.aliases)}
    assert words & taken == set()


def test_every_category_has_2_to_400_members() -> None:
    size = Counter(category for _, category in IMAGENET.closure)
    assert set(size) == {category.wnid for category in IMAGENET.categories}
    assert all(2 <= n <= 400 for n in size.values())


def test_membership_is_the_closure_as_a_matrix() -> None:
    wnids, matrix = IMAGENET.membership
    assert matrix.shape == (1000, len(wnids)) and matrix.dtype == np.float32 and not matrix.flags.writeable
    labels = IMAGENET.labels
    pairs = {(labels[i].wnid, wnids[j]) for i, j in np.argwhere(matrix)}
    assert pairs == set(IMAGENET.closure)
    assert matrix.sum() == len(pairs)


@given(st.integers(0, 999))
def test_all_of_one_class_is_all_of_each_category_above_it(index: int) -> None:
    # Given: a softmax that is sure of one class
    wnids, matrix = IMAGENET.membership
    softmax = np.zeros((1, 1000), dtype=np.float32)
    softmax[0, index] = 1
    # When
    scores = softmax @ matrix
    # Then
    above = {category for label, category in IMAGENET.closure if label == IMAGENET.labels[index].wnid}
    assert {wnids[j] for j in np.flatnonzero(scores[0])} == above and set(scores[0]) <= {0.0, 1.0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a table\n",
        b"\xff\xfe\n",
        b"class_index\twnid\tname\tname_zh\taliases\tancestors\none\tn1\ta\tb\t\t\n",
        b"class_index\twnid\tname\tname_zh\taliases\tancestors\n0\tn1\n",
        b"class_index\twnid\tname\tname_zh\taliases\tancestors\n1\tn1\ta\tb\t\t\n",
        b"class_index\twnid\tname\tname_zh\taliases\tancestors\n0\tn1\ta\tb\t\t\n",
    ],
)
def test_a_damaged_table_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_bytes(content)
    with pytest.raises(WeightsError, match=r"labels\.tsv is damaged: [^\n]*\.$"):
        LabelSet("few", tmp_path / "labels.tsv").labels  # noqa: B018


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"categories\.tsv is missing\.$"):
        LabelSet("few", tmp_path / "labels.tsv", tmp_path / "categories.tsv").categories  # noqa: B018


def test_an_ancestor_that_is_no_category_is_one_sentence(tmp_path: Path) -> None:
    lines = ["\t".join(LABEL_COLUMNS), "0\tn1\ta\tb\t\tn99", "1\tn2\tc\td\t\t", ""]
    (tmp_path / "labels.tsv").write_text("\n".join(lines), "utf-8")
    (tmp_path / "categories.tsv").write_text("\t".join(CATEGORY_COLUMNS) + "\n", "utf-8")
    with pytest.raises(WeightsError, match=r"n99 is no category\.$"):
        LabelSet("few", tmp_path / "labels.tsv", tmp_path / "categories.tsv").closure  # noqa: B018


def test_names_alone_are_a_label_set_without_categories(tmp_path: Path) -> None:
    # Given a table of two names
    (tmp_path / "labels.tsv").write_text(table(["day", "night"]), "utf-8")
    # When it is read
    labels = LabelSet("times", tmp_path / "labels.tsv")
    # Then its classes have a name and no synset
    assert [(label.name, label.wnid) for label in labels.labels] == [("day", None), ("night", None)]
    assert (labels.categories, labels.closure, labels.membership[1].shape) == ((), (), (2, 0))


def test_wordnets_own_format_is_read_with_several_parents_and_instances(tmp_path: Path) -> None:
    # Given: 3 lies below 2 and 4, of which 2 is a kind and 4 an instance of 1
    data_noun = tmp_path / "data.noun"
    data_noun.write_text(
        "  1 This software and database is being provided to you @ 00000009 n \n"
        "00000001 03 n 01 entity 0 002 ~ 00000002 n 0000 ~i 00000004 n 0000 | all @ 00000009 n \n"
        "00000002 03 n 02 thing 0 object 0 002 @ 00000001 n 0000 + 00000009 n 0101 | a thing \n"
        "00000003 03 n 01 leaf 0 002 @ 00000002 n 0000 @ 00000004 n 0000 | a leaf \n"
        "00000004 03 n 01 Everest 0 001 @i 00000001 n 0000 | a peak \n",
        encoding="latin-1",
    )
    # When
    above = wordnet.parents(data_noun)
    # Then
    assert above["n00000002"] == above["n00000004"] == ("n00000001",)
    assert wordnet.ancestors("n00000003", above) == {"n00000001", "n00000002", "n00000004"}


def test_categories_of_a_single_class_are_left_out() -> None:
    above = {"a": ("both", "only"), "b": ("both",), "both": (), "only": ()}
    assert wordnet.closure(["a", "b"], above) == {"a": {"both"}, "b": {"both"}}


if DATA_NOUN.exists():

    def test_the_closure_is_that_of_wordnet_itself() -> None:
        assert wordnet.differences(DATA_NOUN, IMAGENET) == set()


if SHARED.exists():

    def test_wnids_and_ancestors_are_those_of_the_published_facts() -> None:
        # Given
        lines = (SHARED / "imagenet_classes.tsv").read_text("utf-8").splitlines()[1:]
        facts = [line.split("\t") for line in lines]
        kept = {category.wnid for category in IMAGENET.categories}
        # Then
        assert [label.wnid for label in IMAGENET.labels] == [fact[1] for fact in facts]
        expected = {(fact[1], wnid) for fact in facts for wnid in fact[5].split() if wnid in kept}
        expected |= {(fact[1], wordnet.FOOD) for fact in facts if wordnet.SOLID_FOOD in fact[5].split()}
        assert set(IMAGENET.closure) == expected
