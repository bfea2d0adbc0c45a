"""The gallery over a million images: pages of several queries, a scroll, the figures beside it, thumbnails.

``python -m benchmarks.gallery --rows 1000000``: a ledger of generated rows, and a real server that is asked
over HTTP, one request after the other; the first of each kind is not counted. ``cpu_ms`` is what the server
spends for a request.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from benchmarks import report
from benchmarks.scale import rows
from tagtray.config import settings as configuration
from tagtray.config import subprocesses

#: What galleries are asked: all, a frequent word, a rare one, a month, words with a filter.
QUERIES = ("", "dog", "volcano", "taken:2019-05", "dog taken:2018..", "animal -dog", "camera:0")
#: Requests for each first page, pages of a scroll.
FIRST, SCROLL = 40, 200


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="a folder for the ledger, which stays there")
    options = parser.parse_args()
    with rows.scaled(options.rows, home=options.home) as made, _served(made.settings) as site:
        figures = {
            "rows": options.rows,
            "first_page_ms": {query: site.spread(site.first, query) for query in QUERIES},
            "scroll_ms": {query: site.spread(site.scroll, query) for query in ("", "dog")},
            **site.facets(),
        }
    print(json.dumps(figures, indent=2))
    report.write("gallery", figures)


class _Site:
    def __init__(self, port: int, process: psutil.Process) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)
        self._process = process

    def spread(self, ask: Callable[[str], Sequence[float]], query: str) -> dict[str, float]:
        """The spread of some requests, and the server's CPU for each."""
        before = self._cpu_ms()
        spent = ask(query)
        return {**report.spread(spent), "cpu_ms": round((self._cpu_ms() - before) / len(spent), 1)}

    def first(self, query: str) -> Sequence[float]:
        """Milliseconds of each first page."""
        return [self._ask(q=query)[0] for _ in range(FIRST + 1)][1:]

    def scroll(self, query: str) -> Sequence[float]:
        """Milliseconds of each further page."""
        _, page = self._ask(q=query)
        spent: list[float] = []
        while page["cursor"] and len(spent) < SCROLL:
            milliseconds, page = self._ask(q=query, cursor=page["cursor"])
            spent.append(milliseconds)
        return spent

    def facets(self) -> dict[str, Any]:
        """Milliseconds of the first count, and of an answer while it is fresh."""
        before = self._cpu_ms()
        counted, _ = self._get("/api/facets")
        cpu = self._cpu_ms() - before
        kept = [self._get("/api/facets")[0] for _ in range(FIRST)]
        share, oldest = self._asked_for_a_minute()
        return {
            "facets_counted_ms": {"clock": round(counted), "cpu_ms": round(cpu)},
            "facets_kept_ms": report.spread(kept),
            "facets_asked_all_the_time": {"cpu_share": round(share, 3), **oldest},
        }

    def _asked_for_a_minute(self) -> tuple[float, dict[str, float]]:
        """The share of a core that goes into figures which are asked for every second, and their ages."""
        before, found = self._cpu_ms(), []
        for _ in range(60):
            found.append(self._get("/api/facets")[1])
            time.sleep(1)
        oldest = {name: max(one[name] for one in found) for name in ("age", "months_age")}
        return (self._cpu_ms() - before) / 60_000, oldest

    def _cpu_ms(self) -> float:
        spent = self._process.cpu_times()
        return 1e3 * (spent.user + spent.system)

    def _ask(self, **query: str) -> tuple[float, Any]:
        return self._get(f"/api/images?{urllib.parse.urlencode(query)}")

    def _get(self, path: str) -> tuple[float, Any]:
        began = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        spent = 1000 * (time.perf_counter() - began)
        assert answer.status == 200, body
        return spent, json.loads(body)


@contextmanager
def _served(settings: configuration.Settings) -> Iterator[_Site]:
    process = subprocess.Popen(
        subprocesses.command("tagtray", "serve", "--port", "0"),
        env=os.environ | configuration.environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        found = re.search(r":(\d+)/", process.stderr.readline())
        assert found
        yield _Site(int(found[1]), psutil.Process(process.pid))
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main()
