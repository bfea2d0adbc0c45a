"""A watched run whose root others take into another one, or remove, meanwhile."""

from __future__ import annotations

import pytest

from tests.acceptance import photos
from tests.acceptance.world import World, ended
from tests.waiting import wait_for

DONE = "SELECT count(*) FROM images WHERE status = 'done'"


@pytest.fixture
def ready(everywhere: World) -> World:
    """The world, with its tables, whatever database it has."""
    if "TAGTRAY_DATABASE_URL" in everywhere.variables:
        assert everywhere.run("db", "upgrade").code == 0
    return everywhere


def test_a_watched_run_goes_on_in_the_root_that_took_its_own_in_until_that_is_removed(ready: World) -> None:
    # Given a run that watches a folder
    library = ready.folder / "library"
    for number, name in enumerate([b"a.jpg", b"2024/b.jpg"]):
        photos.write(library, name, photos.picture(number, "JPEG"))
    watch = ready.start("run", "--watch", str(library / "2024"))
    wait_for(lambda: ready.count(DONE) == 1, watch)

    # When another process takes the whole library, then photos that arrive in the folder are its photos
    whole = ready.run("run", str(library))
    assert whole.code == 0, whole.errors
    photos.write(library, b"2024/c.jpg", photos.picture(2, "JPEG"), age=0)
    wait_for(lambda: ready.count(DONE) == 3, watch)
    expected = [("library", "2024/b.jpg"), ("library", "2024/c.jpg"), ("library", "a.jpg")]
    assert ready.query("SELECT root, path FROM top1 ORDER BY 2") == expected
    assert ready.run("db", "check").code == 0

    # When that root is removed, then the run ends with one sentence
    assert ready.run("roots", "remove", "library").code == 0
    over = ended(watch)
    assert over.code == 1
    assert over.errors.splitlines()[-1].startswith("tagtray: The root library was removed; ")
    assert "Traceback" not in over.errors
    assert "_failed:" not in over.errors.replace("image_failed", "")
    assert ready.query("SELECT count(*) FROM images") == [(0,)]
