"""What of a URL may be shown: never a part of a password, however it is broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.config import urls

PASSWORD = "Ge@h/e:i#m?9%x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("redis://secret@host/0", "redis://***@host/0"),
        ("redis://user:secret@[::1]:6379", "redis://user:***@[::1]:6379"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:se:cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db?password=secret&sslmode=require", "postgresql://me@host/db?password=***&sslmode=require"),
        ("postgresql:///db?host=/run&passwort=secret", "postgresql:///db?host=/run&passwort=***"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix:///run/my redis.sock", "unix:///run/my redis.sock"),
        ("sqlite:////my disk/a@b#c.db", "sqlite:////my disk/a@b#c.db"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert urls.masked(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:geheim@half@host/db",
        "postgresql://me:gehe/im@host/db",
        "postgresql://me:12/geheim@host/db",
        "postgresql://me:12?geheim@host/db",
        "postgresql://me:12#geheim@host/db",
        "postgresql://me:geheim/db",
        "postgresql:me:geheim@host/db",
        "postgresql:/me:geheim@host/db",
        "redis://:12#geheim@host",
        "unix://me:geheim@/run/redis.sock?x=@",
        "geheim",
        "geheim://host",
        "host=h password=geheim",
        "sqlite:////file.db?key=geheim",
    ],
)
def test_of_a_url_that_can_be_read_in_two_ways_nothing_but_its_scheme_is_shown(url: str) -> None:
    shown = urls.masked(url)

    assert not any(part in shown for part in ("geheim", "gehe", "heim", "half", "12"))
    assert shown.endswith("***")


_written = st.text(st.sampled_from("aZ09@/:#?%[]=& \n\\'\"é"), min_size=8, max_size=12)


@given(
    scheme=st.sampled_from(["postgresql", "postgres", "redis", "rediss", "unix", "postgresql+asyncpg"]),
    user=st.sampled_from(["", "me"]),
    password=_written.filter(lambda word: not word.isdigit()),
    end=st.sampled_from(["@host/db", "@host:1/0", "@/run/x.sock", "@host/db?sslmode=require"]),
)
def test_no_password_that_was_written_as_it_is_shows(scheme: str, user: str, password: str, end: str) -> None:
    secret = f"<{password}>"

    shown = urls.masked(f"{scheme}://{user}:{secret}{end}")

    assert "<" not in shown and ">" not in shown
