"""Who may ask, under which name and from where; and that nothing of others' is run in a browser."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.web import attempts, binding, guard
from tests import builders, sites
from tests.sites import Site
from tests.waiting import wait_for

TOKEN = "a long enough token"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One that anybody here may use."""
    with sites.site() as found:
        yield found


@pytest.fixture(scope="module")
def locked() -> Iterator[Site]:
    """One that asks for a token."""
    with sites.site(token=TOKEN, hosts="photos.example, other") as found:
        yield found


def _get(site: Site, path: str, **headers: str) -> httpx.Response:
    return site.client.get(path, headers=headers)


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "["]
)
def test_another_name_is_421(site: Site, host: str) -> None:
    assert _code(_get(site, "/api/images", host=host)) == (421, "unknown_host")


def test_two_names_are_421_or_no_request(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(100).split()[1] in (b"400", b"421")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:80", "192.168.1.7"])
def test_addresses_and_this_machines_name_are_known(site: Site, host: str) -> None:
    assert _get(site, "/healthz", host=host).status_code == 200


def test_further_names_are_known_by_their_setting(locked: Site) -> None:
    assert _get(locked, "/healthz", host="photos.example").status_code == 200
    assert _get(locked, "/healthz", host="example").status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/api/retry", "/api/corrections", "/login"])
def test_a_post_from_another_sites_page_is_403(site: Site, path: str, headers: dict[str, str]) -> None:
    answer = site.client.post(path, headers=headers, json={})

    assert _code(answer) == (403, "cross_site")


def test_a_post_from_our_own_page_is_taken(site: Site) -> None:
    for headers in ({"origin": site.url, "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {}):
        assert site.client.post("/api/retry", headers=headers, json={}).json() == {"images": 0}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"cookie": "tagtray=wrong"}])
@pytest.mark.parametrize("path", ["/api/images", "/thumb/1", "/api/status", "/events", "/openapi.json"])
def test_without_the_token_nothing_is_told(locked: Site, path: str, headers: dict[str, str]) -> None:
    answer = _get(locked, path, **headers)

    assert _code(answer) == (401, "no_token")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_without_the_token_nothing_is_taken(locked: Site) -> None:
    answer = locked.client.post("/predict", files={"file": builders.jpeg()})

    assert _code(answer) == (401, "no_token")
    assert builders.query(locked.ledger, "SELECT * FROM images") == []


def test_with_the_token_as_a_header_a_program_is_let_in(locked: Site) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}

    assert locked.client.post("/predict", files={"file": builders.jpeg()}, headers=headers).status_code == 200


def test_signs_of_life_and_static_files_need_no_token(locked: Site) -> None:
    for path in ("/healthz", "/readyz", "/login", "/static/tagtray.css"):
        assert _get(locked, path).status_code == 200


def test_a_browser_logs_in_and_comes_back_to_its_page(locked: Site) -> None:
    asked = _get(locked, "/gallery?q=dog", accept="text/html")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/gallery%3Fq%3Ddog")
    with httpx.Client(base_url=locked.url, timeout=sites.TIMEOUT, trust_env=False) as browser:
        wrong = browser.post("/login", data={"token": "no", "next": "/"})
        assert wrong.status_code == 401 and "set-cookie" not in wrong.headers
        right = browser.post("/login", data={"token": TOKEN, "next": "/gallery?q=dog"})
        assert (right.status_code, right.headers["location"]) == (303, "/gallery?q=dog")
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
        assert browser.get("/api/images").status_code == 200
        assert "Authorization: Bearer TOKEN" in browser.get("/docs").text
        browser.post("/logout")
        assert browser.get("/api/images").status_code == 401


def test_after_too_many_wrong_tokens_an_address_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 3_600.0)
    right = {"authorization": f"Bearer {TOKEN}"}
    with (
        sites.site(works=False, token=TOKEN) as site,
        httpx.Client(base_url=site.url, timeout=sites.TIMEOUT, trust_env=False) as browser,
    ):
        # Given a browser that is logged in, and wrong tokens in both ways
        browser.post("/login", data={"token": TOKEN})
        for _ in range(attempts.AT_ONCE - 1):
            assert _get(site, "/api/images", authorization="Bearer wrong").status_code == 401
            assert _get(site, "/api/images", **right).status_code == 200
        assert site.client.post("/login", data={"token": "wrong"}).status_code == 401

        # When there is another try, then even a right token is not looked at
        again = _get(site, "/api/images", **right)
        assert _code(again) == (429, "too_many_attempts") and 0 < int(again.headers["retry-after"]) <= 3_600
        login = site.client.post("/login", data={"token": TOKEN})
        assert login.status_code == 429 and "set-cookie" not in login.headers
        assert "too many wrong tokens" in login.text and int(login.headers["retry-after"]) > 0

        # And who was let in stays in
        assert browser.get("/api/images").status_code == 200
        assert _get(site, "/healthz").status_code == 200


