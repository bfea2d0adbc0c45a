"""For developers: ``python -m tools.calibrate MODEL FOLDER...`` measures the ranges that int8 needs.

It writes them beside the weights of a model that ships; ``python -m tools.release`` then takes them into the
manifest. Folders are read whole, in the order of their paths: the same photos give the same file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tagtray.weights.model import InputSpec, Model
from tagtray.weights.store import ModelStore
from tagtray.worker.networks import activation_ranges, onnx_graph
from tagtray.worker.networks.onnx_variants import Form

#: Exponent of the error that clipping and rounding are to make small: between 2, which clips too much where
#: values are rare but matter, and infinity, which keeps the largest (2.4: Li et al., BRECQ, ICLR 2021).
NORM = 2.4
#: Bins of the histogram of a tensor, and candidates for its range.
BINS, CANDIDATES = 8192, 91
#: Least pixels of a photo's shorter side, and pixels that larger ones are reduced to.
LEAST, MOST = 120, 1200
#: The parts of a photo that are looked at (left, top, right, bottom): the whole and two that overlap; every
#: second one is mirrored.
PARTS = ((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.6, 0.6), (0.4, 0.4, 1.0, 1.0))

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

Range = tuple[float, float]


def photos(folders: Sequence[Path], spec: InputSpec) -> Iterator[NDArray[np.uint8]]:
    """Every readable image below the folders as its views, (len(PARTS), side, side, 3) uint8."""
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                with Image.open(path) as image:
                    if min(image.size) >= LEAST:
                        yield views(image, spec)
            except UnidentifiedImageError:
                continue


def views(image: Image.Image, spec: InputSpec) -> NDArray[np.uint8]:
    """The parts of an image, each scaled and cropped as the network wants it; transparency is white."""
    image = ImageOps.exif_transpose(image).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    whole = white.convert("RGB")
    whole.thumbnail((MOST, MOST))
    found = []
    for number, part in enumerate(PARTS):
        box = [round(share * side) for share, side in zip(part, whole.size * 2, strict=True)]
        view = whole.crop((box[0], box[1], box[2], box[3]))
        view = ImageOps.fit(view, (spec.resize, spec.resize), _RESAMPLING[spec.interpolation])
        edge = (spec.resize - spec.side) // 2
        pixels = np.asarray(view.crop((edge, edge, edge + spec.side, edge + spec.side)))
        found.append(pixels[:, ::-1] if number % 2 else pixels)
    return np.stack(found)


class Observer:
    """The fp32 network with every tensor that int8 rounds as an output."""

    def __init__(self, model: Model) -> None:
        network = onnx_graph.build(model, Form("fp32"))
        self.names = _rounded(model)
        for name in self.names:
            network.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(network.SerializeToString(), options)

    def see(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The tensors of a batch, by name."""
        found = self._session.run(self.names, {onnx_graph.PIXELS: pixels})
        return dict(zip(self.names, found, strict=True))


def measure(observer: Observer, images: Sequence[NDArray[np.uint8]]) -> dict[str, Range]:
    """The range of each tensor over all images, clipped where that makes the error smaller."""
    limits = {name: (0.0, 0.0) for name in observer.names}
    for pixels in images:
        for name, values in observer.see(pixels).items():
            low, high = limits[name]
            limits[name] = (min(low, float(values.min())), max(high, float(values.max())))
    counts = {name: np.zeros(BINS) for name in observer.names}
    for pixels in images:
        for name, values in observer.see(pixels).items():
            counts[name] += np.histogram(values, BINS, limits[name])[0]
    return {name: clipped(counts[name], limits[name]) for name in observer.names}


def clipped(counts: NDArray[np.float64], limits: Range) -> Range:
    """The range with the least error when the values of a histogram are rounded to 256 steps of it."""
    low, high = limits
    middle = low + (np.arange(len(counts)) + 0.5) * (high - low) / len(counts)
    shares = np.linspace(0.1, 1, CANDIDATES)
    candidates = [
        (low * share, high * other) for share in (shares if low < 0 else (1.0,)) for other in shares
    ]

    def error(candidate: Range) -> float:
        step = (candidate[1] - candidate[0]) / 255
        rounded = np.clip(np.round((middle - candidate[0]) / step), 0, 255) * step + candidate[0]
        return float((np.abs(rounded - middle) ** NORM * counts).sum())

    return min(candidates, key=error)


def _rounded(model: Model) -> list[str]:
    """Names of the tensors that an int8 network of any form rounds, in the order they are computed."""
    names = [node.output[0] for node in onnx_graph.build(model, Form("fp32")).graph.node]
    anything = dict.fromkeys(names, (0.0, 1.0))
    rounded = {
        node.input[0]
        for sums in (False, True)
        for node in onnx_graph.build(model, Form("int8", sums=sums), anything).graph.node
        if node.op_type == "QuantizeLinear"
    }
    return [name for name in names if name in rounded]


def main(arguments: Sequence[str]) -> int:
    """Measure the ranges of a model on the photos of the folders and write them."""
    model = ModelStore().model(arguments[0])
    folders = [Path(folder) for folder in arguments[1:]]
    images = list(photos(folders, model.input))
    found = measure(Observer(model), images)
    content = activation_ranges.RangesFile(
        weights_sha256=model.weights.sha256,
        command=f"python -m tools.calibrate {model.name} FOLDER...",
        folders=tuple(folder.name for folder in folders),
        photos=len(images),
        views=len(images) * len(PARTS),
        norm=NORM,
        ranges={name: (round(low, 4), round(high, 4)) for name, (low, high) in found.items()},
    )
    target = model.folder / f"{model.name}-int8-ranges.json"
    target.write_text(
        json.dumps(activation_ranges.SCHEMA.dump_python(content, mode="json"), indent=1) + "\n", "utf-8"
    )
    print(f"{target}: {len(found)} tensors over {content.views} views of {content.photos} photos.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
