"""Whatever is sent, the answer is a status and one sentence, and the server goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagtray.web import guard, receiving, server
from tests import builders, sites
from tests.sites import Site
from tests.waiting import wait_for

#: Bytes of a file that the site takes at most.
MOST = 1_000_000


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One for all of these tests; none may break it for the next."""
    with sites.site(upload_max_bytes=MOST, max_pixels=1_000_000, upload_max=60) as found:
        yield found


def _arriving(site: Site) -> list[Path]:
    """The files that are being received."""
    return list((site.settings.home / "uploads" / ".arriving").glob("*"))


def _problem(answer: httpx.Response, status: int, code: str) -> str:
    """The sentence of a problem document."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document = answer.json()
    assert document["status"] == status
    assert document["code"] == code
    sentence: str = document["detail"]
    assert sentence.endswith(".")
    assert "\n" not in sentence and "Traceback" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/nothing", 404, "There is nothing under this address."),
        ("/gallery/abc", 400, "The value of image_id is not accepted: "),
        ("/failures?code=x", 400, "The value of code is not accepted: "),
        ("/thumb/99999", 404, "There is no image 99999"),
    ],
)
def test_an_address_that_is_none_is_told_browsers_on_a_page(
    site: Site, path: str, status: int, sentence: str
) -> None:
    page = site.client.get(path, headers={"accept": "text/html,*/*;q=0.8"})

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert sentence in page.text and "<nav" in page.text
    assert site.client.get(path).json()["detail"].startswith(sentence)


def _send(site: Site, *files: bytes, name: str = "a.jpg") -> httpx.Response:
    return site.client.post("/predict", files=[("file", (name, data)) for data in files])


def _png_bomb() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (2_000, 2_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"files": {"other": b"x"}}, 400, "no_file"),
        ({"data": {"file": "text"}}, 415, "no_file"),
        ({}, 400, "no_file"),
        ({"content": b"", "headers": {"content-type": "image/jpeg"}}, 400, "no_file"),
    ],
    ids=["another field", "a form without files", "nothing", "an empty body"],
)
def test_a_request_without_a_file_is_400(
    site: Site, request_: dict[str, Any], status: int, code: str
) -> None:
    _problem(site.client.post("/predict", **request_), status, code)


def test_an_empty_file_is_422(site: Site) -> None:
    assert _problem(_send(site, b""), 422, "empty") == "The file is empty."


def test_a_text_named_jpg_is_422(site: Site) -> None:
    sentence = _problem(_send(site, b"This is no picture.\n" * 9, name="photo.jpg"), 422, "not_an_image")

    assert sentence == "The file is a text file, not a picture."


def test_half_an_image_is_422_with_the_workers_sentence(site: Site) -> None:
    answer = _send(site, builders.jpeg(7, (900, 700))[:2_000])

    assert "ends too early" in _problem(answer, 422, "truncated")
    assert builders.status(site.ledger, answer.json()["image"]) == ["failed"]


def test_a_bomb_is_422(site: Site) -> None:
    assert "4,000,000 pixels" in _problem(_send(site, _png_bomb()), 422, "too_many_pixels")


def test_a_body_that_says_that_it_is_too_large_is_413_before_it_is_sent(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 200000000\r\n\r\n"
        )
        assert b" 413 " in connection.recv(100)


def test_a_form_with_a_file_that_is_too_large_is_413(site: Site) -> None:
    sentence = _problem(_send(site, builders.jpeg() + bytes(MOST)), 413, "too_large")

    assert (
        sentence == "The file has more than 1,000,000 bytes, which are the most (TAGTRAY_UPLOAD_MAX_BYTES)."
    )


def test_more_files_than_a_request_may_have_are_413(site: Site) -> None:
    _problem(_send(site, *[b"x"] * (receiving.MAX_FILES + 1)), 413, "too_many")


def test_a_form_that_is_all_but_files_is_413(site: Site) -> None:
    big = b"x" * 2 * receiving.MAX_OVERHEAD
    answer = site.client.post("/predict", files={"other": big, "file": b"x"})

    _problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"no boundary in it"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc'),
        ("multipart/form-data; boundary=" + "x" * 999, b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n: \r\n\r\n\r\n--x--"),
    ],
    ids=["no boundary", "another body", "no end", "a long boundary", "a broken header"],
)
def test_a_broken_form_is_400(site: Site, kind: str, body: bytes) -> None:
    _problem(site.client.post("/predict", content=body, headers={"content-type": kind}), 400, "broken")


def test_a_client_that_goes_away_leaves_nothing_behind(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 5000\r\n\r\n" + builders.jpeg()
        )
        wait_for(lambda: _arriving(site))
    wait_for(lambda: not _arriving(site))


def test_a_body_that_drips_is_408(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENT_SECONDS", 0.2)
    with site.connect() as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 50000\r\n\r\nx"
        )
        assert b" 408 " in connection.recv(4096)


def test_a_head_that_drips_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert connection.recv(100) == b""


def test_a_connection_that_says_nothing_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    with site.connect() as connection:
        assert connection.recv(100) == b""


def test_another_body_that_drips_is_408(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    with site.connect() as connection:
        connection.sendall(
            b"POST /api/retry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 50\r\n\r\n{"
        )
        assert b" 408 " in connection.recv(4096)


def test_another_body_that_is_too_large_is_413(site: Site) -> None:
    answer = site.client.post("/api/retry", content=b'{"ids": [' + b"1, " * guard.MAX_BODY + b"1]}")

    _problem(answer, 413, "too_large")


@pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("POST", "/api/images"), ("PUT", "/")])
def test_a_wrong_method_is_405(site: Site, method: str, path: str) -> None:
    answer = site.client.request(method, path)

    _problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


def test_an_unknown_address_is_404(site: Site) -> None:
    _problem(site.client.get("/nothing"), 404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        "q=%22dog",
        "q=" + "dog " * 999,
        "q=zzzz",
        "q=taken:yesteryear",
        "cursor=AAAA",
        "cursor=" + "A" * 999,
        "cursor=WzEsIDIsIDNd&sort=date",
        "limit=0",
        "limit=201",
        "limit=many",
        "sort=size",
        "min_score=2",
        "min_score=nan",
    ],
)
def test_a_query_that_cannot_be_answered_is_400(site: Site, query: str) -> None:
    _problem(site.client.get(f"/api/images?{query}"), 400, "invalid")


@pytest.mark.parametrize("image_id", ["0", "-1", "x", "9" * 30, "1.5"])
@pytest.mark.parametrize("path", ["/api/images/", "/thumb/"])
def test_an_id_that_is_none_is_400(site: Site, path: str, image_id: str) -> None:
    _problem(site.client.get(path + image_id), 400, "invalid")


@pytest.mark.parametrize(("path", "code"), [("/api/images/", "no_image"), ("/thumb/", "no_thumbnail")])
@pytest.mark.parametrize("image_id", ["999999", str(2**63 - 1)])
def test_an_id_that_no_image_has_is_404(site: Site, path: str, code: str, image_id: str) -> None:
    _problem(site.client.get(path + image_id), 404, code)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"ids": ["x"]}', b'{"ids": [0]}', b'{"code": "no"}', b'{"more": 1}']
)
def test_a_retry_that_cannot_be_read_is_400(site: Site, body: bytes) -> None:
    headers = {"content-type": "application/json"}

    sentence = _problem(site.client.post("/api/retry", content=body, headers=headers), 400, "invalid")
    assert "jSON" not in sentence


def test_what_is_no_http_is_turned_away(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(100).startswith((b"HTTP/1.1 400", b""))


def test_more_requests_with_files_than_may_be_at_once_are_429_at_once(site: Site) -> None:
    # Given as many that do not end
    slow = [site.connect() for _ in range(site.settings.upload_max)]
    for connection in slow:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 500\r\n\r\nx"
        )
    try:
        # When another one comes
        wait_for(lambda: len(_arriving(site)) == site.settings.upload_max)
        answer = _send(site, builders.jpeg(9))
        # Then it is refused, and what is no upload is answered
        _problem(answer, 429, "busy")
        assert answer.headers["retry-after"] == "1"
        assert site.client.get("/api/images").status_code == 200
    finally:
        for connection in slow:
            connection.close()
        wait_for(lambda: not _arriving(site))


def test_after_all_that_the_server_answers(site: Site) -> None:
    answer = _send(site, builders.jpeg(200))

    assert answer.status_code == 200, answer.text
    assert [result["label"] for result in answer.json()["results"]] == ["beagle", "pug", "tabby"]
    assert not _arriving(site)
