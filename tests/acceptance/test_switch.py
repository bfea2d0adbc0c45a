"""Another model becomes the current one while photos wait, everything is killed, and it goes on."""

from __future__ import annotations

from tests.acceptance import inside, photos
from tests.acceptance.world import World
from tests.chaos import members
from tests.models import DEFAULT
from tests.waiting import wait_for

LITE = "efficientnet-lite0"
PHOTOS = 12
#: Classifications of a model, and every answer that it gave.
DONE = "SELECT COUNT(*) FROM classifications c JOIN models m ON m.id = c.model_id WHERE m.name = '{}'"
ANSWERS = """SELECT p.content_id, p.rank, p.class_index, p.score, c.classified_at
FROM predictions p JOIN classifications c ON c.content_id = p.content_id AND c.model_id = p.model_id
JOIN models m ON m.id = p.model_id WHERE m.name = '{}' ORDER BY 1, 2"""


def test_a_switch_that_is_killed_in_the_middle_is_ended_by_the_next_run(laptop: World) -> None:
    # Given photos with the answers of the default model, and another model that is the current one
    folder = laptop.folder / "photos"
    photos.make_many(folder, PHOTOS)
    assert laptop.run("run", str(folder)).code == 0
    before = laptop.query(ANSWERS.format(DEFAULT.name))
    assert inside.run(laptop, "weights", "use", LITE).code == 0
    # When everything is killed while the photos are classified again, after one batch
    held = laptop.folder / "held"
    held.touch()
    wait = f"while [ -e {held} ]; do sleep 0.1; done"
    again = laptop.start(
        *("run", "--batch-size", "4", str(folder)),
        SPT_NOENV="1",
        TAGTRAY_LEASE="5",
        TAGTRAY_ON_DONE=wait,
    )
    wait_for(lambda: laptop.count(DONE.format(LITE)) >= 4, again)
    members.kill(members.alive(laptop.home))
    held.unlink()
    again.communicate()
    some = laptop.query(ANSWERS.format(LITE))
    assert 4 <= len(some) // 3 < PHOTOS
    # Then the next run does what is left, once, and changes nothing that was there
    assert laptop.run("run", str(folder)).forward == PHOTOS - len(some) // 3
    assert laptop.query(ANSWERS.format(DEFAULT.name)) == before
    assert set(laptop.query(ANSWERS.format(LITE))) >= set(some)
    # And back again there is nothing to do
    assert inside.run(laptop, "weights", "use", DEFAULT.name).code == 0
    assert laptop.run("run", str(folder)).forward == 0
    assert laptop.query(ANSWERS.format(DEFAULT.name)) == before
    assert inside.run(laptop, "db", "check").code == 0
