"""The Grafana dashboard: every query is PromQL about a metric that tagtray has."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client import CollectorRegistry

from tagtray.app.metrics import command, ledger
from tagtray.db.reading.figures import Figures
from tagtray.producer.totals import Totals
from tagtray.worker.batch import metrics

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "deploy/grafana.json").read_text("utf-8")
)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
#: What Grafana puts in their place.
INTERVAL = "$__rate_interval"
NAME = re.compile(r"\b(?:tagtray|process)_\w+")
#: Columns of Grafana's grid.
WIDTH = 24

FIGURES = Figures(
    {("photos", "done"): 1},
    {"empty": 1},
    1.0,
    {("here", "torch", "fp32", "0.1.0"): 1},
    frozenset({"photos"}),
    ("resnet18", "0" * 64),
)


def test_every_panel_has_its_place() -> None:
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    cells = Counter(
        (x, y)
        for panel in PANELS
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    )
    assert max(cells.values()) == 1
    assert max(x for x, _ in cells) < WIDTH


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_is_promql(query: str) -> None:
    assert promql_parser.parse(query.replace(INTERVAL, "5m"))


def test_every_query_asks_for_metrics_that_there_are() -> None:
    asked = {name for query in QUERIES for name in NAME.findall(query)}

    assert asked - _offered() - {"process_resident_memory_bytes"} == set()


def _offered() -> set[str]:
    """The names of all samples that tagtray can show."""
    families = [*ledger.of_ledger(FIGURES), *ledger.of_queue(1, 1, 1), ledger.up({"ledger": True})]
    families += command.of_producer(Totals(), 0)
    families += command.of_supervisor(1, 0)
    registry = CollectorRegistry()
    for metric in (metrics.ENDED, metrics.FAILURES, metrics.COUNT, metrics.EXEC_COUNT, metrics.BATCH_SIZE):
        registry.register(metric)
    registry.register(metrics.STAGE)
    metrics.STAGE.labels("forward")
    metrics.ENDED.labels("done")
    metrics.FAILURES.labels("empty")
    families += registry.collect()
    return {sample.name for family in families for sample in family.samples}
