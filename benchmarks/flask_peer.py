"""The service that people write instead: Flask, torchvision's transforms, the network eager, Top-3 as JSON.

``python -m benchmarks.flask_peer PORT THREADS``; same weights as tagtray. Flask's own server, a thread for
each request, as its tutorials have it; ``THREADS`` are PyTorch's for one forward pass.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import torch
from flask import Flask, jsonify, request
from PIL import Image

from benchmarks import peer
from tagtray.weights.store import ModelStore

app = Flask(__name__)


def main(port: int, threads: int) -> None:
    """Serve until the process is ended."""
    torch.set_num_threads(threads)
    network, transform = peer.network(), peer.transform()
    names = [label.name for label in ModelStore().default.labels.labels]

    @app.post("/predict")
    def predict() -> Any:
        with Image.open(io.BytesIO(request.files["file"].read())) as image:
            pixels = transform(image.convert("RGB")).unsqueeze(0)
        with torch.inference_mode():
            scores, classes = network(pixels).softmax(1).topk(3)
        found = zip(classes[0].tolist(), scores[0].tolist(), strict=True)
        return jsonify(results=[{"label": names[index], "score": score} for index, score in found])

    @app.get("/readyz")
    def ready() -> Any:
        return jsonify(status="ready")

    app.run(port=port, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
