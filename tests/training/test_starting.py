"""Runs that begin with another run's or a file's parameters, parts that are frozen, and rates by part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from tiny_task import tiny_config

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import open_run
from jaxstyle.inference.style_model import BUNDLED, flat, load_model
from jaxstyle.tasks import any_style
from jaxstyle.training import loop, starting
from jaxstyle.training.config import OptimizerConfig
from jaxstyle.training.durations import Extent
from jaxstyle.training.optimizers import make_optimizer
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.task import template

STILL = {"train_steps": 1, "optimizer__learning_rate": 0.0, "ema_decay": 0.5}


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(a), jax.device_get(b))


def optimizer(**settings):
    return make_optimizer(OptimizerConfig(**{"learning_rate": 0.1, **settings}), Extent(100, 10), 100)


def test_a_run_begins_where_another_ended(shapes_dir, tmp_path, capsys):
    first = loop.run(tiny_config(shapes_dir, ema_decay=0.5), tmp_path / "a")
    second = loop.run(tiny_config(shapes_dir, init_from=tmp_path / "a", **STILL), tmp_path / "b")
    equal(second.params, first.ema)  # the average is what a finished run is used with
    rounding = {"rtol": 1e-6}  # d x + (1 - d) x
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **rounding), second.ema, first.ema)
    assert "begins with 2 of 2 parameters" in capsys.readouterr().err
    gone_on = tiny_config(shapes_dir, init_from="gone/away", **{**STILL, "train_steps": 2})
    assert int(loop.run(gone_on, tmp_path / "b").step) == 2  # its checkpoint has all
    equal(open_run(tmp_path / "b").state.params, first.ema)


def test_other_classes_begin_fresh_and_are_named(tmp_path, capsys):
    stem, head = np.full((2, 3), 7.0, np.float16), np.ones((3, 10), np.float16)
    safetensors.numpy.save_file(
        {"stem/kernel": stem, "head/kernel": head, "old/bias": head}, tmp_path / "x.safetensors"
    )
    params = {"stem": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}, "head": {"kernel": jnp.zeros((3, 5))}}
    arrays = starting.read_source(str(tmp_path / "x.safetensors"))
    state = starting.started(optimizer().start(params), arrays, "x")
    equal(state.params, {**params, "stem": {"kernel": np.full((2, 3), 7.0, np.float32), "bias": np.zeros(3)}})
    assert state.params["stem"]["kernel"].dtype == np.float32
    assert capsys.readouterr().err.splitlines() == [
        "jaxstyle: begins with 1 of 3 parameters of 'x'",
        "jaxstyle: fresh, as their shapes differ: head/kernel (3×10 there, 3×5 here)",
        "jaxstyle: fresh, as they are not there: stem/bias",
        "jaxstyle: not used: old/bias",
    ]


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (None, r"init_from='.*x.safetensors' is missing: name the workdir of a run, or a file of weights"),
        (
            {"w": np.ones((4, 10))},
            r"nothing in init_from=.* fits this network: fresh, as their shapes differ: w \(4×10",
        ),
        ({"other": np.ones(3)}, "nothing in init_from=.* as they are not there: b, w; name a run"),
        ({"w": np.full((3, 10), np.nan)}, "has NaN or infinite values in w"),
    ],
)
def test_what_cannot_be_begun_with_is_told(shapes_dir, tmp_path, tensors, sentence):
    file = tmp_path / "x.safetensors"
    if tensors:
        safetensors.numpy.save_file({name: each.astype(np.float32) for name, each in tensors.items()}, file)
    with pytest.raises(JaxstyleError, match=sentence):
        loop.run(tiny_config(shapes_dir, init_from=file), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folders_that_are_no_runs_are_told(tmp_path):
    with pytest.raises(JaxstyleError, match="a folder without checkpoints"):
        starting.read_source(str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(JaxstyleError, match="no checkpoint yet"):
        starting.read_source(str(tmp_path))


@pytest.mark.slow
def test_the_training_of_any_style_goes_on_from_the_network_that_ships(capsys):
    config = any_style.Config(styles=("example:mosaic",))
    info = RunInfo(Extent(8, 4), 10, {"image": jax.ShapeDtypeStruct((64, 64, 3), np.uint8)})
    state = template(any_style.make(config, info))
    filled = starting.started(state, starting.read_source(str(BUNDLED)), "any_style.safetensors")
    shipped = flat(load_model().params)
    for name, leaf in flat(filled.params).items():
        np.testing.assert_array_equal(leaf, shipped[name])
    assert "fresh" not in capsys.readouterr().err


PARAMS = {"stem": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}, "head": {"kernel": jnp.ones((4, 2))}}
GRADS = jax.tree.map(lambda leaf: jnp.arange(1.0, leaf.size + 1).reshape(leaf.shape), PARAMS)


@pytest.mark.parametrize("name", ["adamw", "muon", "sgd"])
def test_frozen_parameters_stay(name):
    decay = {"weight_decay": 0.1} if name in ("adamw", "sgd") else {}
    rule = optimizer(name=name, freeze="stem|none", accumulate=2, **decay)
    state = rule.start(PARAMS)
    step = jax.jit(rule.apply_gradients)
    for _ in range(4):
        state = step(state, GRADS)
    equal(state.params["stem"], PARAMS["stem"])
    assert not np.any(np.asarray(state.params["head"]["kernel"]) == 1)


def test_frozen_gradients_do_not_count_where_the_norm_is_clipped():
    rule = optimizer(name="sgd", freeze="stem", clip_norm=1.0)
    moved = rule.apply_gradients(rule.start(PARAMS), GRADS).params["head"]["kernel"]
    grads = np.asarray(GRADS["head"]["kernel"])
    np.testing.assert_allclose(moved, 1 - 0.1 * grads / np.linalg.norm(grads), rtol=1e-6)


def test_rates_by_part():
    rule = optimizer(name="sgd", rates=("stem/k=0.5", "stem=0.25"))
    moved = rule.apply_gradients(rule.start(PARAMS), GRADS).params
    factors = {"stem": {"kernel": 0.5, "bias": 0.25}, "head": {"kernel": 1.0}}
    expected = jax.tree.map(lambda leaf, grad, factor: leaf - 0.1 * factor * grad, PARAMS, GRADS, factors)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), moved, expected)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"freeze": "sten"}, r"no parameter's name begins with 'sten', of optimizer.freeze .* did you mean 'stem'"),
        ({"freeze": "("}, r"optimizer.freeze has '\('; write a regular expression"),
        ({"freeze": ".*"}, "leave no parameter to train"),
        ({"rates": ("stem",)}, r"optimizer.rates has 'stem'; write REGEX=FACTOR"),
        ({"rates": ("stem=-1",)}, r"optimizer.rates has 'stem=-1'; write REGEX=FACTOR"),
    ],
)
def test_parts_that_cannot_be_are_told(settings, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        optimizer(**settings).start(PARAMS)
