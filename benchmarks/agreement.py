"""How far tagtray's answers are from torchvision's reference, and the fast modes' from the exact one.

``python -m benchmarks.agreement FOLDER`` takes a folder of photos, prints and writes to benchmarks/results/:
exact mode against torchvision (same weights), every engine and precision against torch in fp32 (exact mode),
and draft against exact on the photos as 12-megapixel JPEGs.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks import peer, photos, report
from tagtray.config import settings as configuration
from tagtray.imaging.decode import decode_into
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import rollup, selection
from tagtray.worker.engines.classifier import Classifier
from tagtray.worker.engines.selection import Choice

#: What every other engine and precision is held against.
REFERENCE = Choice("torch", "fp32")

Answers = tuple[NDArray[np.int64], NDArray[np.float32]]


def reference(images: Iterable[bytes]) -> Answers:
    """Top-3 classes (n, 3) and scores (n, 3) of torchvision's transforms and eager network."""
    transform, model = peer.transform(), peer.network()
    found = []
    with torch.inference_mode():
        for data in images:
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            found.append(model(transform(image)[None]).softmax(1)[0])
    scores, classes = torch.stack(found).topk(3)
    return classes.numpy(), scores.numpy()


def ours(classifier: Classifier, images: Iterable[bytes], exact: bool) -> Answers:
    """The same of tagtray's decode and network."""
    settings, spec = configuration.load(), ModelStore().default.input
    classes, scores = [], []
    for data in images:
        decode_into(classifier.slots[0], data, spec, exact=exact, max_pixels=settings.max_pixels)
        found = classifier.classify(1)
        classes.append(found.top_index[0])
        scores.append(found.top_score[0])
    return np.stack(classes), np.stack(scores)


def compared(ours: Answers, theirs: Answers) -> dict[str, Any]:
    """Images with another Top-1 and another Top-3, and the differences of the Top-1's score."""
    difference = np.abs(ours[1][:, 0] - theirs[1][:, 0])
    return {
        "images": len(difference),
        "top1_flips": int((ours[0][:, 0] != theirs[0][:, 0]).sum()),
        "top3_differ": int((ours[0] != theirs[0]).any(axis=1).sum()),
        "score_difference_mean": float(difference.mean()),
        "score_difference_max": float(difference.max()),
    }


def classifier(choice: Choice = REFERENCE) -> Classifier:
    """An engine for one image at a time."""
    settings = configuration.load()
    model = ModelStore().default
    return selection.load(choice, model, settings.home, rollup.load(model), 1, 1)


def main(folder: Path) -> None:
    """Print all comparisons as JSON and write them."""
    sources = list(photos.in_order(folder))
    engine = classifier()

    def read(paths: Sequence[Path]) -> Iterable[bytes]:
        return (path.read_bytes() for path in paths)

    fp32 = ours(engine, read(sources), True)
    exact = compared(fp32, reference(read(sources)))
    others = {
        f"{choice.engine} {choice.precision}": compared(ours(classifier(choice), read(sources), True), fp32)
        for choice in selection.available()
        if choice != REFERENCE and selection.is_native(choice)
    }
    with tempfile.TemporaryDirectory() as scratch:
        large = list(photos.in_order(photos.camera(sources, Path(scratch), len(sources))))
        draft = compared(ours(engine, read(large), False), ours(engine, read(large), True))
    found = {"exact_vs_torchvision": exact, "engines_vs_torch_fp32": others, "draft_vs_exact_12mp": draft}
    print(json.dumps(found, indent=2))
    report.write("agreement", found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
