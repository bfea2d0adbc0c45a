"""Thumbnails: small, upright, made once, by processes that may die."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from tagtray.config.errors import ImageError
from tagtray.imaging import thumbnail
from tagtray.imaging.thumbnail import Box
from tagtray.web import thumbnailers
from tests import builders, sites
from tests.sites import Site
from tests.waiting import wait_for

#: A module that stands for the real one and dies, or hangs, over images of a certain width.
FAULTY = """
import os, time
from tagtray.imaging import thumbnail, thumbnailer
make = thumbnail.make
def faulty(data, box, max_pixels):
    if b"crash" in data: os.kill(os.getpid(), 11)
    if b"hang" in data: time.sleep(600)
    if b"memory" in data: bytearray(10**12)
    return make(data, box, max_pixels)
thumbnail.make = faulty
thumbnailer.main()
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with sites.site(image_timeout=3.0, read_timeout=2.0) as found:
        yield found


def _picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    return Image.open(io.BytesIO(answer.content))


def _turned(orientation: int) -> bytes:
    """A picture that is red above and blue below once it is upright; stored as EXIF says."""
    upright = Image.new("RGB", (640, 480), (200, 0, 0))
    upright.paste((0, 0, 200), (0, 240, 640, 480))
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = upright.transpose(undo[orientation])
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    stored.save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_thumbnail_is_upright(site: Site, orientation: int) -> None:
    [image_id] = site.add({f"turned{orientation}.jpg": _turned(orientation)})

    found = _picture(site.client.get(f"/thumb/{image_id}")).convert("RGB")

    assert found.size == (427, 320)
    top, bottom = found.getpixel((200, 20)), found.getpixel((200, 300))
    assert isinstance(top, tuple) and isinstance(bottom, tuple)
    assert top[0] > 150 > bottom[0] and bottom[2] > 150 > top[2]


def test_it_fits_its_box_and_a_small_image_keeps_its_size(site: Site) -> None:
    ids = site.add(
        {
            "wide.jpg": builders.jpeg(1, (4000, 500)),
            "tall.jpg": builders.jpeg(2, (500, 4000)),
            "tiny.jpg": builders.jpeg(3, (20, 10)),
        }
    )

    sizes = [_picture(site.client.get(f"/thumb/{image_id}")).size for image_id in ids]
    large = [_picture(site.client.get(f"/thumb/{image_id}?size=large")).size for image_id in ids]

    assert sizes == [(960, 120), (40, 320), (20, 10)]
    assert large == [(1600, 200), (200, 1600), (20, 10)]


def test_it_is_made_once_and_kept_by_content(site: Site) -> None:
    data = builders.jpeg(4, (800, 600))
    one, other = site.add({"one.jpg": data, "copy.jpg": data})
    first = site.client.get(f"/thumb/{one}")
    for name in ("one.jpg", "copy.jpg"):
        (site.settings.home / "photos" / name).unlink()

    again = site.client.get(f"/thumb/{other}?v=anything")

    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert "immutable" in again.headers["cache-control"]
    assert "immutable" not in first.headers["cache-control"]
    known = {"if-none-match": first.headers["etag"]}
    assert site.client.get(f"/thumb/{one}", headers=known).status_code == 304


def test_many_who_ask_for_one_at_once_have_it_made_once(site: Site) -> None:
    [image_id] = site.add({"many.jpg": builders.jpeg(5, (2000, 1500))})
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: site.client.get(f"/thumb/{image_id}").content, range(8)))

    assert len(set(found)) == 1


def test_a_file_that_has_changed_is_not_kept_as_what_it_was(site: Site) -> None:
    [image_id] = site.add({"changed.jpg": builders.jpeg(6, (64, 48))})
    (site.settings.home / "photos" / "changed.jpg").write_bytes(builders.jpeg(250, (32, 24)))

    assert _picture(site.client.get(f"/thumb/{image_id}")).size == (32, 24)
    (site.settings.home / "photos" / "changed.jpg").unlink()
    assert site.client.get(f"/thumb/{image_id}").status_code == 404


