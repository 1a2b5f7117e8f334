"""CycleGAN's networks and its step in PyTorch, as junyanz/pytorch-CycleGAN-and-pix2pix has them, without the pool."""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_side import Training, assigned

OTHER = {"a": "b", "b": "a"}


def convolution(layer: dict[str, Any], transposed: bool = False, **options: Any) -> nn.Module:
    """A convolution with flax's parameters; without a bias where they have none."""
    _, _, inputs, features = layer["kernel"].shape
    if not transposed:
        size = layer["kernel"].shape[0]
        return assigned(nn.Conv2d(inputs, features, size, bias="bias" in layer, **options), layer)
    made = nn.ConvTranspose2d(inputs, features, 3, 2, 1, output_padding=1, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(layer["kernel"].transpose(2, 3, 0, 1).copy()))
    return made


def norm(layer: dict[str, Any]) -> nn.Module:
    """An instance normalisation with a scale and a shift of one style."""
    made = nn.InstanceNorm2d(layer["gamma"].shape[1], affine=True)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(layer["gamma"][0].copy()))
        made.bias.copy_(torch.from_numpy(layer["beta"][0].copy()))
    return made


class Block(nn.Module):
    """A residual block."""

    def __init__(self, first: dict[str, Any], second: dict[str, Any]):
        super().__init__()
        reflected = {"padding": 1, "padding_mode": "reflect"}
        layers = [convolution(first, **reflected), norm(first), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, convolution(second, **reflected), norm(second))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class Unit(nn.Module):
    """Pictures in [-1, 1] as those in [0, 1] that the first kernel is for; Adam moves a kernel by its own scale."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + 1) / 2


def generator(params: dict[str, Any]) -> nn.Module:
    """`jaxstyle.models.residual_generator.ResidualGenerator`, pictures in [-1, 1]."""
    first = params["contract1"]
    layers: list[nn.Module] = [Unit(), convolution(first, padding=3, padding_mode="reflect"), norm(first)]
    layers.append(nn.ReLU(inplace=True))
    for name in ("contract2", "contract3"):
        layers += [convolution(params[name], stride=2, padding=1), norm(params[name]), nn.ReLU(inplace=True)]
    for i in range(1, sum(bool(re.fullmatch(r"residual\d+_1", name)) for name in params) + 1):
        layers.append(Block(params[f"residual{i}_1"], params[f"residual{i}_2"]))
    for name in ("expand1", "expand2"):
        layers += [convolution(params[name], transposed=True), norm(params[name]), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, convolution(params["expand3"], padding=3, padding_mode="reflect"), nn.Tanh())


def discriminator(params: dict[str, Any]) -> nn.Module:
    """`jaxstyle.models.patch_discriminator.PatchDiscriminator`."""
    layers: list[nn.Module] = []
    for i in range(sum(name.startswith("Halve") for name in params)):
        layer = params[f"Halve_{i}"]
        layers.append(convolution(layer, stride=2, padding=1))
        layers += [nn.InstanceNorm2d(layer["kernel"].shape[-1])] if i else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    layer, last = params["Conv_0"], params["Conv_1"]
    layers += [convolution(layer, padding=1), nn.InstanceNorm2d(layer["kernel"].shape[-1])]
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True), convolution(last, padding=1))


class Peer(Training):
    """The same training under way; see `Training`. `play` is the generators' part of a step."""

    def __init__(self, params: dict[str, Any], batch: dict[str, Any], config: Any):
        adam = config.discriminator_optimizer
        self.judges = nn.ModuleDict({to: discriminator(params["discriminator"][to]) for to in "ab"})
        self.judges.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        betas = (adam.b1, adam.b2)
        self.judge_mover = torch.optim.Adam(self.judges.parameters(), adam.learning_rate, betas, adam.eps, fused=True)
        made = nn.ModuleDict({to: generator(params["generator"][to]) for to in "ab"})
        super().__init__(made, batch, config)

    def play(self) -> torch.Tensor:
        """Adversarial, cycle and identity losses; a generator's passes for the first and the last are one."""
        names = {"a": "image", "b": "image_b"}
        self.real = {to: self.batch[name].permute(0, 3, 1, 2).float() / 127.5 - 1 for to, name in names.items()}
        self.judges.requires_grad_(False)
        both = {to: self.network[to](torch.cat([self.real[OTHER[to]], self.real[to]])).chunk(2) for to in "ab"}
        self.fakes, total = {to: fake for to, (fake, _) in both.items()}, torch.zeros(())
        for to in "ab":
            fooled = (self.judges[to](self.fakes[to]) - 1).square().mean()
            back = F.l1_loss(self.network[to](self.fakes[OTHER[to]]), self.real[to])
            total = total + fooled + 10 * back + 5 * F.l1_loss(both[to][1], self.real[to])
        self.judges.requires_grad_(True)
        return total

    def step(self) -> None:
        """An update of the generators, and one of the discriminators on the same translations."""
        super().step()
        self.judge_mover.zero_grad(set_to_none=True)
        loss = torch.zeros(())
        for to in "ab":
            right, wrong = self.judges[to](torch.cat([self.real[to], self.fakes[to].detach()])).chunk(2)
            loss = loss + ((right - 1).square() + wrong.square()).mean() / 2
        loss.backward()
        self.judge_mover.step()
