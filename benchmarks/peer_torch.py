"""The peer: a plain PyTorch stylisation loop, written for this benchmark, of the same loss as jaxstyle's.

It is PyTorch at its best without compilation: channels-last convolutions, in-place ReLU, moments as one matrix
product of a view, all cores, cuDNN's search and TF32 on. Wasserstein-2 is crowsonkb/style-transfer-pytorch's
formulation: the root of the covariance by twelve Newton-Schulz iterations, its gradient by twelve more of the
Lyapunov equation. Nothing is fetched from the device between steps.

References:
  Lin & Maji 2017, "Improved Bilinear Pooling with CNNs" (arXiv 1707.06772), section 3.
  Li, Xie, Wang & Gao 2018, "Towards Faster Training of Global Covariance Pooling Networks" (arXiv 1712.01034).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from case import (
    AVERAGE_DECAY,
    BETAS,
    CONTENT,
    CONTENT_LAYERS,
    CONTENT_WEIGHT,
    LEARNING_RATE,
    MEAN,
    START,
    STD,
    STYLE,
    STYLE_LAYERS,
    STYLE_WEIGHTS,
    TV_WEIGHT,
    Case,
    convolutions,
    network_weights,
    picture,
)

Root = Callable[[torch.Tensor], torch.Tensor]

ITERATIONS = 12  # of Newton-Schulz, forwards and backwards
EPSILON = 1e-4  # added to the diagonal of a covariance


class NewtonSchulzRoot(torch.autograd.Function):
    """Square root of a symmetric positive matrix by coupled Newton-Schulz (Li et al. 2018, eq. 3)."""

    @staticmethod
    def forward(ctx, matrix):
        norm = torch.linalg.matrix_norm(matrix)
        three = 3 * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        root, inverse = matrix / norm, three / 3
        for _ in range(ITERATIONS):
            step = (three - inverse @ root) / 2
            root, inverse = root @ step, step @ inverse
        root = root * norm.sqrt()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx, cotangent):
        """Solves `root X + X root = cotangent` by iterating the sign function (Lin & Maji 2017, eq. 9 and 10)."""
        (root,) = ctx.saved_tensors
        norm = torch.linalg.matrix_norm(root)
        three = 3 * torch.eye(len(root), dtype=root.dtype, device=root.device)
        root, solution = root / norm, cotangent / norm
        for i in range(ITERATIONS):
            rest = three - root @ root
            commutator = root.T @ solution - solution @ root
            solution = (solution @ rest - root.T @ commutator) / 2
            if i < ITERATIONS - 1:
                root = root @ rest / 2
        return solution / 2


def exact_root(matrix: torch.Tensor) -> torch.Tensor:
    """The same root from eigenvalues, in float64: only to check that both sides mean the same loss."""
    values, vectors = torch.linalg.eigh(matrix.double())
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


class Network:
    """VGG-19 from NumPy kernels `[3, 3, in, out]`, returning the asked-for ReLUs."""

    def __init__(self, dtype: torch.dtype, device: torch.device):
        self.layers = []
        for (name, *_), leaves in zip(convolutions(), network_weights().values(), strict=True):
            kernel = torch.from_numpy(leaves["kernel"].transpose(3, 2, 0, 1).copy()).to(device, dtype)
            bias = torch.from_numpy(leaves["bias"]).to(device, dtype)
            self.layers.append((name, kernel.contiguous(memory_format=torch.channels_last), bias))
        self.dtype = dtype
        self.mean, self.std = (torch.tensor(v, device=device, dtype=dtype).view(1, 3, 1, 1) for v in (MEAN, STD))

    def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        x, seen = (image.to(self.dtype) - self.mean) / self.std, {}
        for name, kernel, bias in self.layers:
            if name == "conv1_1":  # the frame of the picture shall not read as an edge
                x = F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), kernel, bias)
            else:
                x = F.max_pool2d(x, 2) if name.endswith("_1") else x
                x = F.conv2d(x, kernel, bias, padding=1)
            x = seen[name.replace("conv", "relu")] = F.relu_(x)
        return seen


def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean `[C]` and raw second moment `[C, C]` of `[1, C, h, w]` over positions, in float32."""
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).float()  # a view: features are channels last
    return rows.mean(0), rows.T @ rows / len(rows)


