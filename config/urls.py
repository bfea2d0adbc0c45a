"""URLs of servers: forms that other programs write, and what of one may be shown."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote

#: How what separates the parts of a URL is written where it belongs to a user or a password.
ENCODING = "in a user or a password, @ : / ? # % are written %40 %3A %2F %3F %23 %25"

#: A URL that can be read in one way alone: nothing in it may be the rest of a password.
NETWORK = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:(?P<user>[^:@/?#\[\]]*)(?P<secret>:[^@/?#]*)?@)?"
    r"(?P<place>(?P<host>\[[0-9a-f:.%]+\]|[^:@/?#\[\]]*)(?::\d*)?(?P<path>/[^@?#]*)?)"
    r"(?:\?(?P<query>[^@#]*))?",
    re.IGNORECASE | re.DOTALL,
)
_KNOWN = re.compile(r"(?:postgres|postgresql|redis|rediss|unix|sqlite)(?:\+[a-z0-9]+)?://", re.IGNORECASE)
#: A file or a socket: nothing that could be a user or a password.
_LOCAL = re.compile(r"(?:sqlite(?:\+pysqlite)?:///[^?]+|unix:///[^@?]+)", re.DOTALL | re.IGNORECASE)
#: Options that may be shown: of any other one, nobody knows whether it is a password.
_HARMLESS = frozenset({"application_name", "connect_timeout", "db", "host", "port", "schema", "sslmode"})


def plain(text: str) -> str | None:
    """``text`` without the blanks, line ends and quotes that files and shells leave; None if that is all."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text or None


def page(host: str, port: int) -> str:
    """The address of a server's first page; ``host`` is a name or an address."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def masked(url: str) -> str:
    """``url`` as it may be shown: without password, and without all that may be a part of one."""
    if _LOCAL.fullmatch(url):
        return url
    found, known = NETWORK.fullmatch(url), _KNOWN.match(url)
    if found is None or known is None:
        return f"{known[0] if known else ''}***"
    user = found["user"] or ""
    # Who gives Redis one word means a password.
    alone = "***" if found["scheme"].startswith("redis") else user
    credentials = f"{user}:***@" if found["secret"] else f"{alone}@" if user else ""
    return f"{found['scheme']}://{credentials}{found['place']}{_options(found['query'])}"


def _options(query: str | None) -> str:
    options = parse_qsl(query or "", keep_blank_values=True)
    shown = "&".join(
        f"{quote(name)}={quote(value, safe='/:') if name in _HARMLESS else '***'}" for name, value in options
    )
    return f"?{shown}" if shown else ""
