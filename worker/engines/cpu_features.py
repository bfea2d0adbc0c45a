"""What the processor computes natively, by the flags that the kernel lists."""

from __future__ import annotations

import functools
from pathlib import Path

#: Where Linux lists them, in a line of ``flags`` (x86) or ``Features`` (Arm).
CPUINFO = Path("/proc/cpuinfo")
#: Dot products of bf16.
BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@functools.cache
def flags(source: Path = CPUINFO) -> frozenset[str]:
    """The flags of the first core; empty where there is no such list."""
    try:
        lines = source.read_text().splitlines()
    except OSError:
        return frozenset()
    found = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(found, "").split())


def name(source: Path = CPUINFO) -> str:
    """What the maker calls it; ``unknown`` where Linux does not say."""
    try:
        lines = source.read_text().splitlines()
    except OSError:
        return "unknown"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def has_bf16() -> bool:
    """Whether bf16 is faster than fp32 here."""
    return not BF16.isdisjoint(flags())
