"""What goes into the network and what comes out: the numbers that every engine shares."""

from __future__ import annotations

#: Pixels per side of an input image, as torchvision's reference transform crops it.
IMAGE_SIDE = 224
#: Classes of ImageNet-1k.
CLASSES = 1000
#: Mean and standard deviation of the RGB channels of ImageNet in [0, 1] (torchvision.transforms presets).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
