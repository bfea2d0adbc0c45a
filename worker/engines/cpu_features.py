"""The processor: what the kernel says of it, for reports, and what oneDNN is allowed to use of it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

#: Where Linux describes it, with a line of ``flags`` (x86) or ``Features`` (Arm).
CPUINFO = Path("/proc/cpuinfo")
#: oneDNN computes for PyTorch and OpenVINO; this variable holds it below what the processor has
#: (https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html). These values leave out
#: dot products of bf16.
ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA"
WITHOUT_BF16 = frozenset(
    {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
)


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


def onednn_may_use_bf16() -> bool:
    """Whether oneDNN is left its bf16 instructions; else it emulates them at a fifth of the speed, or fails.

    The libraries do not say so (PyTorch 2.14, OpenVINO 2026.4): they list what the processor has.
    """
    return os.environ.get(ONEDNN_LIMIT, "").upper() not in WITHOUT_BF16
