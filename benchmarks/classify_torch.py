"""The classifiers in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_side import Training, assigned


def convolution(layer: dict[str, Any], stride: int = 1) -> nn.Module:
    """A 3×3 convolution padded as XLA's "SAME" pads even sides: with stride 2 only below and to the right."""
    _, _, inputs, features = layer["kernel"].shape
    module = assigned(nn.Conv2d(inputs, features, 3, stride, 0 if stride == 2 else 1, bias="bias" in layer), layer)
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), module) if stride == 2 else module


class SmallCNN(nn.Module):
    """`jaxstyle.models.cnn.SmallCNN`."""

    def __init__(self, params: dict[str, Any]):
        super().__init__()
        self.convolutions = nn.ModuleList([convolution(params[f"Conv_{i}"]) for i in range(3)])
        self.dense = nn.ModuleList(
            [assigned(nn.Linear(*params[f"Dense_{i}"]["kernel"].shape), params[f"Dense_{i}"]) for i in range(2)]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, layer in enumerate(self.convolutions):
            x = F.relu(layer(x))
            x = F.max_pool2d(x, 2) if i < 2 else x
        x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
        return self.dense[1](F.relu(self.dense[0](x)))


class Normed(nn.Module):
    """A convolution and batch normalisation."""

    def __init__(self, layer: dict[str, Any], stride: int = 1):
        super().__init__()
        self.convolution = convolution(layer["Conv_0"], stride)
        self.norm = nn.BatchNorm2d(layer["Conv_0"]["kernel"].shape[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(x))


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, layers: dict[str, Any], halves: bool):
        super().__init__()
        self.halves = halves
        self.first, self.second = Normed(layers["Normed_0"], 2 if halves else 1), Normed(layers["Normed_1"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(F.relu(self.first(x), inplace=True))
        if self.halves:
            x = F.avg_pool2d(x, 2)
            x = F.pad(x, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))
        return F.relu(y + x, inplace=True)


class ResNet(nn.Module):
    """`jaxstyle.models.resnet.ResNet`."""

    def __init__(self, params: dict[str, Any]):
        super().__init__()
        self.stem = Normed(params["Normed_0"])
        names = sorted(name for name in params if name.startswith("stage"))
        halves = [name.endswith("_block1") and not name.startswith("stage1") for name in names]
        self.blocks = nn.Sequential(*(Block(params[n], h) for n, h in zip(names, halves, strict=True)))
        self.dense = assigned(nn.Linear(*params["Dense_0"]["kernel"].shape), params["Dense_0"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class Peer(Training):
    """The same training; see `Training`."""

    def __init__(self, params: dict[str, Any], batch: dict[str, Any], config: Any):
        super().__init__({"cnn": SmallCNN, "resnet": ResNet}[config.model.name](params), batch, config)

    def play(self) -> torch.Tensor:
        """The cross entropy."""
        images = self.batch["image"].permute(0, 3, 1, 2).float() / 127.5 - 1
        return F.cross_entropy(self.network(images), self.batch["label"].long())
