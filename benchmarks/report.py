"""What every benchmark writes: its figures, the day and the machine, below ``benchmarks/results``."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tagtray.worker.engines import cpu_features, torch_engine
from tagtray.worker.supervision import resources

RESULTS = Path(__file__).parent / "results"
#: Flags of processors that multiply int8 and add up in 32 bits at once.
VNNI = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})


def write(name: str, content: Mapping[str, Any]) -> None:
    """Keep ``content`` as ``results/<name>.json``, with the date and the machine."""
    report = {"date": time.strftime("%F"), "machine": machine(), **content}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the most."""
    cuts = statistics.quantiles(milliseconds, n=20)
    return {"p50": round(cuts[9], 2), "p95": round(cuts[18], 2), "max": round(max(milliseconds), 2)}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": cpu_features.name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "vnni": not VNNI.isdisjoint(cpu_features.flags()),
        "bf16": torch_engine.has_bf16(),
        "cores": resources.available_cpus(),
        "torch": torch.__version__,
    }


def medians(rows: Sequence[Any]) -> Any:
    """[least, median, most] of every figure, in the shape of a row."""
    if isinstance(rows[0], Mapping):
        return {name: medians([row[name] for row in rows]) for name in rows[0]}
    return [round(figure, 3) for figure in (min(rows), statistics.median(rows), max(rows))]
