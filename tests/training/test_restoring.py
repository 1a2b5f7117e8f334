"""States restored across settings that change no parameter, and checkpoints that a run goes back to."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_task import tiny_config

import jaxstyle
from jaxstyle.inference.run import open_run
from jaxstyle.tasks import gan
from jaxstyle.training import loop
from jaxstyle.training.config import OptimizerConfig, override
from jaxstyle.training.durations import Extent
from jaxstyle.training.optimizers import make_optimizer
from jaxstyle.training.restoring import described, filled, sources
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.task import template

PARAMS = {
    "0": {"kernel": jnp.ones((3, 2))},
    "1": {"kernel": jnp.ones((3, 2))},
}  # names that look like places in a chain


def maker(ema_decay=0.0, **settings):
    return make_optimizer(OptimizerConfig(**settings), Extent(100, 10), 100, ema_decay)


def after_steps(optimizer, params=PARAMS):
    """A state with moments that differ from each other and from zero."""
    state = optimizer.start(params)
    for i in range(4):
        grads = jax.tree.map(lambda leaf, i=i: jnp.sin(jnp.arange(leaf.size) + i).reshape(leaf.shape), params)
        grads["1"]["kernel"] *= 2
        state = optimizer.apply_gradients(state, grads)
    return jax.device_get(state)


ADAM = {"name": "adam"}
NEW = "the state of the optimiser begins fresh"


@pytest.mark.parametrize(
    ("before", "after", "clauses", "restored"),
    [
        (ADAM, {**ADAM, "learning_rate": 0.1, "b1": 0.8}, [], True),
        (ADAM, {**ADAM, "clip_norm": 1.0}, [], True),
        (ADAM, {"name": "adamw", "weight_decay": 0.1}, [], True),
        (ADAM, {**ADAM, "accumulate": 2}, ["the accumulation of gradients of the optimiser begins fresh"], True),
        ({**ADAM, "accumulate": 2}, ADAM, [], True),
        (ADAM, {**ADAM, "ema_decay": 0.9}, ["the moving average begins at the parameters"], True),
        ({**ADAM, "ema_decay": 0.9}, ADAM, ["the moving average is left out"], True),
        (ADAM, {"name": "rmsprop"}, [NEW], False),
        (ADAM, {"name": "muon"}, [NEW], False),
        ({"name": "sgd"}, {"name": "sgd", "momentum": 0.9}, [NEW], False),
        ({"name": "muon"}, {"name": "muon", "clip_norm": 1.0, "accumulate": 3}, None, True),
        ({"name": "sgd", "momentum": 0.9}, {"name": "sgd", "momentum": 0.9, "nesterov": True}, [], True),
    ],
)
def test_what_settings_leave_alone_is_restored(before, after, clauses, restored):
    old, new = after_steps(maker(**before)), jax.device_get(maker(**after).start(jax.tree.map(jnp.zeros_like, PARAMS)))
    pairs, told = sources(described(old), new)
    state = filled(new, old, pairs)
    assert jax.tree.structure(state) == jax.tree.structure(new)
    assert told == clauses or (clauses is None and len(told) == 1)
    jax.tree.map(np.testing.assert_array_equal, state.params, old.params)
    found = {name.split("/", 1)[-1] for name in pairs if "/mu/" in name or "/nu/" in name or "/trace/" in name}
    assert bool(found) == restored
    moments, known = (
        [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(one.optimizer) if is_moment(path)]
        for one in (state, old)
    )
    if restored:
        jax.tree.map(np.testing.assert_array_equal, moments, known)
    else:
        assert not any(leaf.any() for leaf in moments)
    if state.ema is not None:
        jax.tree.map(np.testing.assert_array_equal, state.ema, state.params)
        assert not any(jax.tree.leaves(jax.tree.map(np.shares_memory, state.ema, state.params)))


def is_moment(path):
    return any(getattr(key, "name", "") in ("mu", "nu", "trace") for key in path)


def test_the_two_networks_of_a_gan_are_restored_apart():
    spec = {"image": jax.ShapeDtypeStruct((16, 16, 3), np.uint8)}
    info = RunInfo(Extent(100, 8), 10, spec)

    def of(**changes):
        return template(gan.make(override(gan.Config(batch_size=8), changes), info))

    old, new = of(), of(**{"discriminator_optimizer.name": "rmsprop", "ema_decay": 0.9})
    pairs, told = sources(described(old), new)
    assert told == [
        "the state of the discriminator's optimiser begins fresh",
        "the moving average begins at the parameters",
    ]
    fresh = {name for name in described(new) if name not in pairs}
    assert fresh and all(name.startswith("optimizer/discriminator/") for name in fresh)
    assert {pairs[name] for name in pairs if name.startswith("ema/")} < set(described(old))


def test_a_chain_of_an_earlier_version_is_known_by_its_fields():
    """Clipping was a link of the chain, and so was the schedule, which counted."""
    new = jax.device_get(maker(**ADAM).start(PARAMS))
    adam = after_steps(maker(**ADAM)).optimizer[0]
    chain = new.replace(optimizer=((), (adam, {"count": np.int32(9)})))
    pairs, told = sources(described(chain), new)
    assert told == []
    jax.tree.map(np.testing.assert_array_equal, filled(new, chain, pairs).optimizer[0], adam)


def test_the_learning_rate_goes_on_where_the_moments_begin_fresh():
    adam, sgd = maker(**ADAM), maker(name="sgd", learning_rate=1.0, schedule="linear", momentum=0.5)
    state = after_steps(adam)
    fresh = sgd.start(PARAMS)
    state = filled(fresh, state, sources(described(state), fresh)[0])
    moved = sgd.apply_gradients(jax.device_put(state), jax.tree.map(jnp.ones_like, PARAMS))
    np.testing.assert_allclose(moved.params["0"]["kernel"] - state.params["0"]["kernel"], -0.96, rtol=1e-5)


@pytest.fixture
def workdir(shapes_dir, tmp_path):
    loop.run(tiny_config(shapes_dir, devices=2, checkpoint_steps=2, train_steps=6, keep=3), tmp_path)
    return tmp_path


def going_on(shapes_dir, workdir, **changes):
    settings = {"devices": 2, "checkpoint_steps": 2, "train_steps": 8, "keep": 3, **changes}
    return loop.run(tiny_config(shapes_dir, **settings), workdir)


def kept(workdir):
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def test_a_run_goes_on_with_another_optimizer_and_every_command_reads_it(shapes_dir, workdir, capsys):
    before = open_run(workdir, "6").state
    going_on(shapes_dir, workdir, train_steps=7, ema_decay=0.9, optimizer__name="sgd", optimizer__accumulate=2)
    told = capsys.readouterr().err
    assert told.count("jaxstyle: the run goes on with other settings: the state of the optimiser begins fresh") == 1
    assert "the moving average begins at the parameters" in told
    older = open_run(workdir, "6").state  # written under the old settings, read under the new ones
    jax.tree.map(np.testing.assert_array_equal, older.params, before.params)
    jax.tree.map(np.testing.assert_array_equal, older.best_params, before.params)
    assert jaxstyle.evaluate(workdir, checkpoint="6").step == 6 and jaxstyle.evaluate(workdir).step == 7


def test_going_back_loses_nothing(shapes_dir, workdir, capsys):
    whole = (workdir / "metrics.jsonl").read_text()
    state = going_on(shapes_dir, workdir, resume_step=2, optimizer__learning_rate=0.1)
    assert int(state.step) == 8 and kept(workdir) == [4, 6, 8]
    told = capsys.readouterr().err
    assert "goes on from step 2; what came after that (checkpoints: 4, 6) is kept in" in told
    aside = workdir / "after-2"
    assert kept(aside) == [4, 6] and (aside / "metrics.jsonl").read_text() == whole
    assert sorted(path.name for path in (aside / "pictures").iterdir()) == ["seen-0000005.png", "seen-0000006.png"]
    assert [jaxstyle.evaluate(aside, checkpoint=step).step for step in ("4", "newest")] == [4, 6]
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == list(range(1, 9))


def test_the_same_command_goes_on_and_another_one_goes_back_again(shapes_dir, workdir):
    changes = {"resume_step": 4, "optimizer__clip_norm": 1.0}
    going_on(shapes_dir, workdir, **changes, train_steps=5)
    first = going_on(shapes_dir, workdir, **changes)  # other settings: back to step 4
    assert kept(workdir / "after-4") == [6] and kept(workdir / "after-4-2") == [5]
    again = going_on(shapes_dir, workdir, **changes)  # the same: it is finished
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(first), jax.device_get(again))
    assert not (workdir / "after-4-3").exists()
