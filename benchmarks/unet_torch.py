"""The U-Net and its losses in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_side import Training, assigned


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


class Peer(Training):
    """The same training; see `Training`."""

    def __init__(self, params: dict[str, Any], batch: dict[str, Any], config: Any):
        super().__init__(UNet(params), batch, config)

    def play(self) -> torch.Tensor:
        """Cross entropy and Dice loss."""
        pictures = self.batch["image"].permute(0, 3, 1, 2).float() / 127.5 - 1  # channels last
        labels = self.batch["mask"].long()
        truth = F.one_hot(labels, 2).permute(0, 3, 1, 2).float()
        logits = self.network(pictures)
        return F.cross_entropy(logits, labels) + dice_loss(logits, truth)
