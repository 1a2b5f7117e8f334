"""The peer of the style network's benchmark: the same network in PyTorch, channels last, in inference mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F


class Peer:
    """The network with given parameters, in one style, on given pictures.

    Args:
      params: By layer, as flax has them.
      pictures: `[N, H, W, 3]`.
      weights: `[1, S]`.
    """

    def __init__(self, params: dict[str, Any], pictures: np.ndarray, weights: np.ndarray):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.layers = {name: self.layer(leaves, weights) for name, leaves in params.items()}
        self.pictures = self.placed(pictures.transpose(0, 3, 1, 2))

    def placed(self, array: np.ndarray) -> torch.Tensor:
        """On the device, channels last where it has four axes."""
        tensor = torch.from_numpy(np.array(array)).to(self.device)
        return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    def layer(self, leaves: dict[str, Any], weights: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Kernel, scale and shift."""
        kernel = np.asarray(leaves["kernel"]).transpose(3, 2, 0, 1)
        return tuple(self.placed(x) for x in (kernel, (weights @ leaves["gamma"])[0], (weights @ leaves["beta"])[0]))

    def apply(self, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        """A convolution and its normalisation."""
        kernel, scale, shift = self.layers[name]
        reach = kernel.shape[-1] // 2
        x = F.conv2d(F.pad(x, (reach,) * 4, mode="reflect"), kernel, stride=stride)
        return F.instance_norm(x, weight=scale, bias=shift, eps=1e-5)

    @torch.inference_mode()
    def step(self) -> None:
        """A pass."""
        x = self.pictures
        for number, stride in ((1, 1), (2, 2), (3, 2)):
            x = self.apply(f"contract{number}", x, stride).relu_()
        for number in range(1, sum(name.startswith("residual") for name in self.layers) // 2 + 1):
            y = self.apply(f"residual{number}_1", x).relu_()
            x = x + self.apply(f"residual{number}_2", y)
        for number in (1, 2):
            x = self.apply(f"expand{number}", F.interpolate(x, scale_factor=2, mode="nearest")).relu_()
        self.made = self.apply("expand3", x).sigmoid_()

    def picture(self) -> np.ndarray:
        """What was made, `[N, H, W, 3]`."""
        return self.made.cpu().numpy().transpose(0, 2, 3, 1)

    def wait(self) -> None:
        """Returns when the pass is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
