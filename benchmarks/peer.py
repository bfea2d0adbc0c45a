"""The script that people write instead: DataLoader, torchvision transforms, eager, Top-3 into SQLite.

``python -m benchmarks.peer FOLDER DATABASE``: the whole process is what counts. Same weights as tagtray.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import torch
import torchvision  # type: ignore[import-untyped]
from PIL import Image
from pillow_heif import register_heif_opener
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet  # type: ignore[import-untyped]

from tagtray.weights.architectures import ResNet
from tagtray.weights.store import ModelStore

register_heif_opener()

BATCH = 32
WORKERS = 2


class Photos(Dataset[tuple[torch.Tensor, str]]):
    """A folder of images with torchvision's own preprocessing."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self.transform = transform()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB")), str(self.paths[index])


def transform() -> Any:
    """torchvision's preprocessing for the default model's input."""
    spec = ModelStore().default.input
    return torchvision.models.ResNet18_Weights.DEFAULT.transforms(
        crop_size=spec.side, resize_size=spec.resize, mean=spec.mean, std=spec.std
    )


def network() -> torch.nn.Module:
    """torchvision's network with the default model's weights, eager, fp32."""
    ours = ModelStore().default
    assert isinstance(ours.network, ResNet)
    block = resnet.Bottleneck if ours.network.bottleneck else resnet.BasicBlock
    network: torch.nn.Module = resnet.ResNet(block, list(ours.network.layers), num_classes=ours.classes)
    network.load_state_dict(load_file(ours.path(ours.weights)))
    return network.eval()


def main(folder: Path, database: Path) -> None:
    """Classify the folder and store three rows per image."""
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE IF NOT EXISTS predictions (path TEXT, rank INT, class INT, score REAL)")
    model = network()
    with torch.inference_mode():
        for pixels, paths in DataLoader(Photos(folder), batch_size=BATCH, num_workers=WORKERS):
            scores, classes = model(pixels).softmax(1).topk(3)
            rows = [
                (path, rank + 1, int(classes[i, rank]), float(scores[i, rank]))
                for i, path in enumerate(paths)
                for rank in range(3)
            ]
            connection.executemany("INSERT INTO predictions VALUES (?, ?, ?, ?)", rows)
            connection.commit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
