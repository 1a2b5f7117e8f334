"""The state of a training run: one pytree, carried from step to step, saved and restored whole."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

FIXED = "fixed"  # its name among the collections


class TrainState(struct.PyTreeNode):
    """The variables that a step changes. Unstacked: no leading device axis; the devices hold equal copies.

    Attributes:
      step: Scalar int32, steps taken.
      params: Pytree of float32 parameters.
      optimizer: State of the optax transformation (of several networks: a dict).
      ema: Moving average of `params`, or None. Never an alias of them: donating an aliased buffer is a segfault.
      collections: Other variables of the modules, such as `{"batch_stats": …}`.
      healthy: Scalar bool; False once a step was not finite. From then on steps change nothing, so the state stays
        the last good one until the host fetches the metrics.
    """

    step: jax.Array
    params: Any
    optimizer: Any
    ema: Any = None
    collections: Any = struct.field(default_factory=dict)
    healthy: Any = struct.field(default_factory=lambda: jnp.bool_(True))

    @property
    def fixed(self) -> Any:
        """The arrays that steps read and never change, such as a pretrained network; None without any."""
        return self.collections.get(FIXED)

    def with_fixed(self, fixed: Any) -> TrainState:
        """The same state with other `fixed`; None leaves them out, as checkpoints do (see `task.HasFixed`)."""
        others = {name: value for name, value in self.collections.items() if name != FIXED}
        return self.replace(collections=others if fixed is None else {**others, FIXED: fixed})

    @property
    def best_params(self) -> Any:
        """The parameters for evaluation and sampling: the moving average where there is one."""
        return self.params if self.ema is None else self.ema


def copied(tree: Any) -> Any:
    """The same values in buffers of their own."""
    return jax.tree.map(jnp.copy, tree)


def parameter_table(params: Any) -> str:
    """One line a parameter, its name, shape and size, and their sum."""
    rows = [
        (jax.tree_util.keystr(path, simple=True, separator="/"), "×".join(map(str, leaf.shape)), leaf.size)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    ]
    rows.append(("total", "", sum(row[2] for row in rows)))
    widths = [max(len(f"{row[i]}") for row in rows) for i in range(3)]
    return "\n".join(f"{n:<{widths[0]}}  {s:<{widths[1]}}  {c:>{widths[2]}}" for n, s, c in rows)
