"""The peer of the U-Net benchmark: the same network with the same parameters in plain PyTorch, channels last."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def assigned(layer: Any, values: dict[str, np.ndarray]) -> Any:
    """A convolution with flax's parameters `[h, w, inputs, outputs]`, which PyTorch has the other way round."""
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(values["kernel"].transpose(3, 2, 0, 1).copy()))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(values["bias"].copy()))
    return layer


def pair(params: dict[str, Any]) -> nn.Module:
    """`jaxstyle.models.unet.Pair`."""
    layers: list[nn.Module] = []
    for i in range(2):
        layer = params[f"Conv_{i}"]
        _, _, inputs, features = layer["kernel"].shape
        layers.append(assigned(nn.Conv2d(inputs, features, 3, 1, 1, bias=False), layer))
        layers += [nn.BatchNorm2d(features), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """`jaxstyle.models.unet.UNet`, for sides that can be halved."""

    def __init__(self, params: dict[str, Any]):
        super().__init__()
        levels = range(sum(name.startswith("down") for name in params))
        self.down = nn.ModuleList(pair(params[f"down{level}"]) for level in levels)
        self.bottom = pair(params["bottom"])
        self.doubles = nn.ModuleList(self.doubling(params[f"double{level}"]) for level in levels)
        self.up = nn.ModuleList(pair(params[f"up{level}"]) for level in levels)
        last = params["logits"]
        values = {"kernel": last["kernel"][None, None], "bias": last["bias"]}
        self.logits = assigned(nn.Conv2d(*last["kernel"].shape, 1), values)

    @staticmethod
    def doubling(layer: dict[str, Any]) -> nn.Module:
        """The paper's up-convolution, which jaxstyle has as a dense layer `[C, 2 · 2 · D]` and a rearrangement."""
        kernel = layer["kernel"].reshape(len(layer["kernel"]), 2, 2, -1)
        made = nn.ConvTranspose2d(len(kernel), kernel.shape[-1], 2, 2, bias=False)
        with torch.no_grad():
            made.weight.copy_(torch.from_numpy(kernel.transpose(0, 3, 1, 2).copy()))
        return made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[N, 3, H, W]` -> logits `[N, classes, H, W]`."""
        beside = []
        for down in self.down:
            x = down(x)
            beside.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for double, up, skipped in zip(self.doubles[::-1], self.up[::-1], beside[::-1], strict=True):
            x = up(torch.cat([skipped, double(x)], 1))
        return self.logits(x)


def dice_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """`jaxstyle.losses.segmentation.dice_loss`, mean over the batch; `truth` is one-hot, both `[N, C, H, W]`."""
    probabilities = logits.softmax(1)
    both, either = (probabilities * truth).sum((2, 3)), (probabilities + truth).sum((2, 3))
    return 1 - ((2 * both + 1) / (either + 1)).mean()


class Peer:
    """The same training under way.

    Attributes:
      first_losses: Of the first two steps.

    Args:
      params: As flax has them.
      examples: `image` `[N, H, W, 3]` uint8 and `mask` `[N, H, W]` uint8, 0 or 1.
      learning_rate: Of Adam.
    """

    def __init__(self, params: dict[str, Any], examples: dict[str, np.ndarray], learning_rate: float):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net = UNet(params).to(self.device, memory_format=torch.channels_last)
        self.mover = torch.optim.Adam(self.net.parameters(), learning_rate, fused=True)
        self.images = torch.from_numpy(examples["image"]).to(self.device)
        self.masks = torch.from_numpy(examples["mask"]).to(self.device)
        self.first_losses = [float(self.play()), float(self.play())]

    def play(self) -> torch.Tensor:
        """An update; its loss."""
        pictures = self.images.permute(0, 3, 1, 2).float() / 127.5 - 1  # channels last
        labels = self.masks.long()
        truth = F.one_hot(labels, 2).permute(0, 3, 1, 2).float()
        self.mover.zero_grad()
        logits = self.net(pictures)
        loss = F.cross_entropy(logits, labels) + dice_loss(logits, truth)
        loss.backward()
        self.mover.step()
        return loss.detach()

    def step(self) -> None:
        """An update, on the same pictures every time."""
        self.play()

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
