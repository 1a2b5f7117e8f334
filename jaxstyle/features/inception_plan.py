"""Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567) as a table, named as in TensorFlow's graph of 2015."""

from __future__ import annotations

import re
from typing import NamedTuple

IMAGE = "image"


class Node(NamedTuple):
    """One operation.

    Attributes:
      name: Name of the result, and of a convolution's parameters.
      op: `"conv"` (with its ReLU), `"max"` and `"average"` (3x3 pools), `"join"` (along the channels), `"mean"` (over
        positions), `"linear"`.
      inputs: Names of the results that are its inputs, or `IMAGE`.
      size: Height and width of its kernel.
      stride: In pixels.
      padding: `"SAME"` or `"VALID"`.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    size: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"


# Steps are written HxW, with `/2` for stride 2. Steps with a stride, and those that end in `v` (valid), do not pad.
# `1x3|3x1` are two convolutions of one input, side by side.
STEM = "conv:3x3/2 conv_1:3x3v conv_2:3x3 pool:max/2 conv_3:1x1 conv_4:3x3v pool_1:max/2"
Block = tuple[tuple[str, str], ...]  # its branches: a prefix of names, and steps in a row
FIGURE_5: Block = (("", "1x1"), ("tower_", "1x1 5x5"), ("tower_1_", "1x1 3x3 3x3"), ("tower_2_", "average 1x1"))
REDUCE_35: Block = (("", "3x3/2"), ("tower_", "1x1 3x3 3x3/2"), ("", "max/2"))
FIGURE_6: Block = (
    ("", "1x1"),
    ("tower_", "1x1 1x7 7x1"),
    ("tower_1_", "1x1 7x1 1x7 7x1 1x7"),
    ("tower_2_", "average 1x1"),
)
REDUCE_17: Block = (("tower_", "1x1 3x3/2"), ("tower_1_", "1x1 1x7 7x1 3x3/2"), ("", "max/2"))
FIGURE_7: Block = (
    ("", "1x1"),
    ("tower_", "1x1 1x3|3x1"),
    ("tower_1_", "1x1 3x3 1x3|3x1"),
    ("tower_2_", "average 1x1"),
)
LAST: Block = (*FIGURE_7[:-1], ("tower_2_", "max 1x1"))
BLOCKS: dict[str, Block] = {
    "mixed": FIGURE_5,
    "mixed_1": FIGURE_5,
    "mixed_2": FIGURE_5,
    "mixed_3": REDUCE_35,
    "mixed_4": FIGURE_6,
    "mixed_5": FIGURE_6,
    "mixed_6": FIGURE_6,
    "mixed_7": FIGURE_6,
    "mixed_8": REDUCE_17,
    "mixed_9": FIGURE_7,
    "mixed_10": LAST,
}


def step(name: str, text: str, above: str) -> Node:
    """Makes a node of a step of the table."""
    if text.startswith(("max", "average")):
        op, _, stride = text.partition("/")
        return Node(name, op, (above,), (3, 3), int(stride or 1), "VALID" if stride else "SAME")
    size, _, stride = text.rstrip("v").partition("/")
    height, width = map(int, size.split("x"))
    return Node(name, "conv", (above,), (height, width), int(stride or 1), "VALID" if stride or "v" in text else "SAME")


def block(name: str, branches: Block, above: str) -> list[Node]:
    """Makes the nodes of a block; the last one joins its branches."""
    nodes: list[Node] = []
    ends: list[str] = []
    for prefix, steps in branches:
        last: tuple[str, ...] = (above,)
        count = 0
        for text in steps.split():
            if "|" in text:
                made = [
                    step(f"{name}/{prefix}mixed_conv{s}", t, *last)
                    for s, t in zip(("", "_1"), text.split("|"), strict=True)
                ]
            elif re.match(r"\d", text):
                made = [step(f"{name}/{prefix}conv" + (f"_{count}" if count else ""), text, *last)]
                count += 1
            else:
                made = [step(f"{name}/{prefix}pool", text, *last)]
            nodes += made
            last = tuple(node.name for node in made)
        ends += last
    return [*nodes, Node(name, "join", tuple(ends))]


def plan() -> tuple[Node, ...]:
    """All nodes, shallow to deep."""
    nodes: list[Node] = []
    for text in STEM.split():
        name, _, what = text.partition(":")
        nodes.append(step(name, what, nodes[-1].name if nodes else IMAGE))
    for name, branches in BLOCKS.items():
        nodes += block(name, branches, nodes[-1].name)
    return (*nodes, Node("pool_3", "mean", (nodes[-1].name,)), Node("logits", "linear", ("pool_3",)))


NODES = plan()
BY_NAME = {node.name: node for node in NODES}
CONVOLUTIONS = tuple(node for node in NODES if node.op in ("conv", "linear"))


def sources(names: tuple[str, ...]) -> tuple[str, ...]:
    """The convolutions from whose outputs, concatenated, results are computed; `IMAGE` stays."""
    found: list[str] = []
    for name in names:
        known = name == IMAGE or BY_NAME[name] in CONVOLUTIONS
        found += (name,) if known else sources(BY_NAME[name].inputs)
    return tuple(found)
