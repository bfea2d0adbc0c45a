"""What people teach and say, from the command line to the views, with real workers."""

from __future__ import annotations

import json

from tests.acceptance import inside, photos
from tests.acceptance.world import World


def test_new_photos_are_brought_in_first_and_a_broken_one_is_no_example(
    laptop: World,
) -> None:
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

    # And nothing is left for a run to do
    assert inside.run(laptop, "scan", str(folder)).output == "3 unchanged\n"
    states = laptop.query("SELECT path, status FROM images ORDER BY path")
    assert states == [("0.jpg", "done"), ("1.jpg", "done"), ("broken.jpg", "failed")]

    # When the broken one alone is an example, then nothing is taught
    ended = inside.run(laptop, "teach", "our car", str(folder / "broken.jpg"))
    assert ended.code == 2
    assert "None of these photos can be used; nothing was taught" in ended.errors
    assert laptop.query("SELECT count(*) FROM own_tags") == [(1,)]
