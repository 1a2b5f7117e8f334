"""States restored across settings that change no parameter, such as another optimiser: what is new begins fresh.

The leaves of a state go by their names, such as `params/dense/kernel` or `optimizer/0/mu/dense/kernel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

Description = Mapping[str, str]
"""Name of a leaf -> its shape and dtype in words."""

FREE = ("optimizer/", "ema/")
"""Beginnings of the names that depend on more than the network."""
ACCUMULATION = ("mini_step", "gradient_step", "acc_grads")
"""Fields of optax's state of accumulated gradients."""


def leaf_name(path: Any) -> str:
    """Returns the name of a leaf."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def shape_text(shape: tuple[int, ...]) -> str:
    """Writes a shape in words: `3×3×64` or `scalar`."""
    return "×".join(map(str, shape)) or "scalar"


def described(tree: Any) -> dict[str, str]:
    """Describes every leaf of a pytree by "shape dtype"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {leaf_name(path): f"{shape_text(leaf.shape)} {leaf.dtype}" for path, leaf in leaves}


def differences(stored: Description, wanted: Description) -> list[str]:
    """Lists where two states are not of the same network, a sentence each."""
    old, new = ({n: text for n, text in one.items() if not n.startswith(FREE)} for one in (stored, wanted))
    both = [f"{name} is {old[name]}, wanted {new[name]}" for name in new if old.get(name, new[name]) != new[name]]
    missing = [f"{name} is missing" for name in new if name not in old]
    return [*both, *missing, *(f"{name} is not known here" for name in old if name not in new)]


def sources(stored: Description, template: Any) -> tuple[dict[str, str], list[str]]:
    """Finds out which leaf of a stored state becomes which leaf of one for other settings.

    Args:
      stored: Description of the stored state, of the same network.
      template: State of the wanted structure.

    Returns:
      Wanted name -> stored name, without leaves that begin fresh; and what has changed, a clause each.
    """
    wanted = described(template)
    found = {name: name for name in wanted if not name.startswith(FREE)}
    clauses = []
    networks = template.optimizer if isinstance(template.optimizer, dict) else {"": None}
    for network in networks:
        pairs, changes = optimizer_sources(stored, wanted, f"optimizer/{network}{'/' if network else ''}")
        found |= pairs
        whose = f"the {network}'s optimiser" if network else "the optimiser"
        clauses += [f"the {change} of {whose} begins fresh" for change in changes]
    average = [name for name in wanted if name.startswith("ema/")]
    if average and average[0] not in stored:
        clauses.append("the moving average begins at the parameters")
    elif not average and any(name.startswith("ema/") for name in stored):
        clauses.append("the moving average is left out")
    found |= {name: name if name in stored else name.replace("ema/", "params/", 1) for name in average}
    return found, clauses


def optimizer_sources(stored: Description, wanted: Description, prefix: str) -> tuple[dict[str, str], list[str]]:
    """Pairs the leaves of two states of one network's optimiser; see `sources`.

    Moments are restored where both optimisers have the same ones, at whatever place in a chain.
    """
    old, new = ({n: text for n, text in one.items() if n.startswith(prefix)} for one in (stored, wanted))
    if old == new:
        return dict(zip(new, new, strict=True)), []
    places = {core(name, prefix): name for name in reversed(old)}
    if moments(old, prefix) != moments(new, prefix):
        return {}, ["state"]
    pairs = {name: places[core(name, prefix)] for name in new if core(name, prefix) in places}
    fresh = len(pairs) < len(new)
    return pairs, ["accumulation of gradients"] * fresh


def core(name: str, prefix: str) -> str:
    """Strips a name in an optimiser's state of what chains and accumulation put before it: `mu/dense/kernel`."""
    parts = name.removeprefix(prefix).split("/")
    while len(parts) > 1 and (parts[0].isdigit() or parts[0] == "inner_opt_state"):
        parts = parts[1:]
    return "/".join(parts)


def moments(leaves: Description, prefix: str) -> dict[str, str]:
    """Describes an optimiser's leaves without the accumulation, and without counts, of which schedules had one, too."""
    cores = {core(name, prefix): text for name, text in leaves.items()}
    return {name: text for name, text in cores.items() if name.split("/")[0] not in (*ACCUMULATION, "count")}


def filled(fresh: Any, values: Any, pairs: Mapping[str, str]) -> Any:
    """Fills a state with stored values.

    Args:
      fresh: State of the wanted structure, whose other leaves stay.
      values: Pytree with the stored arrays.
      pairs: Names of `fresh` -> names of `values`.

    Returns:
      The state, of NumPy arrays, none of which is another's alias.
    """
    stored = {leaf_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(values)}

    def value(path: Any, leaf: Any) -> np.ndarray:
        source = pairs.get(name := leaf_name(path))
        return leaf if source is None else stored[source] if source == name else np.array(stored[source])

    return jax.tree_util.tree_map_with_path(value, jax.device_get(fresh))
