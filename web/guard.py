"""What stands before every route: whose name was asked for, who asks, from where, and how much they send."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagtray.config.settings import Settings
from tagtray.web import problems, tokens
from tagtray.web.attempts import Attempts
from tagtray.web.problems import Problem

#: Requests that are answered at once; more are turned away immediately, so that none waits for long.
MAX_REQUESTS = 256
#: Bytes of a body that is no upload, and seconds that it may take to arrive.
MAX_BODY, BODY_SECONDS = 2**20, 15.0
#: Addresses that need no token: signs of life, the login itself, what its page is made of and how it looks.
OPEN = ("/healthz", "/readyz", "/login", "/static/", "/preferences")
#: Addresses that limit what they are sent themselves.
UPLOADS = ("/predict",)

_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware that refuses what must not reach a route, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, settings: Settings, attempts: Attempts) -> None:
        self._app = app
        self._attempts = attempts
        self._token = settings.token.get_secret_value() if settings.token else None
        self._names = known_names(settings)
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if not scope["path"].startswith(UPLOADS):
            receive = _limited(receive)
        self._requests += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1

    def _refusal(self, scope: Scope) -> Response | None:
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        try:
            self._check_host(headers)
            _check_origin(headers, method)
            if self._requests >= MAX_REQUESTS:
                sentence = f"{MAX_REQUESTS} requests are being answered already."
                raise Problem(503, "busy", sentence, retry_after=1)
            if not path.startswith(OPEN) and not self._is_proved(scope, headers):
                if problems.wants_page(method, headers):
                    query = scope["query_string"].decode("latin-1")
                    place = f"{path}?{query}" if query else path
                    return RedirectResponse(f"/login?next={quote(place)}", 303)
                raise _unknown()
        except Problem as problem:
            return problems.response(problem)
        return None

    def _is_proved(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request may do what needs the token; raises Problem where wrong ones came before."""
        if self._token is None or tokens.has_cookie(headers, self._token):
            return True
        given = tokens.bearer(headers)
        if given is None:
            return False
        self._attempts.check(scope)
        if not tokens.is_token(given, self._token):
            self._attempts.failed(scope)
            return False
        return True

    def _check_host(self, headers: Headers) -> None:
        """Raise Problem for a name that is not this server's: a page elsewhere may have been led here."""
        name = host_name(headers.get("host", ""))
        if (
            len(headers.getlist("host")) != 1
            or name is None
            or not (_is_address(name) or name in self._names)
        ):
            sentence = "This server is not known under that name; TAGTRAY_HOSTS takes further ones."
            raise Problem(421, "unknown_host", sentence)


def known_names(settings: Settings) -> frozenset[str]:
    """The names under which browsers may ask for pages, addresses apart."""
    here = socket.gethostname().lower()
    given = (name.strip().lower() for name in settings.hosts.split(","))
    return frozenset({"localhost", here, f"{here}.local", settings.host.lower(), *given} - {""})


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in lower case; None for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises for what is no number
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(headers: Headers, method: str) -> None:
    """Raise Problem for a request that changes something and comes from another site's page."""
    if method in _SAFE:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        raise _cross_site()
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise _cross_site()


def _cross_site() -> Problem:
    return Problem(403, "cross_site", "Requests from pages of other sites are not accepted.")


def _unknown() -> Problem:
    problem = Problem(401, "no_token", "A token is needed: Authorization: Bearer TOKEN, or log in at /login.")
    problem.headers = {"WWW-Authenticate": "Bearer"}
    return problem


def _limited(receive: Receive) -> Receive:
    """``receive``, that raises Problem for a body that is too long or too slow."""
    received, coming = 0, True

    async def limited() -> Message:
        nonlocal received, coming
        try:
            # Once the body is there, who waits here waits for the client to go away.
            async with asyncio.timeout(BODY_SECONDS if coming else None):
                message = await receive()
        except TimeoutError:
            raise Problem(408, "too_slow", "The request did not arrive in time.") from None
        received += len(message.get("body", b""))
        coming = bool(message.get("more_body"))
        if received > MAX_BODY:
            raise Problem(413, "too_large", f"The body has more than {MAX_BODY:,} bytes.")
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return wrapped
