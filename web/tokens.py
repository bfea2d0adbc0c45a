"""The token that proves who may use the pages: in a header, or as a cookie that does not tell it."""

from __future__ import annotations

import hashlib
import hmac

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

COOKIE = "tagtray"
#: Seconds that a browser stays logged in.
COOKIE_SECONDS = 30 * 86_400


def bearer(headers: Headers) -> str | None:
    """The token that a program sends; None where it sends none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def has_cookie(headers: Headers, token: str) -> bool:
    """Whether a request carries the cookie of a login with the token."""
    cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
    return hmac.compare_digest(cookie.encode(), _proof(token).encode())


def is_token(given: str, token: str) -> bool:
    """Whether ``given`` is the token, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), token.encode())


def set_cookie(response: Response, token: str, *, secure: bool) -> None:
    """Have the browser prove the token from now on; only to this site, and never to scripts."""
    response.set_cookie(
        COOKIE, _proof(token), COOKIE_SECONDS, httponly=True, samesite="strict", secure=secure
    )


def _proof(token: str) -> str:
    return hmac.new(token.encode(), b"tagtray login", hashlib.sha256).hexdigest()