def covariance(mean: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Centred second moment plus `EPSILON` on the diagonal."""
    return second - torch.outer(mean, mean) + EPSILON * torch.eye(len(mean), device=mean.device)


def total_variation(image: torch.Tensor) -> torch.Tensor:
    """Mean squared differences over nine points, straight ones weighing 2/3 and diagonal ones 1/6."""
    x = F.pad(image, (1, 1, 1, 1), "replicate")
    inner = x[..., 1:-1, 1:-1]
    straight = (x[..., 1:-1, 2:] - inner).square().mean() + (x[..., 2:, 1:-1] - inner).square().mean()
    falling, rising = x[..., 1:, 1:] - x[..., :-1, :-1], x[..., 1:, :-1] - x[..., :-1, 1:]
    return straight * (2 / 3) + (falling.square().mean() + rising.square().mean()) / 6


class StyleTarget:
    """The moments of one layer of the style, divided by its root mean square, and the distance to them."""

    def __init__(self, features: torch.Tensor, loss: str):
        mean, second = moments(features)
        self.energy = second.diagonal().mean()
        self.mean, self.second = mean / self.energy.sqrt(), second / self.energy
        self.wasserstein = loss == "wasserstein"
        if self.wasserstein:
            self.covariance = covariance(self.mean, self.second)
            self.roots = {root: root(self.covariance) for root in (NewtonSchulzRoot.apply, exact_root)}

    def distance(self, features: torch.Tensor, root: Root) -> torch.Tensor:
        mean, second = moments(features)
        mean, second = mean / self.energy.sqrt(), second / self.energy
        if not self.wasserstein:
            return (second - self.second).square().mean()
        cov = covariance(mean, second)
        target_root = self.roots[root]
        cross = root(target_root @ cov.to(target_root.dtype) @ target_root)
        return (mean - self.mean).square().mean() + (self.covariance + cov - 2 * cross).diagonal().mean()


class Peer:
    """A stylisation under way.

    Attributes:
      first_loss: The loss of the picture started from, with exact roots.
      approximate_loss: The same with the twelve iterations that its steps take.
      device: Where it runs: the first GPU if there is one.
    """

    def __init__(self, case: Case):
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = Network(getattr(torch, case.dtype), self.device)
        content, style, self.image = (self.load(picture(case.size, seed)) for seed in (CONTENT, STYLE, START))
        with torch.no_grad():
            self.content = {layer: self.network(content)[layer].float() for layer in CONTENT_LAYERS}
            seen = self.network(style)
            self.styles = {layer: StyleTarget(seen[layer], case.loss) for layer in STYLE_LAYERS}
        self.average = torch.zeros_like(self.image)
        self.image.requires_grad_()
        self.optimizer = torch.optim.Adam([self.image], lr=LEARNING_RATE, betas=BETAS)
        with torch.no_grad():
            self.first_loss = float(self.loss(exact_root))
            self.approximate_loss = float(self.loss())

    def load(self, image: np.ndarray) -> torch.Tensor:
        """`[H, W, 3]` as `[1, 3, H, W]`, channels last, on the device."""
        tensor = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).to(self.device)
        return tensor.contiguous(memory_format=torch.channels_last)

    def loss(self, root: Root = NewtonSchulzRoot.apply) -> torch.Tensor:
        """The loss of the picture as it is now, as `PerceptualLoss` defines it."""
        seen = self.network(self.image)
        total = TV_WEIGHT * total_variation(self.image)
        for layer, target in self.content.items():
            energy = target.square().mean()
            distance = (seen[layer].float() - target).square().mean() / energy
            total = total + CONTENT_WEIGHT / len(CONTENT_LAYERS) * distance
        for layer, weight in zip(STYLE_LAYERS, STYLE_WEIGHTS, strict=True):
            total = total + weight * self.styles[layer].distance(seen[layer], root)
        return total

    def step(self) -> None:
        """One iteration: gradient, Adam, clamp, average over iterates."""
        self.optimizer.zero_grad()
        self.loss().backward()
        self.optimizer.step()
        with torch.no_grad():
            self.image.clamp_(0, 1)
            self.average.mul_(AVERAGE_DECAY).add_(self.image, alpha=1 - AVERAGE_DECAY)

    def wait(self) -> None:
        """Returns when the device has done everything asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def device_memory(self) -> int | None:
        """Most bytes ever held on the GPU, None on CPU."""
        return torch.cuda.max_memory_allocated() if self.device.type == "cuda" else None
