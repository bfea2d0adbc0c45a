"""Cores and memory are what affinity and cgroups leave, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtray.worker.supervision import resources

CORES = 16
GIB = 2**30


@pytest.fixture(autouse=True)
def _sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(CORES)))


def machine(root: Path, files: dict[str, str], available_bytes: int = 64 * GIB) -> Path:
    """A root folder with these files of /proc and /sys in it."""
    meminfo = f"MemTotal: 1 kB\nMemAvailable:   {available_bytes // 1024} kB\n"
    for name, text in {"proc/meminfo": meminfo, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_cgroup_the_affinity_counts(tmp_path: Path) -> None:
    assert resources.available_cpus(machine(tmp_path, {})) == CORES


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 1),
        ("20000 100000", 1),
        ("max 100000", CORES),
        ("9900000 100000", CORES),
    ],
)
def test_a_quota_of_cgroup_v2_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    root = machine(tmp_path, {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": f"{quota}\n"})
    assert resources.available_cpus(root) == cores


def test_the_tightest_of_nested_cgroups_counts(tmp_path: Path) -> None:
    # Given a service without a quota in a slice with one
    files = {
        "proc/self/cgroup": "0::/user.slice/app.service\n",
        "sys/fs/cgroup/user.slice/app.service/cpu.max": "max 100000\n",
        "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/user.slice/memory.max": f"{2 * GIB}\n",
        "sys/fs/cgroup/user.slice/memory.current": f"{GIB}\n",
    }
    root = machine(tmp_path, files)
    # Then the slice's limits hold
    assert resources.available_cpus(root) == 3
    assert resources.available_memory_bytes(root) == GIB


def test_in_a_container_that_shows_the_host_path_the_top_of_the_mount_counts(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/docker/0123abcd\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"}
    assert resources.available_cpus(machine(tmp_path, files)) == 4


@pytest.mark.parametrize(("quota", "cores"), [("250000", 2), ("-1", CORES)])
def test_a_quota_of_cgroup_v1_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/app\n1:name=systemd:/x\n0::/\n",
        "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": f"{quota}\n",
        "sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
    }
    assert resources.available_cpus(machine(tmp_path, files)) == cores


def test_memory_that_a_cgroup_can_drop_from_its_cache_is_available(tmp_path: Path) -> None:
    # Given a full cgroup of which half is file cache
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{4 * GIB}\n",
        "sys/fs/cgroup/memory.current": f"{4 * GIB}\n",
        "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {2 * GIB}\nactive_file 7\n",
    }
    assert resources.available_memory_bytes(machine(tmp_path, files)) == 2 * GIB


def test_a_memory_limit_of_cgroup_v1_counts_and_its_absence_does_not(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/app\n",
        "sys/fs/cgroup/memory/app/memory.limit_in_bytes": f"{3 * GIB}\n",
        "sys/fs/cgroup/memory/app/memory.usage_in_bytes": f"{GIB}\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{5 * GIB}\n",
    }
    assert resources.available_memory_bytes(machine(tmp_path, files)) == 2 * GIB


def test_a_cgroup_over_its_limit_leaves_nothing(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "1000\n",
        "sys/fs/cgroup/memory.current": "2000\n",
    }
    assert resources.available_memory_bytes(machine(tmp_path, files)) == 0


def test_auto_is_one_worker_with_one_thread_on_each_core(tmp_path: Path) -> None:
    assert resources.plan(None, 32, machine(tmp_path, {})) == resources.Plan(workers=CORES, threads=1)


def test_auto_starts_fewer_workers_where_memory_is_short_and_gives_them_the_cores(tmp_path: Path) -> None:
    # Given memory for four workers
    need = resources.BYTES_PER_WORKER + 32 * resources.BYTES_PER_SLOT
    root = machine(tmp_path, {}, available_bytes=4 * need + 2**20)
    # Then the cores are divided among them
    assert resources.plan(None, 32, root) == resources.Plan(workers=4, threads=4)


def test_with_hardly_any_memory_there_is_still_one_worker(tmp_path: Path) -> None:
    assert resources.plan(None, 32, machine(tmp_path, {}, available_bytes=2**20)).workers == 1


@given(workers=st.integers(1, 256))
def test_as_many_workers_as_asked_for_share_the_cores(workers: int) -> None:
    cores = resources.available_cpus()
    planned = resources.plan(workers, 32)
    assert planned.workers == workers
    assert planned.threads == max(1, cores // workers)


def test_this_machine_has_a_core_and_some_memory() -> None:
    assert resources.available_cpus() >= 1
    assert resources.available_memory_bytes() > 0


@pytest.mark.parametrize(
    ("cores", "available_bytes", "splits"),
    [
        (12, 2**40, [(12, 1), (6, 2), (4, 3), (3, 4), (2, 6)]),
        (12, 4 * GIB, [(4, 3), (3, 4), (2, 6), (1, 12)]),
        (7, 2**20, [(1, 7)]),
    ],
)
def test_the_cores_are_shared_out_evenly_the_most_workers_first(
    tmp_path: Path, cores: int, available_bytes: int, splits: list[tuple[int, int]]
) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{cores}00000 100000\n"}
    root = machine(tmp_path, files, available_bytes)
    assert resources.splits(32, root) == [resources.Plan(*split) for split in splits]
