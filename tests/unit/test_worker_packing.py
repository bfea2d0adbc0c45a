"""How claimed images are packed into batches and groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tagtray.db.records import ClaimedImage
from tagtray.worker.batch import packing

images = st.lists(
    st.builds(
        ClaimedImage,
        id=st.integers(1, 10**6),
        root_id=st.just(1),
        path=st.just(b"a"),
        size_bytes=st.integers(0, 3 * packing.READ_AHEAD),
        attempts=st.integers(0, 2),
    ),
    max_size=60,
)


def _image(image_id: int, size: int = 1, attempts: int = 0) -> ClaimedImage:
    return ClaimedImage(image_id, 1, b"a", size, attempts)


def test_suspects_come_last_and_alone() -> None:
    claimed = [_image(1, attempts=1), _image(2), _image(3), _image(4, attempts=2), _image(5)]

    batches = [[image.id for image in batch] for batch in packing.batches(claimed, 2)]

    assert batches == [[2, 3], [5], [1], [4]]


@given(images, st.integers(1, 9))
def test_every_image_is_in_one_batch_that_is_not_too_large(claimed: list[ClaimedImage], size: int) -> None:
    batches = list(packing.batches(claimed, size))

    assert sorted(image.id for batch in batches for image in batch) == sorted(i.id for i in claimed)
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(len(batch) == 1 for batch in batches if any(image.attempts for image in batch))


@given(images)
def test_a_group_is_within_its_bytes_or_a_single_image(claimed: list[ClaimedImage]) -> None:
    groups = list(packing.groups(claimed))

    assert [image for group in groups for image in group] == claimed
    for group in groups:
        assert len(group) == 1 or sum(image.size_bytes for image in group) <= packing.READ_AHEAD


def test_groups_are_as_full_as_they_may_be() -> None:
    claimed = [_image(1, 4), _image(2, 4), _image(3, 3), _image(4, 9), _image(5, 0)]

    assert [[i.id for i in group] for group in packing.groups(claimed, 8)] == [[1, 2], [3], [4], [5]]
