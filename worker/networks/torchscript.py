"""The traced network in a file: made once per model, precision and torch version (``networks.cache``).

``python -m tagtray.worker.networks.torchscript MODEL PRECISION TARGET`` makes one; workers start it in a
process of its own so that they never hold torchvision and the eager network beside the trace.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch

from tagtray.weights.model import Model
from tagtray.worker.networks import cache

#: Images of the example batch; the trace holds for every batch size.
EXAMPLE_BATCH = 2


def load(model: Model, home: Path, precision: str = "fp32") -> torch.jit.ScriptModule:
    """The network, traced and optimised: (n, 3, side, side) uint8 -> logits (n, classes), features (n, F).

    ``home / "cache"`` keeps the trace. It computes in ``precision`` (fp32, bf16). Raises WeightsError,
    InfrastructureError.
    """
    with cache.opened(
        path(model, home, precision), model, "tagtray.worker.networks.torchscript", precision
    ) as file:
        return _optimise(file)


def path(model: Model, home: Path, precision: str = "fp32") -> Path:
    """Where the trace of a model lies under the torch that runs."""
    version = torch.__version__.partition("+")[0]
    return cache.path(home, model, f"{precision}-torch{version}", ".pt")


def make(model: Model, precision: str = "fp32") -> bytes:
    """Trace and freeze the network of a model; return the TorchScript file."""
    from tagtray.worker.networks import eager

    network = eager.build(model, eager.DTYPES[precision])
    side = model.input.side
    example = torch.zeros(EXAMPLE_BATCH, side, side, 3, dtype=torch.uint8)
    file = io.BytesIO()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            network, example.permute(0, 3, 1, 2), check_trace=False
        )
        torch.jit.save(torch.jit.freeze(traced), file)
    return file.getvalue()


def _optimise(file: BinaryIO) -> torch.jit.ScriptModule:
    # By descriptor: the very file that was hashed, and 45 MB less than through a copy in memory.
    source = f"/proc/self/fd/{file.fileno()}"
    with _quiet():
        module: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
            source, map_location="cpu"
        )
        # With AVX2 alone it costs: 57 instead of 52 ms for an image.
        if torch.backends.cpu.get_cpu_capability() != "AVX512":
            return module
        # Only now: a file saved after this step cannot be loaded.
        return torch.jit.optimize_for_inference(module)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep out the notices that TorchScript is deprecated, and nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", FutureWarning)
        yield


def main(arguments: list[str]) -> int:
    """Make TARGET and its record from MODEL, which is JSON."""
    model, precision, target = Model.from_json(arguments[0]), arguments[1], Path(arguments[2])
    return cache.make(target, lambda: make(model, precision))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
