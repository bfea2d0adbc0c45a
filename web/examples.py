"""What the description of the API shows of each thing: one photo, and what is known of it."""

from __future__ import annotations

from typing import Any

LABEL: dict[str, Any] = {
    "rank": 1,
    "label": "tabby",
    "label_zh": "虎斑猫",
    "wnid": "n02123045",
    "score": 0.8713,
}
TAG: dict[str, Any] = {
    "category": "cat",
    "category_zh": "猫",
    "wnid": "n02121808",
    "score": 0.9812,
    "origin": "model",
    "named": True,
}
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
IMAGE_ITEM: dict[str, Any] = {
    "id": 17,
    "root": "pictures",
    "path": "2024/spain/IMG_0412.jpg",
    "label": "tabby",
    "label_zh": "虎斑猫",
    "wnid": "n02123045",
    "score": 0.8713,
    "taken_at": "2024-05-17T10:30:00",
    "width": 4032,
    "height": 3024,
    "color": "#8a7f66",
    "sha256": SHA256,
    "thumb": "/thumb/17?v=9f86d081884c",
}
IMAGE_DETAILS: dict[str, Any] = {
    "id": 17,
    "root": "pictures",
    "path": "2024/spain/IMG_0412.jpg",
    "file": "/srv/pictures/2024/spain/IMG_0412.jpg",
    "status": "done",
    "error_code": None,
    "error_message": None,
    "attempts": 0,
    "size_bytes": 3482113,
    "updated_at": "2026-11-29T17:00:00Z",
    "sha256": SHA256,
    "format": "JPEG",
    "width": 4032,
    "height": 3024,
    "taken_at": "2024-05-17T10:30:00",
    "taken_from": "exif",
    "camera": "Nikon Z6",
    "color": "#8a7f66",
    "model": "resnet18",
    "engine": "torch",
    "precision": "fp32",
    "decode": "draft",
    "classified_at": "2026-11-29T17:00:00Z",
    "results": [LABEL],
    "tags": [TAG],
    "thumb": "/thumb/17?v=9f86d081884c",
    "preview": "/thumb/17?v=9f86d081884c&size=large",
}
FAILURE_ITEM: dict[str, Any] = {
    "id": 18,
    "root": "pictures",
    "path": "half.jpg",
    "error_code": "truncated",
    "error_message": "The JPEG image ends too early.",
    "attempts": 0,
    "updated_at": "2026-11-29T17:00:00Z",
}
SUGGESTION: dict[str, Any] = {"name": "golden retriever", "name_zh": "金毛寻回犬", "kind": "label"}
CATEGORY_CHIP: dict[str, Any] = {"category": "dog", "category_zh": "狗", "icon": "🐶", "photos": 1204}
MONTH_CHIP: dict[str, Any] = {"month": "2024-05", "photos": 311}
