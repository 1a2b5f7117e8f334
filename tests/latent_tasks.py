"""Generators whose pictures are their latents."""

import types

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError


class Latents:
    """A task whose pictures are its latents, one pixel a number, scaled by the state."""

    latents = 50

    def decode(self, state, latents, labels):
        return state * latents.reshape(-1, 5, 10, 1) + (0.5 if labels is None else labels.reshape(-1, 1, 1, 1) / 10)

    def sample(self, state, key, count, labels=None):
        return self.decode(state, jax.random.normal(key, (count, 50)), labels)


class Styled(Latents):
    """Styles are the latents scaled, for two layers: of the left half of a picture and of the right; classes shift."""

    def truncated(self, share):
        return self

    def styles(self, state, latents, labels):
        values = state * latents + labels[:, None] / 100
        return jnp.stack([values, values], 1)

    def decode_styles(self, state, styles):
        both = styles.reshape(-1, 2, 5, 10, 1)
        return 0.5 + jnp.concatenate([both[:, 0, :, :5], both[:, 1, :, 5:]], 2)

    def decode(self, state, latents, labels):
        return self.decode_styles(state, self.styles(state, latents, labels))


class Unlabelled(Latents):
    def sample(self, state, key, count, labels=None):
        if labels is not None:
            raise JaxstyleError("takes no labels")
        return super().sample(state, key, count)


def opened(task, classes=tuple("abcdefghij")):
    info = types.SimpleNamespace(classes=classes, class_counts=(1,) * len(classes))
    return types.SimpleNamespace(task=task, state=np.float32(0.1), info=info, config=types.SimpleNamespace(task="toy"))
