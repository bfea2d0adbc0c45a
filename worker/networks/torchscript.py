"""The traced network in a file: made once per weights, precision and torch version (``networks.cache``).

``python -m tagtray.worker.networks.torchscript WEIGHTS SHA256 PRECISION TARGET`` makes one; workers start
it in a process of its own so that they never hold torchvision and the eager network beside the trace.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch

from tagtray.config.errors import WeightsError
from tagtray.worker.networks import cache
from tagtray.worker.networks.input_spec import IMAGE_SIDE

#: Number of the graph that ``worker.networks.resnet`` describes; to be raised with every change to it.
GRAPH = 2
#: Images of the example batch; the trace holds for every batch size.
EXAMPLE_BATCH = 2


def load(weights: Path, sha256: str, home: Path, precision: str = "fp32") -> torch.jit.ScriptModule:
    """Return the network, traced and optimised: (n, 3, 224, 224) uint8 -> (n, 1000) float32 logits.

    ``sha256`` is the hex hash that ``weights`` must have; ``home / "cache"`` keeps the trace. It computes in
    ``precision`` (fp32, bf16). Raises WeightsError, InfrastructureError.
    """
    command = ["tagtray.worker.networks.torchscript", str(weights), sha256, precision]
    with cache.opened(home, name(sha256, precision), command) as file:
        return _optimise(file)


def name(sha256: str, precision: str = "fp32") -> str:
    """File name of the trace of the weights with this hash under the torch that runs."""
    version = torch.__version__.partition("+")[0]
    return f"resnet18-{sha256[:12]}-{precision}-torch{version}-g{GRAPH}.pt"


def make(weights: bytes, precision: str = "fp32") -> bytes:
    """Trace and freeze the network of a safetensors file; return the TorchScript file."""
    from tagtray.worker.networks import resnet

    model = resnet.build(weights, resnet.DTYPES[precision])
    example = torch.zeros(EXAMPLE_BATCH, IMAGE_SIDE, IMAGE_SIDE, 3, dtype=torch.uint8)
    file = io.BytesIO()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            model, example.permute(0, 3, 1, 2), check_trace=False
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
    """Make TARGET and its record from the file WEIGHTS, which must have the hash SHA256."""
    weights, sha256, precision, target = Path(arguments[0]), arguments[1], arguments[2], Path(arguments[3])
    try:
        data = weights.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise WeightsError(f"{weights} is damaged: its SHA-256 is not the expected one.")
        cache.keep(target, make(data, precision))
    except (OSError, WeightsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
