"""Class labels and InfoGAN codes: how a discriminator's logits depend on them, and how codes are sampled.

How labels and noise condition a generator's layers is in `normalization.BatchNorm`.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr

Modulators = tuple[jax.Array | None, jax.Array | None]
"""Labels or codes `[N]` and noise `[N, Z]` that a generator's batch normalisations are conditioned on; None: not."""


class LogitsHead(nn.Module):
    """The last layer of a discriminator: a linear map to one logit, plus a projection on the label's embedding.

    With codes, a second linear map predicts the code of a generated picture; its logits `[N, codes]` are put into the
    collection `codes`.

    Attributes:
      classes: Number of labels; 0 for none.
      codes: Number of codes; 0 for none.
      kernel_init: Initialiser of all kernels.
      bias: Whether the logit has one; a loss of differences of logits gives it no gradient.
      dtype: Dtype of the computation; the logits are float32.

    References:
      Miyato & Koyama 2018, "cGANs with Projection Discriminator", eq. 3; codes: Chen et al. 2016, "InfoGAN", section 6.
    """

    classes: int = 0
    codes: int = 0
    kernel_init: Any = nn.initializers.lecun_normal()
    dtype: Any = jnp.float32
    bias: bool = True

    @nn.compact
    def __call__(self, features: jax.Array, labels: jax.Array | None) -> jax.Array:
        """Features `[N, ...]` and labels `[N]` -> logits `[N]` float32."""
        flat = features.reshape(features.shape[0], -1).astype(self.dtype)
        dense = nn.Dense(1, self.bias, self.dtype, kernel_init=self.kernel_init)
        logits = dense(flat)[:, 0].astype(jnp.float32)
        if self.classes:
            embed = nn.Embed(self.classes, flat.shape[-1], embedding_init=self.kernel_init, dtype=self.dtype)
            logits += jnp.sum((flat * embed(labels)).astype(jnp.float32), -1)
        if self.codes:  # "guess" is the layer's name in saved checkpoints
            code_logits = nn.Dense(self.codes, kernel_init=self.kernel_init, dtype=self.dtype, name="guess")(flat)
            self.sow("codes", "logits", code_logits.astype(jnp.float32))
        return logits


def sample_codes(noise: jax.Array, probabilities: jax.Array) -> jax.Array:
    """Samples a code for each noise vector, as a function of the noise, by the Gumbel-max trick.

    The first K numbers of the noise are transformed to Gumbel variables; the largest sum of one and its code's log
    probability is at each code with that code's probability (Gumbel 1954). For equal probabilities it is at the
    largest of the K numbers.

    Args:
      noise: `[N, Z]`, standard normal; Z at least K.
      probabilities: `[K]`, non-negative, of sum 1.

    Returns:
      `[N]` int32 in [0, K).
    """
    gumbel = -jnp.log(-log_ndtr(noise[:, : len(probabilities)]))
    return jnp.argmax(gumbel + jnp.log(probabilities)[None], -1).astype(jnp.int32)
