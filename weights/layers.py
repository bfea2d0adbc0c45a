"""What a network is made of: convolutions with their batch norms, and a classifier, by their names."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution and its batch norm, by their names in the state dict.

    It is padded by ``side // 2`` all around; where ``same``, as TensorFlow pads an even side: with a stride
    of 2, less at the beginning than at the end.
    """

    name: str
    norm: str
    inputs: int
    outputs: int
    side: int
    stride: int = 1
    groups: int = 1
    same: bool = False

    @property
    def pads(self) -> tuple[int, int]:
        """Zeros before and behind each side."""
        if not self.same:
            return self.side // 2, self.side // 2
        total = self.side - self.stride
        return total // 2, total - total // 2

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        """Its part of the state dict and that of its batch norm, the counter aside."""
        yield f"{self.name}.weight", (self.outputs, self.inputs // self.groups, self.side, self.side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{self.norm}.{part}", (self.outputs,)


class Network(abc.ABC):
    """An architecture: convolutions, pooling over the whole image, and one fully connected layer."""

    __slots__ = ()
    #: Name of the fully connected layer in the state dict.
    classifier: ClassVar[str]
    #: Added to a batch norm's variance.
    epsilon: ClassVar[float]
    #: What the input's side is a multiple of.
    multiple: ClassVar[int] = 1

    @property
    @abc.abstractmethod
    def features(self) -> int:
        """Values of the pooled feature vector, which the classifier reads."""

    @property
    @abc.abstractmethod
    def stem(self) -> Conv:
        """The first convolution."""

    @abc.abstractmethod
    def convs(self) -> Iterator[Conv]:
        """Every convolution, in order."""

    def shapes(self, classes: int) -> Mapping[str, Shape]:
        """The state dict with ``classes`` classes: shape by key, the counters of batch norms aside."""
        found = {key: shape for conv in self.convs() for key, shape in conv.shapes()}
        last = {f"{self.classifier}.weight": (classes, self.features), f"{self.classifier}.bias": (classes,)}
        return {**found, **last}
