"""Recognises the layout of a weight file and converts its tensors to canonical names and axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features.architectures import ARCHITECTURES, PREPROCESS, problems
from jaxstyle.features.weights.layouts import LAYOUTS, LEAVES, PREPROCESSING, Layout

FORMAT, VERSION = "jaxstyle-features", "1"
MAX_PROBLEMS = 8  # that one error message lists


class Converted(NamedTuple):
    """The tensors of a file in canonical form, float32, with the properties of their layout."""

    layout: str
    architecture: str
    ceil_pooling: bool
    preprocessing: str | None
    tensors: dict[str, np.ndarray]


def convert(
    tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str], *, preprocessing: str | None = None
) -> Converted:
    """Recognises the layout from names and shapes, and converts the tensors to canonical names and axes.

    Args:
      tensors: From `read_tensors`.
      metadata: From `read_tensors`; only jaxstyle's own keys are used.
      preprocessing: A key of `PREPROCESSING` in place of the layout's own, for networks that were trained with another
        one than their names suggest (jcjohnson's Caffe weights under torchvision's names: `"caffe"`).

    Returns:
      The canonical tensors; the network may end early.

    Raises:
      JaxstyleError: No layout fits, or tensors are missing, extra, of wrong shape or not finite, which are listed.
    """
    if preprocessing is not None and preprocessing not in PREPROCESSING:
        raise JaxstyleError(f"unknown preprocessing {preprocessing!r}; {did_you_mean(preprocessing, PREPROCESSING)}")
    layout, canonical, wrong = _best(tensors, _candidates(metadata))
    if preprocessing and layout.preprocessing is None:
        raise JaxstyleError(
            f"carries its own colour map ({layout.name} layout), which preprocessing {preprocessing!r} would "
            "replace; leave preprocessing out"
        )
    if wrong:
        raise JaxstyleError(f"not a whole {layout.architecture} in the {layout.name} layout: {itemized(wrong)}")
    preprocessing = preprocessing or layout.preprocessing
    ceil = layout.ceil_pooling or metadata.get("ceil_pooling") == "true"
    return Converted(layout.name, layout.architecture, ceil, preprocessing, canonical | _color_map(preprocessing))


def itemized(items: list[str]) -> str:
    """Joins items by semicolons; beyond `MAX_PROBLEMS` it gives their number."""
    more = len(items) - MAX_PROBLEMS
    return "; ".join(items[:MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _candidates(metadata: Mapping[str, str]) -> list[Layout]:
    if metadata.get("format") != FORMAT:
        return list(LAYOUTS)
    architecture, version = metadata.get("architecture", ""), metadata.get("version")
    if version != VERSION:
        raise JaxstyleError(f"written in version {version!r} of jaxstyle's format; this jaxstyle reads {VERSION!r}")
    if architecture not in ARCHITECTURES:
        raise JaxstyleError(f"unknown architecture {architecture!r}; {did_you_mean(architecture, ARCHITECTURES)}")
    return [layout for layout in LAYOUTS if (layout.name, layout.architecture) == ("jaxstyle", architecture)]


def _best(
    tensors: Mapping[str, np.ndarray], candidates: list[Layout]
) -> tuple[Layout, dict[str, np.ndarray], list[str]]:
    """The layout that contains most of the names; among equals the one with the fewest problems, or the first."""
    renamed = [(layout, *_renamed(layout, tensors)) for layout in candidates]
    most = max(len(canonical) for _, canonical, _ in renamed)
    layout, canonical, unknown = next(r for r in renamed if len(r[1]) == most)
    if 2 * most < len(canonical) + len(unknown) or not most:
        names = ", ".join(repr(name) for name in list(tensors)[:3])
        known = ", ".join(dict.fromkeys(la.name for la in LAYOUTS))
        raise JaxstyleError(
            f"in no layout known here (its tensors are named {names}, …); VGG-16, VGG-19, SqueezeNet, "
            f"GoogLeNet and Inception-v3 are recognised in the layouts {known}"
        )
    results = []
    for layout, canonical, unknown in renamed:
        if len(canonical) == most:
            whole = canonical | _color_map(layout.preprocessing)
            results.append((layout, whole, problems(layout.architecture, whole) + unknown))
    return min(results, key=lambda result: len(result[2]))


def _color_map(preprocessing: str | None) -> dict[str, np.ndarray]:
    if preprocessing is None:
        return {}
    kernel, bias = PREPROCESSING[preprocessing]
    return {f"{PREPROCESS}/kernel": kernel.copy(), f"{PREPROCESS}/bias": bias.copy()}


def _renamed(layout: Layout, tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The tensors in the layout, by canonical name, and a clause for each of the others."""
    canonical: dict[str, np.ndarray] = {}
    unknown = []
    if layout.batch_norm:
        tensors = _folded(tensors, layout.batch_norm)
    for name, tensor in tensors.items():
        match = layout.pattern.fullmatch(name)
        if match and match["layer"] in layout.layers:
            target = f"{layout.layers[match['layer']]}/{LEAVES[match['leaf']]}"
            if target in canonical:
                unknown.append(f"{name} gives {target} a second time")
            canonical[target] = _transposed(target, tensor, layout.oihw)
        elif not layout.dropped.fullmatch(name):
            unknown.append(f"{name} is not part of {layout.architecture}")
    return canonical, unknown


def _folded(tensors: Mapping[str, np.ndarray], epsilon: float) -> dict[str, np.ndarray]:
    """Folds batch normalisations, as in evaluation, into the convolutions before them; see `Layout.batch_norm`."""
    folded = {name: tensor for name, tensor in tensors.items() if not name.endswith(".num_batches_tracked")}
    for norm in [name.removesuffix(".running_var") for name in folded if name.endswith(".running_var")]:
        above, _, own = norm.rpartition(".")
        before = f"{above}.conv" if own == "bn" else f"{above}.{int(own) - 1}".lstrip(".") if own.isdecimal() else ""
        leaves = [f"{norm}.{leaf}" for leaf in ("weight", "bias", "running_mean", "running_var")]
        kernel = folded.get(f"{before}.weight", np.zeros(()))
        if any(folded.get(leaf, np.zeros(0)).shape != kernel.shape[:1] for leaf in leaves):
            continue  # and its parts are listed as problems
        scale, shift, mean, variance = (np.asarray(folded.pop(leaf), np.float64) for leaf in leaves)
        scale, bias = scale / np.sqrt(variance + epsilon), folded.pop(f"{before}.bias", np.zeros(1))
        name = norm.removesuffix(".bn")
        folded[f"{name}.weight"] = folded.pop(f"{before}.weight") * scale.reshape(-1, *[1] * (kernel.ndim - 1))
        folded[f"{name}.bias"] = shift + (bias - mean) * scale
    return folded


def _transposed(target: str, tensor: np.ndarray, oihw: bool) -> np.ndarray:
    if oihw and tensor.ndim == 2:
        tensor = tensor[..., None, None]  # a matrix is a 1x1 convolution
    if oihw and tensor.ndim == 4:
        tensor = tensor.transpose(2, 3, 1, 0)
        if target == f"{PREPROCESS}/kernel" and tensor.shape[:2] == (1, 1):
            tensor = tensor[0, 0]  # a 1x1 convolution is the colour map, in to out
    if tensor.dtype.kind != "f":
        return tensor  # and is listed as a problem
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, which is listed
        return np.ascontiguousarray(tensor, np.float32)
