"""The JSON API beside uploads: search in pages, one image, figures, own tags, failures, events."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tagtray.web import application, facets, learner
from tests import builders, sites
from tests.sites import Site
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """With five photos: four of them dated, and one that cannot be read."""
    with sites.site() as found:
        files = {f"{n}.jpg": builders.jpeg(10 + n, taken=f"2024:0{n}:05 10:00:00") for n in range(1, 5)}
        found.add({**files, "undated.jpg": builders.jpeg(20), "broken.jpg": b"no picture"})
        yield found


def _get(site: Site, path: str) -> Any:
    answer = site.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _post(site: Site, path: str, **body: object) -> Any:
    answer = site.client.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def _id(site: Site, name: str) -> int:
    [(found,)] = builders.query(site.ledger, f"SELECT id FROM images WHERE path = '{name}'")
    return int(found)


def test_all_photos_come_in_pages_the_newest_first(site: Site) -> None:
    paths, cursor = [], ""
    while True:
        page = _get(site, f"/api/images?limit=2{cursor}")
        assert page["order"] == "date"
        paths += [item["path"] for item in page["items"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"

    assert paths == ["4.jpg", "3.jpg", "2.jpg", "1.jpg", "undated.jpg"]


def test_a_query_is_that_of_find(site: Site) -> None:
    page = _get(site, "/api/images?q=dog%20taken:2024-02..2024-03&sort=date")

    assert [item["path"] for item in page["items"]] == ["3.jpg", "2.jpg"]
    item = page["items"][0]
    assert (item["label"], item["score"], item["taken_at"]) == ("beagle", 0.9, "2024-03-05T10:00:00")
    assert (item["width"], item["height"], item["color"]) == (64, 48, "#0d0d0d")
    assert item["thumb"] == f"/thumb/{item['id']}?v={item['sha256'][:12]}"
    assert _get(site, "/api/images?q=cat")["items"] == []
    assert _get(site, "/api/images?q=dog&min_score=0.95")["items"] == []


def test_an_image_has_all_that_is_known_of_it(site: Site) -> None:
    found = _get(site, f"/api/images/{_id(site, '1.jpg')}")

    assert (found["status"], found["format"], found["taken_at"]) == ("done", "JPEG", "2024-01-05T10:00:00")
    assert found["file"] == str(site.settings.home / "photos" / "1.jpg")
    assert [result["label"] for result in found["results"]] == ["beagle", "pug", "tabby"]
    assert found["tags"][0]["category"] == "dog"
    assert found["preview"] == found["thumb"] + "&size=large"


def test_an_image_that_failed_says_why_and_has_no_thumbnail(site: Site) -> None:
    found = _get(site, f"/api/images/{_id(site, 'broken.jpg')}")

    assert (found["status"], found["error_code"], found["thumb"]) == ("failed", "not_an_image", None)
    assert found["results"] == found["tags"] == []
    assert site.client.get(f"/thumb/{found['id']}").status_code == 404


def test_failures_are_listed_and_tried_again(site: Site) -> None:
    image_id = _id(site, "broken.jpg")
    found = _get(site, "/api/failures")
    assert found["total"] == 1
    assert [(item["id"], item["error_code"]) for item in found["items"]] == [(image_id, "not_an_image")]
    assert _get(site, "/api/failures?code=empty")["total"] == 0
    assert _post(site, "/api/retry", code="empty") == {"images": 0}
    for body in ({"ids": [image_id]}, {"code": "not_an_image"}, {}):
        assert _post(site, "/api/retry", **body) == {"images": 1}
        wait_for(lambda: builders.status(site.ledger, image_id) == ["failed"])


def test_what_is_done_is_read_again_where_it_is_named_and_that_is_forced(site: Site) -> None:
    image_id = _id(site, "1.jpg")

    assert _post(site, "/api/retry", ids=[image_id]) == {"images": 0}
    assert _post(site, "/api/retry", ids=[image_id], force=True) == {"images": 1}

    wait_for(lambda: builders.status(site.ledger, image_id) == ["done"])
    codes = {"code": "empty"}
    for body in ({"force": True}, {"force": True, **codes}, {"force": True, "ids": [1], **codes}):
        answer = site.client.post("/api/retry", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_words_are_suggested_by_how_names_begin(site: Site) -> None:
    assert _get(site, "/api/suggest?q=DO") == [{"name": "dog", "name_zh": "狗", "kind": "category"}]
    assert [word["name"] for word in _get(site, "/api/suggest?q=虎")] == ["tabby"]
    assert _get(site, "/api/suggest?q=zzz") == _get(site, "/api/suggest?q=%20") == []


def test_figures_say_what_there_is_and_how_old_they_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _get(site, "/api/facets")

    assert found["categories"][0]["category"] == "dog"
    assert found["categories"][0]["photos"] >= 5
    months = {month["month"]: month["photos"] for month in found["months"]}
    assert months == {f"2024-0{n}": 1 for n in range(4, 0, -1)}
    assert found["photos"] == found["undated"] + 4
    # When photos are added, the figures stay for a while and are counted again then
    monkeypatch.setattr(facets, "FRESH_SECONDS", 3_600.0)
    site.add({"later.jpg": builders.jpeg(30, taken="2025:01:01 10:00:00")})
    assert _get(site, "/api/facets")["photos"] == found["photos"]
    monkeypatch.setattr(facets, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(facets, "COUNTING_SHARE", 1_000.0)
    wait_for(lambda: _get(site, "/api/facets")["photos"] == found["photos"] + 1)
    builders.execute(site.ledger, "DELETE FROM images WHERE path = 'later.jpg'")


def test_programs_are_told_all_routes_on_a_page(site: Site) -> None:
    text = site.client.get("/docs").text

    for path, methods in application.bare().openapi()["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in text
    assert "&#34;label&#34;: &#34;tabby&#34;" in text


def test_status_is_that_of_the_command(site: Site) -> None:
    found = _get(site, "/api/status")

    assert found["images"]["done"] >= 5
    assert [worker["engine"] for worker in found["workers"]] == ["stub"]
    assert found["redis"]["running"] is True
    assert _get(site, "/readyz") == {"status": "ready"}


def test_metrics_are_those_of_the_command(site: Site) -> None:
    answer = site.client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert 'tagtray_images_failed{code="not_an_image"} 1.0' in answer.text


def test_events_tell_how_things_stand_and_what_has_ended(site: Site) -> None:
    with site.client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert _event(lines, "status") | {"images_per_second": 0} == {
            "active": {"pending": 0, "queued": 0, "running": 0},
            "images_per_second": 0,
            "workers": 1,
            "problem": None,
            "code": None,
        }
        [image_id] = site.add({"event.jpg": builders.jpeg(40)})
        assert image_id in _event(lines, "ended")["images"]


def test_events_end_in_order_with_the_server() -> None:
    with contextlib.ExitStack() as outer:
        with sites.site(works=False) as site:
            client = outer.enter_context(httpx.Client(base_url=site.url, timeout=60, trust_env=False))
            lines = outer.enter_context(client.stream("GET", "/events")).iter_lines()
            assert _event(lines, "status")["code"] == "no_worker"

        assert "event: ended" not in list(lines)


def _event(lines: Iterator[str], name: str) -> Any:
    for line in lines:
        if line == f"event: {name}":
            return json.loads(next(lines).removeprefix("data: "))
    raise AssertionError("the stream has ended")


def test_what_people_say_stands_over_what_was_found_and_can_be_taken_back(site: Site) -> None:
    image_id = _id(site, "2.jpg")

    assert _post(site, "/api/corrections", images=[image_id], shows=["cat"], shows_not=["dog"]) == {
        "verdicts": 2,
        "images": [image_id],
    }
    another = _id(site, "3.jpg")
    assert _post(site, "/api/corrections", images=[image_id, another], shows=["cat"]) == {
        "verdicts": 1,
        "images": [another],
    }
    _post(site, "/api/corrections/undo", images=[another])
    tags = _get(site, f"/api/images/{image_id}")["tags"]
    assert [(tag["category"], tag["origin"], tag["named"]) for tag in tags] == [("cat", "person", True)]
    assert [item["id"] for item in _get(site, "/api/images?q=cat")["items"]] == [image_id]
    history = _get(site, f"/api/images/{image_id}/corrections")["items"]
    assert [(entry["tag"], entry["shows"], entry["said_by"]) for entry in history] == [
        ("cat", True, "web 127.0.0.1"),
        ("dog", False, "web 127.0.0.1"),
    ]
    assert _post(site, "/api/corrections/undo", images=[image_id]) == {"verdicts": 2}
    tags = _get(site, f"/api/images/{image_id}")["tags"]
    assert [(tag["category"], tag["origin"]) for tag in tags] == [("dog", "model")]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"images": [1], "shows": ["zzzz"]}, 400, "No tag is called"),
        ({"images": [1], "shows": ["beagle"]}, 400, "is a class and no tag"),
        ({"images": [1], "shows": ["dog"], "shows_not": ["dog"]}, 400, "cannot be on a photo and not be"),
        ({"images": [999_999], "shows": ["dog"]}, 404, "There is no image 999999"),
        ({"images": []}, 400, "images"),
        ({"images": list(range(1, 1_002)), "shows": ["dog"]}, 400, "images"),
        ({"images": [1], "shows": ["x" * 999]}, 400, "shows"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_sentence(
    site: Site, body: dict[str, object], status: int, words: str
) -> None:
    answer = site.client.post("/api/corrections", json=body)

    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_an_own_tag_is_taught_learned_renamed_and_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "QUIET_SECONDS", 0.05)
    # Given photos of two kinds, as the network's features have them
    files = {f"own{n}.jpg": builders.jpeg(100 + n) for n in range(60)}
    ids = site.add(files)
    _give_features(site, ids)
    ours = ids[:20]
    # When some of the one kind are named
    wnid = _post(site, "/api/own-tags", name="our garden", images=ours[:8])["wnid"]
    wait_for(lambda: _own(site)["is_up_to_date"] and not _own(site)["is_learning"])
    # Then the others of it are found, in search and in the photo
    facts = _own(site)
    assert (facts["name"], facts["examples"], facts["is_found"]) == ("our garden", 8, True)
    assert facts["photos"] >= 16
    found = {item["id"] for item in _get(site, '/api/images?q="our garden"&limit=200')["items"]}
    assert len(found & set(ours)) >= 16 and len(found - set(ours)) <= 2
    taught = [tag for tag in _get(site, f"/api/images/{ours[10]}")["tags"] if tag["wnid"] == wnid]
    assert [(tag["origin"], tag["named"]) for tag in taught] == [("taught", True)]
    # And the next photos to judge are none that were judged
    asked = {item["id"] for item in _get(site, f"/api/own-tags/{wnid}/candidates?limit=5")["items"]}
    assert asked and not asked & set(ours[:8])
    # And photos that look like one of them are of its kind
    alike = [item["id"] for item in _get(site, f"/api/images/{ours[0]}/similar?limit=5")["items"]]
    assert set(alike) <= set(ours)
    # And it is renamed and forgotten
    assert site.client.patch(f"/api/own-tags/{wnid}", json={"name": "dog"}).status_code == 400
    assert site.client.patch(f"/api/own-tags/{wnid}", json={"name": "the garden"}).status_code == 200
    assert _own(site)["name"] == "the garden"
    assert site.client.delete(f"/api/own-tags/{wnid}").json() == {"verdicts": 8}
    assert _get(site, "/api/own-tags") == {"items": []}
    assert site.client.delete(f"/api/own-tags/{wnid}").status_code == 404


def test_a_photo_without_features_has_no_similar_ones_yet(site: Site) -> None:
    answer = site.client.get(f"/api/images/{_id(site, '1.jpg')}/similar")

    assert answer.status_code == 400
    assert "has no features" in answer.json()["detail"]


def test_a_tag_that_is_none_is_404_or_400(site: Site) -> None:
    for path, status in (("own:nothing", 404), ("n02084071", 400), ("own:..%2f", 404)):
        answer: httpx.Response = site.client.get(f"/api/own-tags/{path}/candidates")
        assert answer.status_code == status, path


def _own(site: Site) -> Any:
    [facts] = _get(site, "/api/own-tags")["items"]
    return facts


def _give_features(site: Site, ids: list[int]) -> None:
    """The first third points one way, the others another one, each a little askew."""
    rng = np.random.default_rng(1)
    ways = rng.normal(size=(2, 512)).astype("<f4")
    with site.ledger.engine.begin() as connection:
        for place, image_id in enumerate(ids):
            vector = ways[0 if place < 20 else 1] + rng.normal(scale=0.3, size=512)
            connection.exec_driver_sql(
                "INSERT INTO features (content_id, model_id, vector) "
                "SELECT content_id, 1, ? FROM images WHERE id = ?",
                (vector.astype("<f2").tobytes(), image_id),
            )


def test_what_learns_ends_with_its_site(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a site that is about to learn a tag
    monkeypatch.setattr(learner, "QUIET_SECONDS", 600.0)
    before = set(threading.enumerate())
    with sites.site(works=False) as site:
        _post(site, "/api/own-tags", name="our garden")
        threads = [thread for thread in threading.enumerate() if thread not in before]
        assert "learner" in {thread.name for thread in threads}

    # When it is no more, then neither is any thread of its
    assert not [thread.name for thread in threads if thread.name == "learner" and thread.is_alive()]
