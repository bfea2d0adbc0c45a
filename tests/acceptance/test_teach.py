"""What people teach and say, from the command line to the views, with real workers."""

from __future__ import annotations

import json

from tests.acceptance import inside, photos
from tests.acceptance.world import World


def test_photos_that_are_not_classified_yet_are_brought_in_first(laptop: World) -> None:
    # Given two photos and a broken one in a folder that no run has seen
    folder = laptop.folder / "new"
    for number in range(2):
        photos.write(folder, b"%d.jpg" % number, photos.picture(number, "JPEG"))
    photos.write(folder, b"broken.jpg", b"no picture")

    # When they are examples
    ended = laptop.run("teach", "our boat", str(folder), "--json")

    # Then they are classified, the broken one is named, and what is learned waits for more
    assert ended.code == 0
    learned = json.loads(ended.output)
    assert (learned["examples"], learned["waiting"]) == (2, 0)
    assert learned["reason"] == "2 examples; from 5 on it is looked for on other photos"
    assert "broken.jpg cannot be used" in ended.errors
    shown = laptop.query(
        "SELECT path, score, origin FROM image_tags WHERE category = 'our boat' ORDER BY path"
    )
    assert shown == [("0.jpg", 1.0, "person"), ("1.jpg", 1.0, "person")]

    # And the next run finds nothing to do
    assert laptop.run("run", str(folder)).forward == 0


def test_a_photo_that_cannot_be_read_is_no_example(laptop: World) -> None:
    photos.write(laptop.folder / "new", b"broken.jpg", b"no picture")

    ended = laptop.run("teach", "our boat", str(laptop.folder / "new/broken.jpg"))

    assert ended.code == 2
    assert "None of these photos can be used; nothing was taught" in ended.errors
    assert laptop.query("SELECT 1 FROM own_tags") == []
