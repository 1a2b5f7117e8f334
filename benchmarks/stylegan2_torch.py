"""StyleGAN 2's networks and their step in PyTorch: non-saturating losses, R1 at every fourth picture."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch_side import Training, assigned

from jaxstyle.models.stylegan2 import MAPPING_RATE, noise_maps
from jaxstyle.ops.modulation import EPSILON
from jaxstyle.tasks.gan_networks import LATENTS


def activated(x: torch.Tensor) -> torch.Tensor:
    """Leaky ReLU that keeps the mean square."""
    return F.leaky_relu(x, 0.2) * 2**0.5


def resized(x: torch.Tensor, scale: float) -> torch.Tensor:
    """Bilinear, antialiased where it shrinks."""
    return F.interpolate(x, scale_factor=scale, mode="bilinear", antialias=scale < 1)


class Dense(nn.Module):
    """`jaxstyle.ops.modulation.EqualDense`."""

    def __init__(self, values: dict[str, Any], rate: float = 1.0):
        super().__init__()
        self.layer = assigned(nn.Linear(*values["kernel"].shape), values)
        self.scale, self.rate = rate * self.layer.in_features**-0.5, rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.layer.weight * self.scale, self.layer.bias * self.rate)


class Conv(nn.Module):
    """`jaxstyle.ops.modulation.EqualConv`."""

    def __init__(self, values: dict[str, Any]):
        super().__init__()
        side, _, inputs, features = values["kernel"].shape
        self.layer = assigned(nn.Conv2d(inputs, features, side, bias="bias" in values), values)
        self.scale, self.padding = (side * side * inputs) ** -0.5, side // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.layer.weight * self.scale, self.layer.bias, padding=self.padding)


class Modulated(nn.Module):
    """`jaxstyle.ops.modulation.ModulatedConv`, by one kernel for all examples, too."""

    def __init__(self, values: dict[str, Any]):
        super().__init__()
        self.style, self.conv = Dense(values["style"]), Conv(values)
        self.strength = nn.Parameter(torch.tensor(float(values["strength"]))) if "strength" in values else None

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        style, kernel = self.style(w), self.conv.layer.weight * self.conv.scale
        y = F.conv2d(x * style[..., None, None], kernel, padding=self.conv.padding)
        if noise is not None:  # layers with noise are demodulated
            squares = style.square() @ kernel.square().sum((2, 3)).T
            y = y * torch.rsqrt(squares + EPSILON)[..., None, None] + self.strength * noise
        return y + self.conv.layer.bias[:, None, None]


class Generator(nn.Module):
    """`jaxstyle.models.stylegan2.Generator`; the noise of its layers is given."""

    def __init__(self, params: dict[str, Any]):
        super().__init__()
        layers = [params["mapping"][f"dense{i}"] for i in range(len(params["mapping"]))]
        self.mapping = nn.ModuleList([Dense(values, MAPPING_RATE) for values in layers])
        self.start = nn.Parameter(torch.from_numpy(params["start"].transpose(2, 0, 1).copy())[None])
        self.levels = sum(name.startswith("picture") for name in params)
        self.layers = nn.ModuleDict({k: Modulated(v) for k, v in params.items() if k.startswith(("conv", "picture"))})

    def forward(self, z: torch.Tensor, noise: dict[str, torch.Tensor]) -> torch.Tensor:
        w = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + EPSILON)
        for layer in self.mapping:
            w = activated(layer(w))
        x, picture = self.start.expand(len(z), -1, -1, -1), torch.zeros(())
        for level in range(self.levels):
            for name in [f"conv{level}_{place}" for place in ((0, 1) if level else (1,))]:
                x = resized(x, 2) if name.endswith("_0") else x
                x = activated(self.layers[name](x, w, noise[name]))
            own = self.layers[f"picture{level}"](x, w)
            picture = own + (resized(picture, 2) if level else 0)
        return picture


class Discriminator(nn.Module):
    """`jaxstyle.models.stylegan2.Discriminator`."""

    def __init__(self, params: dict[str, Any]):
        super().__init__()
        self.levels = sum(name.startswith("short") for name in params)
        convolutions = ("conv", "short", "enter", "last")
        self.layers = nn.ModuleDict({k: Conv(v) for k, v in params.items() if k.startswith(convolutions)})
        self.dense, head = Dense(params["dense"]), params["head"]["Dense_0"]
        self.head = assigned(nn.Linear(len(head["kernel"]), 1), head)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = activated(self.layers["enter"](x))
        for level in range(1, self.levels + 1):
            y = resized(activated(self.layers[f"conv{level}_0"](x)), 0.5)
            short = self.layers[f"short{level}"](resized(x, 0.5))
            x = (activated(self.layers[f"conv{level}_1"](y)) + short) * 0.5**0.5
        spread = (x.square().mean(0) - x.mean(0).square()).clamp(min=0).add(EPSILON).sqrt().mean()
        x = activated(self.layers["last"](torch.cat([x, spread.expand(len(x), 1, *x.shape[2:])], 1)))
        x = activated(self.dense(x.permute(0, 2, 3, 1).reshape(len(x), -1)))
        return self.head(x)[:, 0]


class Peer(Training):
    """The same training under way; see `Training`. `play` is the discriminator's part of a step."""

    def __init__(self, params: dict[str, Any], batch: dict[str, Any], config: Any):
        adam, self.number = config.optimizer, 0
        self.generator = Generator(params["generator"])
        self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.sizes = {k: 4 << int(k[4:].split("_")[0]) for k in params["generator"] if k.startswith("conv")}
        betas = (adam.b1, adam.b2)
        self.generator_mover = torch.optim.Adam(
            self.generator.parameters(), adam.learning_rate, betas, adam.eps, fused=True
        )
        super().__init__(Discriminator(params["discriminator"]), batch, config)

    def drawn(self) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Latents and noise of a step; of the first two those of jaxstyle, so that losses are equal."""
        count, width = len(self.batch["image"]), self.config.model.latents
        if self.number > 1:
            maps = {name: torch.randn(count, 1, side, side) for name, side in self.sizes.items()}
            return torch.randn(count, width), maps
        first = jax.random.fold_in(jax.random.key(1), self.number)
        keys = jax.vmap(lambda place: jax.random.fold_in(jax.random.fold_in(first, place), LATENTS))(np.arange(count))
        z = jax.vmap(lambda key: jax.random.normal(key, (width,)))(keys)
        places = {name: tuple(map(int, name[4:].split("_"))) for name in self.sizes}
        maps = {k: noise_maps(z, 2 * level + place, (self.sizes[k],) * 2, True) for k, (level, place) in places.items()}
        noise = {name: torch.from_numpy(np.array(leaf)).permute(0, 3, 1, 2) for name, leaf in maps.items()}
        return torch.from_numpy(np.array(z)), noise

    def play(self) -> torch.Tensor:
        """The discriminator's loss with its penalty."""
        z, noise = self.drawn()
        self.number += 1
        self.fake = self.generator(z, noise)
        real = self.batch["image"].permute(0, 3, 1, 2).float() / 127.5 - 1
        loss = (F.softplus(-self.network(real)) + F.softplus(self.network(self.fake.detach()))).mean()
        few = real[:: self.config.model.penalty_every].clone().requires_grad_()
        (slopes,) = torch.autograd.grad(self.network(few).sum(), few, create_graph=True)
        return loss + self.config.model.r1 * slopes.square().sum((1, 2, 3)).mean() / 2

    def step(self) -> None:
        """An update of the discriminator, and one of the generator on the same pictures."""
        super().step()
        self.network.requires_grad_(False)
        self.generator_mover.zero_grad(set_to_none=True)
        F.softplus(-self.network(self.fake)).mean().backward()
        self.generator_mover.step()
        self.network.requires_grad_(True)
