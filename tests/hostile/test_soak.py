"""Many small steps: resident memory stays flat."""

import jax
import pytest
import tiny
from hostile.conftest import status
from tiny_task import tiny_config

from jaxstyle.pixels import loop as pixels
from jaxstyle.pixels import stylize
from jaxstyle.training import loop as training

GROWTH = 32 * 2**20  # bytes between a tenth of the steps and their end, as the allocator has it


class Watch:
    """Notes the resident memory after a tenth of the steps, and at the end."""

    def __init__(self, steps):
        self.steps, self.seen, self.sizes = steps, 0, []

    def saw(self, count):
        self.seen += count
        if self.seen >= self.steps * (1 if self.sizes else 0.1):
            self.sizes.append(status("VmRSS"))


@pytest.mark.slow
def test_pixel_steps():
    steps = 100_000
    config = tiny.config(
        size=16, min_size=16, initial_iterations=steps, style_layers=("relu1_1",), layer_weights=(1.0,)
    )
    inputs = tiny.inputs(contents=[tiny.picture(0, 16, 16)], styles=[tiny.picture(1, 16, 16)])
    problem = stylize.JOB.prepare(config, tiny.features(), inputs, [{}])
    watch = Watch(steps)
    pixels.optimize(problem, jax.devices()[:1], callbacks=[lambda report: watch.saw(len(report.terms))])
    assert watch.seen == steps
    assert watch.sizes[1] - watch.sizes[0] < GROWTH


@pytest.mark.slow
def test_training_steps(shapes_dir, tmp_path, monkeypatch):
    steps = 10_000
    watch, batch = Watch(steps), training.Training.batch
    monkeypatch.setattr(training.Training, "batch", lambda self, step: (watch.saw(1), batch(self, step))[1])
    changes = {"train_steps": steps, "eval_steps": steps // 100, "checkpoint_steps": steps // 100, "log_steps": 10}
    training.run(tiny_config(shapes_dir, **changes, devices=1), tmp_path)
    assert watch.seen == steps
    assert watch.sizes[1] - watch.sizes[0] < GROWTH
