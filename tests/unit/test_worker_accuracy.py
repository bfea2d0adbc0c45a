"""What labelled photos say of a model: which photos are labelled, and what is counted and proposed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tagtray.config.errors import UsageError
from tagtray.weights.labels import CATEGORY_COLUMNS, LABEL_COLUMNS, LabelSet
from tagtray.weights.model import Model, Thresholds
from tagtray.worker.measure import accuracy, labelled
from tagtray.worker.measure.accuracy import EVIDENCE, Answers
from tests.models import DEFAULT

JPEG = b"\xff\xd8\xff\xe0" + bytes(60)
#: Two cats, a dog, and a crane of each kind; the categories are curated but the last.
LABELS = (
    ("n00000001", "tabby", "n10000001 n10000003"),
    ("n00000002", "tiger cat", "n10000001 n10000003"),
    ("n00000003", "beagle", "n10000002 n10000003"),
    ("n00000004", "crane", ""),
    ("n00000005", "crane", ""),
)
CATEGORIES = (("n10000001", "cat", "1"), ("n10000002", "dog", "1"), ("n10000003", "carnivore", "0"))


@pytest.fixture
def labels(tmp_path: Path) -> LabelSet:
    rows = [(str(n), wnid, name, "", "", above) for n, (wnid, name, above) in enumerate(LABELS)]
    _write(tmp_path / "labels.tsv", [LABEL_COLUMNS, *rows])
    _write(
        tmp_path / "categories.tsv",
        [CATEGORY_COLUMNS, *((wnid, name, "", "", shown, "0", "") for wnid, name, shown in CATEGORIES)],
    )
    return LabelSet("few", tmp_path / "labels.tsv", tmp_path / "categories.tsv")


@pytest.fixture
def model(labels: LabelSet) -> Model:
    return dataclasses.replace(DEFAULT, labels=labels, thresholds=Thresholds(0.5, {"n10000002": 0.8}))


def _write(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")


def answers(truth: list[int], first: list[int], score: list[float], tags: list[list[float]]) -> Answers:
    """Of each photo the class, the first answer and its score, and the scores of cat, dog and carnivore."""
    others = [[index, (index + 1) % 5, (index + 2) % 5] for index in first]
    return Answers(
        np.array(truth),
        np.array(others),
        np.array([[value, 0.0, 0.0] for value in score], np.float32),
        np.array(tags, np.float32),
    )


def test_the_class_is_that_of_the_name_or_else_of_the_nearest_folder(
    tmp_path: Path, labels: LabelSet
) -> None:
    # Given photos named by an id, in folders called after an id or a class, and others
    folder = tmp_path / "photos"
    names = {
        "n00000002.jpg": 1,
        "n00000003_beagle_17.JPEG": 2,
        "n00000001-tabby/a.jpg": 0,
        "Tiger_Cat/2024/b.jpg": 1,
        "beagle/n00000001_c.jpg": 0,
        "n99999999.jpg": None,
        "crane/d.jpg": None,
        "beagle.jpg": None,
    }
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(JPEG)
    (folder / "README.md").write_text("no image")
    # When they are looked for
    found = labelled.find(folder, labels)
    # Then each has its class, and images without one are counted: two classes are called crane
    assert {photo.path.relative_to(folder).as_posix(): photo.class_index for photo in found.photos} == {
        name: index for name, index in names.items() if index is not None
    }
    assert found.without_class == 3


@pytest.mark.parametrize(
    ("name", "said"), [("none", "is no folder"), (".", "No photo below .* names a class")]
)
def test_a_folder_without_labelled_photos_is_a_sentence(
    name: str, said: str, tmp_path: Path, labels: LabelSet
) -> None:
    with pytest.raises(UsageError, match=said):
        labelled.find(tmp_path / name, labels)


def test_labels_and_shown_tags_are_counted(model: Model) -> None:
    # Given a tabby taken for a tiger cat, a beagle below the threshold of dogs, a crane shown as a dog
    given = answers(
        truth=[0, 2, 3],
        first=[1, 2, 2],
        score=[0.6, 0.95, 0.9],
        tags=[[0.9, 0.0, 0.9], [0.1, 0.7, 0.8], [0.0, 0.85, 0.85]],
    )
    # When they are counted
    report = accuracy.report(model, given)
    # Then first labels are
    assert (report.photos, report.top1, report.top3, report.taggable) == (3, 1, 2, 2)
    assert [(band.min_score, band.shown, band.right) for band in report.labels] == [
        (0.5, 3, 1), (0.7, 2, 1), (0.9, 2, 1)
    ]  # fmt: skip
    # And tags at the threshold of their category, those that are not curated aside
    assert (report.tags.shown, report.tags.right, report.tags.true, report.tags.photos) == (2, 1, 2, 2)
    assert (report.tags.precision, report.tags.recall) == (0.5, 0.5)
    cat, dog = report.categories
    assert (cat.name, cat.now.shown, cat.now.right, cat.now.min_score) == ("cat", 1, 1, 0.5)
    assert (dog.name, dog.now.shown, dog.now.right, round(dog.now.min_score, 2)) == ("dog", 1, 0, 0.8)


def test_the_least_threshold_with_nine_of_ten_right_is_proposed(model: Model) -> None:
    # Given twenty photos of cats: low scores of dogs are wrong, those of cats never are
    cats = [[0.35, 0.62, 0.9]] * 4 + [[0.95, 0.1, 0.9]] * 16
    # And twelve dogs with high scores
    dogs = [[0.0, 0.9, 0.9]] * 12
    given = answers([0] * 20 + [2] * 12, [0] * 32, [0.9] * 32, cats + dogs)
    report = accuracy.report(model, given)
    # Then dogs are shown from above the wrong ones, cats from the least
    assert {one.name: one.proposed for one in report.categories} == {"cat": 0.3, "dog": 0.65}
    # And one threshold for all is where nine of ten are right of all together
    assert report.proposed.overall == 0.65
    assert report.proposed.categories == {"n10000001": 0.3}


def test_of_few_tags_no_threshold_is_proposed(model: Model) -> None:
    count = EVIDENCE - 1
    report = accuracy.report(model, answers([0] * count, [0] * count, [0.9] * count, [[0.9, 0, 0.9]] * count))
    assert [one.proposed for one in report.categories] == [None, None]


def test_where_nothing_is_shown_there_is_no_precision(model: Model) -> None:
    report = accuracy.report(model, answers([3], [3], [0.1], [[0, 0, 0]]))
    assert (report.tags.precision, report.tags.recall) == (None, None)
    assert report.proposed.overall == model.thresholds.overall
