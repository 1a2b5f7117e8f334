"""What the PyTorch sides of the benchmarks of trainings share: flax's parameters in layers, and a training under way.

It is PyTorch at its best without compilation: channels last, fused Adam, all cores, cuDNN's search and TF32 on.
"""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import torch
from torch import nn


def assigned(layer: Any, values: dict[str, Any]) -> Any:
    """A layer with flax's parameters: kernels `[h, w, in, out]` or `[in, out]`."""
    kernel = np.asarray(values["kernel"])
    order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.transpose(order).copy()))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(np.array(values["bias"])))
    return layer


class Training(abc.ABC):
    """A training under way; `play` of a subclass gives the loss of its `network` for its `batch`.

    Attributes:
      first_losses: Of the first two steps.

    Args:
      network: With the first parameters.
      batch: Field -> array.
      config: Of jaxstyle's task; Adam's settings are its.
    """

    def __init__(self, network: nn.Module, batch: dict[str, np.ndarray], config: Any):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.device, self.config = torch.device("cuda" if torch.cuda.is_available() else "cpu"), config
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        adam = config.optimizer
        parameters = self.network.parameters()
        self.mover = torch.optim.Adam(parameters, adam.learning_rate, (adam.b1, adam.b2), adam.eps, fused=True)
        self.batch = {name: torch.from_numpy(array).to(self.device) for name, array in batch.items()}
        self.first_losses = [self.update(), self.update()]

    @abc.abstractmethod
    def play(self) -> torch.Tensor:
        """The loss, with its graph."""

    def step(self) -> None:
        """An update, on the same examples every time."""
        self.mover.zero_grad(set_to_none=True)
        self.loss = self.play()
        self.loss.backward()
        self.mover.step()

    def update(self) -> float:
        """The loss of a step, which is taken."""
        self.step()
        return float(self.loss.detach())

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
