"""The peer of the ConvLSTM benchmark: the same network and the same step in PyTorch.

It is PyTorch at its best without compilation: channels last, fused Adam, one convolution a cell and step for all
gates, all cores, cuDNN's search and TF32 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from conv_lstm_ours import Start
from torch import nn


def convolution(layer: dict[str, Any]) -> nn.Conv2d:
    """A convolution with flax's parameters, whose kernels are `[h, w, in, out]`."""
    kernel = np.asarray(layer["kernel"])
    side, _, inputs, outputs = kernel.shape
    module = nn.Conv2d(inputs, outputs, side, padding=side // 2)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
        module.bias.copy_(torch.from_numpy(np.array(layer["bias"])))
    return module


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


class Peer:
    """The same training under way.

    Attributes:
      first_losses: Of the first two steps.
    """

    def __init__(self, start: Start):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.stack = Stack(start.params).to(self.device, memory_format=torch.channels_last)
        self.mover = torch.optim.Adam(self.stack.parameters(), start.learning_rate, start.betas, fused=True)
        self.video, self.inputs, self.patch = torch.from_numpy(start.video).to(self.device), start.inputs, start.patch
        self.first_losses = self.play().item(), self.play().item()

    def patches(self) -> list[torch.Tensor]:
        """The clips' frames as patches `[N, P, h, w]`, channels last, in jaxstyle's order of pixels."""
        count, frames, height, width, channels = self.video.shape
        h, w, side = height // self.patch, width // self.patch, self.patch
        parts = (self.video.float() / 255).view(count, frames, h, side, w, side, channels)
        parts = parts.permute(1, 0, 2, 4, 3, 5, 6).reshape(frames, count, h, w, -1)
        return list(parts.permute(0, 1, 4, 2, 3))

    def play(self) -> torch.Tensor:
        """The update; its loss."""
        frames = self.patches()
        states, seen = self.stack.first(frames[0]), []
        self.mover.zero_grad()
        for number in range(len(frames) - 1):
            given = frames[number] if number < self.inputs else torch.sigmoid(seen[-1])
            states, logits = self.stack(states, given)
            seen.append(logits)
        costs = [
            F.binary_cross_entropy_with_logits(logits, frame, reduction="sum") / len(frame)
            for logits, frame in zip(seen, frames[1:], strict=True)
        ]
        past = self.inputs - 1
        loss = sum(costs[:past]) / past + sum(costs[past:]) / (len(costs) - past)
        loss.backward()
        self.mover.step()
        return loss.detach()

    def step(self) -> None:
        """A step on the same clips every time."""
        self.play()

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
