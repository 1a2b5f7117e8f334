"""What the training loop costs beside the steps themselves: whole stretches of it against the bare compiled step.

    python benchmarks/overhead.py                                          # the classifier and the autoencoder
    python benchmarks/overhead.py --recipes gan_mnist --data mnist

A stretch of the loop makes its batches, takes the steps, fetches and writes every metric as a run does, and saves a
checkpoint at its end. The bare step is called as often, on one batch that lies on the device. They take turns in one
process. The recipes' networks and batch sizes are kept, the data is drawn here (`jaxstyle_shapes` at 28 px) unless
another set is named: nothing is downloaded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from importlib import util
from pathlib import Path
from typing import Any

import jax
from etils import epath
from measuring import table

from jaxstyle.training.checkpoints import Checkpoints
from jaxstyle.training.config import override
from jaxstyle.training.loop import Training
from jaxstyle.training.task import typed_config

RECIPES = Path(__file__).resolve().parents[1] / "configs"
HEADS = {"recipe": "{recipe}", "batch": "{batch}", "bare ms": "{bare:.2f}", "loop ms": "{loop:.2f}"}
HEADS |= {"ratio": "{ratio:.4f}"}


def recipe(name: str, data: str, folder: str) -> Any:
    """A recipe of `configs/` on other data, with nothing due before the end."""
    spec = util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    changes = {"data.name": data, "progress": "off", "eval_epochs": 0.0, "checkpoint_epochs": 0.0}
    if data.startswith("jaxstyle"):
        changes |= {"data.data_dir": folder, "data.size": 28}
    return typed_config(override(module.get_config(), changes))


def bare(training: Training, batch: Any, steps: int) -> float:
    """Seconds a step of the compiled step alone."""
    began = time.perf_counter()
    for _ in range(steps):
        training.state, _ = training.train_step(training.state, batch, training.train_key)
    jax.block_until_ready(training.state)
    return (time.perf_counter() - began) / steps


def looped(training: Training, checkpoints: Checkpoints, steps: int) -> float:
    """Seconds a step of the loop."""
    training.total = int(training.state.step) + steps
    with closing(training.writers()) as writers:
        began = time.perf_counter()
        training.train(lambda: False, checkpoints, writers)
        jax.block_until_ready(training.state)
        return (time.perf_counter() - began) / steps


def measure(name: str, data: str, seconds: float, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        config = recipe(name, data, folder)
        training = Training(config, epath.Path(folder))
        with closing(Checkpoints(epath.Path(folder) / "checkpoints", keep=1)) as checkpoints:
            training.begin(checkpoints)
            batch = training.batch(0)
            bare(training, batch, 10)  # compiles
            steps = max(20, round(seconds / bare(training, batch, 20)))
            looped(training, checkpoints, 20)
            pairs = [(bare(training, batch, steps), looped(training, checkpoints, steps)) for _ in range(rounds)]
    alone, within = (1000 * statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(loop / step for step, loop in pairs)
    return {"recipe": name, "batch": config.batch_size, "bare": alone, "loop": within, "ratio": ratio}


def main() -> None:
    """Reads the options, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="classify_mnist,vae_mnist", help="of configs/ (classify_mnist,vae_mnist)")
    parser.add_argument("--data", default="jaxstyle_shapes/tiny", help="a TFDS dataset (jaxstyle_shapes/tiny)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a stretch (5)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (7)")
    args = parser.parse_args()
    table([measure(name, args.data, args.seconds, args.rounds) for name in args.recipes.split(",")], HEADS)


if __name__ == "__main__":
    main()