@pytest.mark.parametrize("place", ["http://evil.example/", "//evil.example", "/\\evil.example", "x", "/a\nb"])
def test_a_login_leads_to_no_other_site(locked: Site, place: str) -> None:
    answer = locked.client.post("/login", data={"token": TOKEN, "next": place}, follow_redirects=False)

    locked.client.cookies.clear()
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/..%2fapplication.py",
        "/static/%2e%2e/application.py",
        "/static//etc/passwd",
        "/thumb/..%2f..%2fetc%2fpasswd",
        "/thumb/1%00",
        "/api/images/../../etc/passwd",
    ],
)
def test_no_path_leads_out(site: Site, path: str) -> None:
    with site.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece

    assert answer.split()[1] in (b"400", b"404")
    assert b"root:" not in answer and b"import" not in answer


def test_a_files_name_is_never_used(site: Site) -> None:
    names = ("../../evil.jpg", "/etc/evil.jpg", "evil\0.jpg", SCRIPT, "..", ".")
    for shade, name in enumerate(names, start=40):
        answer = site.client.post("/predict", files=[("file", (name, builders.jpeg(shade)))])
        assert answer.status_code == 200

    stored = {path.name for path in (site.settings.home / "uploads").rglob("*") if path.suffix == ".jpg"}
    assert stored and all(name.removesuffix(".jpg").isalnum() for name in stored)
    assert not list(site.settings.home.parent.glob("evil*"))


def test_script_in_names_tags_and_exif_stays_text(site: Site) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[271], exif[272] = SCRIPT, SCRIPT
    Image.new("RGB", (40, 30), (9, 99, 199)).save(file, "JPEG", exif=exif)
    [image_id] = site.add({f"{SCRIPT.replace('/', '_')}.jpg": file.getvalue()})
    builders.execute(site.ledger, f"UPDATE categories SET name_zh = '{SCRIPT}' WHERE wnid = 'c_dog'")
    answers = [
        _get(site, f"/api/images/{image_id}"),
        _get(site, "/api/images"),
        _get(site, "/api/images", accept="text/html"),
        _get(site, "/api/images?q=" + SCRIPT),
        site.client.post("/predict", files={"file": file.getvalue()}),
    ]

    for answer in answers:
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = _get(site, "/" + SCRIPT, accept="text/html")
    assert SCRIPT not in page.text and page.headers["x-content-type-options"] == "nosniff"


def test_every_answer_forbids_inline_script_frames_and_other_sites(site: Site) -> None:
    [image_id] = site.add({"plain.jpg": builders.jpeg(60)})
    for path in ("/", "/api/images", "/nothing", "/static/tagtray.js", f"/thumb/{image_id}", "/login"):
        policy = _get(site, path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    refused = _get(site, "/", host="evil.example")
    assert "script-src 'self'" in refused.headers["content-security-policy"]


def test_where_no_token_is_asked_for_the_login_leads_on(site: Site) -> None:
    answer = _get(site, "/login?next=/status")

    assert (answer.status_code, answer.headers["location"]) == (303, "/status")


def test_pages_have_no_script_of_their_own(site: Site, locked: Site) -> None:
    for text in (_get(site, "/").text, _get(locked, "/login").text):
        assert "<script>" not in text and "onclick=" not in text and "style=" not in text
        assert "http://" not in text and "https://" not in text


def test_more_requests_than_are_answered_at_once_are_503_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_REQUESTS", 3)
    following = [site.connect() for _ in range(3)]
    for connection in following:
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(100)

    answer = _get(site, "/api/images")

    assert _code(answer) == (503, "busy") and answer.headers["retry-after"] == "1"
    for connection in following:
        connection.close()
    wait_for(lambda: _get(site, "/api/images").status_code == 200)


def test_an_address_that_others_reach_needs_a_token_or_a_word() -> None:
    settings = configuration.load(host="0.0.0.0", port=0)

    with pytest.raises(UsageError, match=r"set TAGTRAY_TOKEN to a word .* or say --no-auth"):
        binding.bind(settings)
    for more, no_auth in (({"token": TOKEN}, False), ({}, True)):
        with binding.bind(configuration.load(host="0.0.0.0", port=0, **more), no_auth=no_auth) as bound:
            assert bound.getsockname()[1] > 0


def test_loopback_needs_nothing(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        with binding.bind(configuration.load(host=host, port=0)) as bound:
            assert binding.address(bound).startswith("http://127.0.0.")
            assert bound.proto == socket.IPPROTO_TCP  # so that asyncio sends answers at once


def test_a_port_that_is_taken_is_said() -> None:
    with binding.bind(configuration.load(port=0)) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(InfrastructureError, match=rf"port {port}: .*--port chooses another port"):
            binding.bind(configuration.load(port=port))


def test_a_short_token_is_refused() -> None:
    for token in ("short", "not ascii: 猫猫猫", " blank at the end "):
        with pytest.raises(UsageError, match=r"^TAGTRAY_TOKEN is not accepted: .* 8 characters") as caught:
            configuration.load(token=token)
        assert token not in str(caught.value)


def test_the_token_is_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGTRAY_TOKEN", TOKEN)

    assert main.invoke(["config"]) == 0

    shown = capsys.readouterr().out
    assert "TAGTRAY_TOKEN" in shown and TOKEN not in shown
    settings = configuration.load()
    assert TOKEN not in repr(settings)
    assert configuration.environment(settings)["TAGTRAY_TOKEN"] == TOKEN