def test_a_file_that_is_gone_or_leads_out_has_none(site: Site) -> None:
    gone, out = site.add({"gone.jpg": builders.jpeg(7), "out.jpg": builders.jpeg(8)})
    (site.settings.home / "photos" / "gone.jpg").unlink()
    link = site.settings.home / "photos" / "out.jpg"
    link.unlink()
    link.symlink_to("/etc/passwd")

    answers = [site.client.get(f"/thumb/{image_id}") for image_id in (gone, out)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "gone"),
        (422, "outside_root"),
    ]


@pytest.fixture
def faulty(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that die over some images; those that wait idly are ended."""
    (tmp_path / "faulty_thumbnailer.py").write_text(FAULTY)
    path = [str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    for process in _thumbnailers():
        process.send_signal(signal.SIGKILL)
    monkeypatch.setattr(thumbnailers, "_MODULE", "faulty_thumbnailer")


def _thumbnailers() -> set[psutil.Process]:
    """The processes that make thumbnails."""
    found = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any("thumbnailer" in part for part in child.cmdline()):
                found.add(child)
    return found


def _marked(word: str, shade: int = 9) -> bytes:
    """A JPEG with a comment that ``faulty`` knows."""
    whole = builders.jpeg(shade, (90, 60))
    return whole[:2] + b"\xff\xfe\x00\x08" + word.ljust(6).encode() + whole[2:]


@pytest.mark.parametrize(("word", "code"), [("crash", "crashed_worker"), ("hang", "timeout")])
def test_a_process_that_dies_or_hangs_takes_one_image_with_it(
    site: Site, faulty: None, word: str, code: str
) -> None:
    bad_id, *ids = site.add(
        {f"{word}.jpg": _marked(word), **{f"{word}{n}.jpg": builders.jpeg(n) for n in range(3)}}
    )
    site.client.get(f"/thumb/{ids[0]}")  # the idle ones that were killed are replaced

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda image_id: site.client.get(f"/thumb/{image_id}"), [bad_id, *ids]))

    assert (answers[0].status_code, answers[0].json()["code"]) == (422, code)
    assert [answer.status_code for answer in answers[1:]] == [200] * 3
    assert site.client.get("/healthz").status_code == 200


def test_an_image_that_needs_too_much_memory_takes_no_process_with_it(site: Site, faulty: None) -> None:
    [image_id] = site.add({"memory.jpg": _marked("memory", 10)})

    answer = site.client.get(f"/thumb/{image_id}")

    assert (answer.status_code, answer.json()["code"]) == (422, "out_of_memory")


def test_too_many_that_wait_are_503(site: Site, faulty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more images that take long than there are processes, and no room for any that waits
    monkeypatch.setattr(thumbnailers, "MOST_WAITING", 0)
    good_id, *ids = site.add(
        {"good.jpg": builders.jpeg(70), **{f"wait{n}.jpg": _marked("hang", 80 + n) for n in range(8)}}
    )
    # When all are asked for at once
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda image_id: site.client.get(f"/thumb/{image_id}"), ids))
    # Then some are turned away at once, and afterwards there is room again
    assert {answer.status_code for answer in answers} == {422, 503}
    assert site.client.get(f"/thumb/{good_id}").status_code == 200


def test_the_processes_end_with_the_server() -> None:
    before = _thumbnailers()
    with sites.site() as site:
        [image_id] = site.add({"a.jpg": builders.jpeg()})
        site.client.get(f"/thumb/{image_id}")
        assert _thumbnailers() - before
    wait_for(lambda: not _thumbnailers() - before)


def test_whatever_the_bytes_are_the_error_is_one_sentence() -> None:
    whole = builders.jpeg(1, (400, 300))
    for data in (b"", b"text", whole[:900], b"\x89PNG\r\n\x1a\n" + bytes(99), b"GIF89a" + bytes(20)):
        with pytest.raises(ImageError) as caught:
            thumbnail.make(data, Box(960, 320), 10**6)
        assert str(caught.value).endswith(".")
    with pytest.raises(ImageError, match="pixels"):
        thumbnail.make(builders.png_of_lines(2_000), Box(960, 320), 10**6)
