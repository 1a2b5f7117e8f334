"""The ConvLSTM forecaster in PyTorch: one convolution a cell and step for all gates."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_side import Training, assigned


def convolution(layer: dict[str, Any]) -> nn.Conv2d:
    """One that keeps the size of its maps."""
    side, _, inputs, outputs = layer["kernel"].shape
    return assigned(nn.Conv2d(inputs, outputs, side, padding=side // 2), layer)


class Stack(nn.Module):
    """`jaxstyle.models.forecaster.Stack` of ConvLSTM cells: one step of time."""

    def __init__(self, params: dict[str, Any]):
        super().__init__()
        names = sorted(name for name in params if name.startswith("cells_"))
        self.gates = nn.ModuleList([convolution(params[name]["gates"]) for name in names])
        self.readout = convolution(params["readout"])

    def forward(self, states: list[Any], x: torch.Tensor) -> tuple[list[Any], torch.Tensor]:
        moved = []
        for gates, (cell, hidden) in zip(self.gates, states, strict=True):
            enter, forget, change, leave = gates(torch.cat([x, hidden], 1)).chunk(4, 1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(change)
            x = torch.sigmoid(leave) * torch.tanh(cell)
            moved.append((cell, x))
        return moved, self.readout(x)

    def first(self, like: torch.Tensor) -> list[Any]:
        """Zero states for patches `[N, P, h, w]`."""
        zeros = [
            like.new_zeros(len(like), gates.out_channels // 4, *like.shape[2:]).to(memory_format=torch.channels_last)
            for gates in self.gates
        ]
        return [(zero, zero) for zero in zeros]


class Peer(Training):
    """The same training; see `Training`."""

    def __init__(self, params: dict[str, Any], batch: dict[str, Any], config: Any):
        self.inputs, self.patch = config.model.inputs, config.model.patch
        super().__init__(Stack(params["forecaster"]["encoder"]), batch, config)

    def patches(self) -> list[torch.Tensor]:
        """The clips' frames as patches `[N, P, h, w]`, channels last, in jaxstyle's order of pixels."""
        count, frames, height, width, channels = self.batch["video"].shape
        h, w, side = height // self.patch, width // self.patch, self.patch
        parts = (self.batch["video"].float() / 255).view(count, frames, h, side, w, side, channels)
        parts = parts.permute(1, 0, 2, 4, 3, 5, 6).reshape(frames, count, h, w, -1)
        return list(parts.permute(0, 1, 4, 2, 3))

    def play(self) -> torch.Tensor:
        """The binary cross entropies of past and future frames."""
        frames = self.patches()
        states, seen = self.network.first(frames[0]), []
        for number in range(len(frames) - 1):
            given = frames[number] if number < self.inputs else torch.sigmoid(seen[-1])
            states, logits = self.network(states, given)
            seen.append(logits)
        costs = [
            F.binary_cross_entropy_with_logits(logits, frame, reduction="sum") / len(frame)
            for logits, frame in zip(seen, frames[1:], strict=True)
        ]
        past = self.inputs - 1
        return sum(costs[:past]) / past + sum(costs[past:]) / (len(costs) - past)
