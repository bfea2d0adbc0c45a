"""What an image and a worker that waits cost the two stores: ``python -m benchmarks.stores``.

A whole ``tagtray run`` over small made pictures on a PostgreSQL as it is installed and a Redis, as the two
count it themselves; then a worker that finds nothing to do. docs/scale.md is computed from this.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import redis
from PIL import Image

from benchmarks import report
from tagtray.config import subprocesses
from tools import servers

#: Seconds that a waiting worker is watched, and that it is given to start.
IDLE, START = 30.0, 20.0
#: Of the pictures, which are noise.
SIZE = (320, 240)
_DATABASE = (
    "SELECT pg_stat_clear_snapshot(), xact_commit, tup_inserted, tup_updated, tup_deleted, "
    "pg_current_wal_lsn() - '0/0'::pg_lsn, pg_database_size(current_database()) "
    "FROM pg_stat_database WHERE datname = current_database()"
)
_NAMES = ("transactions", "inserted", "updated", "deleted", "wal_bytes", "size_bytes")


class Stores:
    """Both servers, as counters."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self._database_url, self._redis = database_url, redis.from_url(redis_url)

    def read(self) -> dict[str, float]:
        """Everything that only grows, now."""
        info: dict[str, Any] = self._redis.info()
        with psycopg.connect(self._database_url) as connection:
            row = connection.execute(_DATABASE).fetchone()
        assert row is not None
        return {
            "redis_commands": info["total_commands_processed"],
            "redis_bytes_in": info["total_net_input_bytes"],
            "redis_bytes_out": info["total_net_output_bytes"],
            "redis_cpu_seconds": info["used_cpu_sys"] + info["used_cpu_user"],
            **{name: float(value) for name, value in zip(_NAMES, row[1:], strict=True)},
        }

    @property
    def peak_bytes(self) -> int:
        """Memory of Redis at most."""
        return int(self._redis.info("memory")["used_memory_peak"])


def main() -> int:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores", description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    images = parser.parse_args().images
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        tempfile.TemporaryDirectory(prefix="bench-") as home,
        servers.postgres({"max_connections": "50"}) as postgres,
        postgres.database() as database_url,
        servers.redis_server() as redis_url,
    ):
        environment = os.environ | {
            "TAGTRAY_HOME": home,
            "TAGTRAY_DATABASE_URL": database_url,
            "TAGTRAY_REDIS_URL": redis_url,
        }
        for number in range(images):
            Image.effect_noise(SIZE, 40).convert("RGB").save(Path(folder, f"{number}.jpg"))
        _tagtray(environment, "db", "upgrade").wait()
        stores = Stores(database_url, redis_url)
        before = stores.read()
        if _tagtray(environment, "run", folder).wait():
            return 1
        time.sleep(2.0)  # PostgreSQL's own counters come a second late
        busy = _difference(before, stores.read(), images)
        idle = _idle(stores, environment | {"TAGTRAY_WORKERS": "1"})
        peak = stores.peak_bytes
    found = {"images": images, "per_image": busy, "waiting_per_second": idle, "redis_peak_bytes": peak}
    print(json.dumps(found, indent=2))
    report.write("stores", found)
    return 0


def _idle(stores: Stores, environment: Mapping[str, str]) -> dict[str, float]:
    """Per second of one worker that waits."""
    worker = _tagtray(environment, "work")
    time.sleep(START)
    before = stores.read()
    time.sleep(IDLE)
    found = _difference(before, stores.read(), IDLE)
    worker.terminate()
    worker.wait()
    return found


def _difference(before: Mapping[str, float], after: Mapping[str, float], by: float) -> dict[str, float]:
    return {name: round((after[name] - before[name]) / by, 5) for name in before}


def _tagtray(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(subprocesses.command("tagtray", *arguments), env=dict(environment))


if __name__ == "__main__":
    sys.exit(main())
