"""The peer of the DCGAN benchmark: the same networks and the same step in PyTorch.

It is PyTorch at its best without compilation: channels last, fused Adam, activations in place, no gradients of the
discriminator's parameters in the generator's update, fakes used twice, all cores, cuDNN's search and TF32 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from dcgan_ours import Start
from torch import nn
from torch_side import assigned


class Square(nn.Module):
    """`[N, 4 · 4 · C]` as a picture `[N, C, 4, 4]`, a view in channels last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(len(x), 4, 4, -1).permute(0, 3, 1, 2)


class Flat(nn.Module):
    """The other way round."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).reshape(len(x), -1)


def generator(params: dict[str, Any]) -> nn.Module:
    """`jaxstyle.models.dcgan.Generator`."""
    dense = params["Dense_0"]
    layers: list[nn.Module] = [assigned(nn.Linear(*dense["kernel"].shape, bias=False), dense), Square()]
    doubles = [params[f"Double_{i}"] for i in range(sum(name.startswith("Double") for name in params))]
    for i, layer in enumerate(doubles):
        _, _, features, inputs = layer["kernel"].shape
        last = i == len(doubles) - 1
        layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
        layers.append(assigned(nn.ConvTranspose2d(inputs, features, 4, 2, 1, bias=last), layer))
    return nn.Sequential(*layers, nn.Tanh())


def discriminator(params: dict[str, Any]) -> nn.Module:
    """`jaxstyle.models.dcgan.Discriminator` with batch normalisation."""
    layers: list[nn.Module] = []
    for i in range(sum(name.startswith("Halve") for name in params)):
        layer = params[f"Halve_{i}"]
        _, _, inputs, features = layer["kernel"].shape
        layers.append(assigned(nn.Conv2d(inputs, features, 4, 2, 1, bias=i == 0), layer))
        layers += [nn.BatchNorm2d(features)] if i else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    verdict = params["Verdict_0"]["Dense_0"]
    return nn.Sequential(*layers, Flat(), assigned(nn.Linear(len(verdict["kernel"]), 1), verdict))


class Peer:
    """The same training under way.

    Attributes:
      first_losses: The discriminator's and the generator's of the first step.
    """

    def __init__(self, start: Start):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        players = generator(start.params["generator"]), discriminator(start.params["discriminator"])
        self.generator, self.discriminator = (
            player.to(self.device, memory_format=torch.channels_last) for player in players
        )
        self.movers = [
            torch.optim.Adam(player.parameters(), start.learning_rate, start.betas, fused=True)
            for player in (self.generator, self.discriminator)
        ]
        self.images = torch.from_numpy(start.images).to(self.device)
        self.noise_shape = start.noise.shape
        losses = self.play(torch.from_numpy(np.array(start.noise)).to(self.device))
        self.first_losses = tuple(float(loss) for loss in losses)

    def play(self, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both updates; the two losses."""
        move_generator, move_discriminator = self.movers
        real = self.images.permute(0, 3, 1, 2).float() / 127.5 - 1  # channels last
        fake = self.generator(noise)
        move_discriminator.zero_grad()
        loss = (F.softplus(-self.discriminator(real)) + F.softplus(self.discriminator(fake.detach()))).mean()
        loss.backward()
        move_discriminator.step()
        self.discriminator.requires_grad_(False)
        move_generator.zero_grad()
        generator_loss = F.softplus(-self.discriminator(fake)).mean()
        generator_loss.backward()
        move_generator.step()
        self.discriminator.requires_grad_(True)
        return loss.detach(), generator_loss.detach()

    def step(self) -> None:
        """Both updates, on the same pictures every time and fresh noise."""
        self.play(torch.randn(self.noise_shape, device=self.device))

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
