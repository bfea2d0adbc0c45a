"""The tree of errors and the exit codes that users see."""

from __future__ import annotations

import pytest

from tagtray.config import errors
from tagtray.config.errors import ImageCode, ImageDeferred, ImageError, ImageGone, TagtrayError


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(errors.UsageError, 2), (errors.InfrastructureError, 1), (errors.WeightsError, 1), (TagtrayError, 1)],
)
def test_each_error_ends_the_command_with_its_code(error: type[TagtrayError], exit_code: int) -> None:
    assert error("It rains.").exit_code == exit_code


def test_every_error_is_tagtrays_and_drawn_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    found = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]

    assert all(issubclass(error, TagtrayError) for error in found)
    assert all(error.__name__ in tree for error in found)


def test_an_image_error_carries_its_code_and_a_deferred_image_its_delay() -> None:
    assert ImageError(ImageCode.EMPTY, "The file is empty.").code == "empty"
    assert ImageDeferred("Later.", 2.5).seconds == 2.5
    assert str(ImageGone("It is gone.")) == "It is gone."


def test_codes_are_stable_lower_case_words() -> None:
    assert {code.value for code in ImageCode} == {
        "empty",
        "not_an_image",
        "unsupported",
        "truncated",
        "corrupt",
        "too_large",
        "too_many_pixels",
        "unreadable",
        "outside_root",
        "out_of_memory",
        "timeout",
        "crashed_worker",
    }
