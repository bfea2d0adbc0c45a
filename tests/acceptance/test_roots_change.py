"""A watched run whose root others take into another one, or remove, meanwhile."""

from __future__ import annotations

from tests.acceptance import inside, photos
from tests.acceptance.world import World, ended
from tests.waiting import wait_for

DONE = "SELECT count(*) FROM images WHERE status = 'done'"


def test_a_watched_run_goes_on_in_the_root_that_took_its_own_in_until_that_is_removed(
    everywhere: World,
) -> None:
    # Given a run that watches a folder
    library = everywhere.folder / "library"
    for number, name in enumerate([b"a.jpg", b"2024/b.jpg"]):
        photos.write(library, name, photos.picture(number, "JPEG"))
    watch = everywhere.start("run", "--watch", str(library / "2024"))
    wait_for(lambda: everywhere.count(DONE) == 1, watch)

    # When another process takes the whole library, then photos that arrive in the folder are its photos
    whole = inside.run(everywhere, "scan", str(library))
    assert whole.code == 0, whole.errors
    photos.write(library, b"2024/c.jpg", photos.picture(2, "JPEG"), age=0)
    wait_for(lambda: everywhere.count(DONE) == 3, watch)
    expected = [("library", "2024/b.jpg"), ("library", "2024/c.jpg"), ("library", "a.jpg")]
    assert everywhere.query("SELECT root, path FROM top1 ORDER BY 2") == expected
    assert inside.run(everywhere, "db", "check").code == 0

    # When that root is removed, then the run ends with one sentence
    assert inside.run(everywhere, "roots", "remove", "library").code == 0
    over = ended(watch)
    assert over.code == 1
    assert over.errors.splitlines()[-1].startswith("tagtray: The root library was removed; ")
    assert "Traceback" not in over.errors
    assert "_failed:" not in over.errors.replace("image_failed", "")
    assert everywhere.query("SELECT count(*) FROM images") == [(0,)]
