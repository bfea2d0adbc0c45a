"""How fast each model is on this machine: measured when asked, kept in ``TAGTRAY_HOME/cache/speeds.json``."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tagtray.config import atomic
from tagtray.config.settings import Settings
from tagtray.weights.model import Model
from tagtray.worker.engines import cpu_features, selection
from tagtray.worker.measure import pool
from tagtray.worker.supervision.resources import Plan

#: Seconds of forward passes that count, after as many that do not.
SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Speed:
    """Images per second of all workers together, decode not included, and what computed them."""

    images_per_second: float
    engine: str
    precision: str


def measure(settings: Settings, model: Model, plan: Plan) -> Speed:
    """Measure a model with the engine that workers would take, and keep it; raises InfrastructureError."""
    with pool.running(settings, model, plan) as probes:
        probes.forward_rate(settings.batch_size, SECONDS)
        rate = probes.forward_rate(settings.batch_size, SECONDS)
        found = Speed(round(rate, 1), probes.loaded.engine, probes.loaded.precision)
    _write(settings, {**_read(settings), _key(settings, model, plan): asdict(found)})
    return found


def known(settings: Settings, model: Model, plan: Plan) -> Speed | None:
    """What was measured last, with this processor, these settings and these engines; None: nothing."""
    found = _read(settings).get(_key(settings, model, plan))
    return Speed(**found) if found else None


def _key(settings: Settings, model: Model, plan: Plan) -> str:
    """The model's key and 12 hex digits that change with what else a speed depends on."""
    choices = [str(choice) for choice in selection.choices(settings)]
    facts = [cpu_features.name(), plan.workers, plan.threads, settings.batch_size, choices]
    return f"{model.key}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]}"


def _path(settings: Settings) -> Path:
    return settings.home / "cache" / "speeds.json"


def _read(settings: Settings) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads(_path(settings).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _write(settings: Settings, speeds: dict[str, Any]) -> None:
    """Keep the figures where that can be: a home that cannot be written to is no reason not to say them."""
    with contextlib.suppress(OSError):
        _path(settings).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.replace(_path(settings), json.dumps(speeds).encode())
