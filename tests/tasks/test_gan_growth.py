"""Growing GANs: the schedule, reals that are faded in, optimisers that begin anew, one program a size, resuming."""

import types

import jax.numpy as jnp
import numpy as np
import pytest
from contract import begun, check_resume_after_kill
from gan_steps import changed, made
from small_configs import CONFIGS

from jaxstyle.tasks.gan_growth import Growth
from jaxstyle.training.config import override

GROWTH = Growth(levels=3, steps=600)


@pytest.fixture
def config(request):
    """The small config of a growing GAN: pictures begin at 4 px, and 8 px are faded in from the fourth step on."""
    small = changed(CONFIGS["gan"](request.getfixturevalue), architecture="progressive", growth=0.8)
    return override(small, {"data.size": 8})


def test_sizes_are_faded_in_one_after_the_other():
    assert [GROWTH.start(level) for level in range(4)] == [0, 100, 300, 500]
    for step in range(0, 700, 10):
        fades, level = np.asarray(GROWTH.fades(jnp.int32(step))), GROWTH.level(step)
        wanted = [1, *np.clip([(step - 100) / 100, (step - 300) / 100, (step - 500) / 100], 0, 1)]
        np.testing.assert_allclose(fades, wanted, atol=1e-6)
        assert np.all(fades[level + 1 :] == 0) and np.all(fades[:level] == 1)


def test_real_pictures_are_faded_in_like_generated_ones():
    images = np.random.default_rng(0).standard_normal((2, 32, 32, 1)).astype(np.float32)
    blocks = images.reshape(2, 8, 4, 8, 4, 1).mean((2, 4))
    smaller = images.reshape(2, 4, 8, 4, 8, 1).mean((2, 4)).repeat(2, 1).repeat(2, 2)
    for step, share in ((100, 0), (150, 0.5), (250, 1)):
        real = GROWTH.real(jnp.asarray(images), 1, jnp.int32(step))
        np.testing.assert_allclose(real, (1 - share) * smaller + share * blocks, atol=1e-6)
    np.testing.assert_allclose(GROWTH.real(jnp.asarray(images), 3, jnp.int32(600)), images, atol=1e-6)


def test_optimizers_begin_anew_with_a_size():
    for step, kept in ((99, 1), (100, 0), (101, 1)):
        state = types.SimpleNamespace(step=jnp.int32(step), optimizer={"mu": jnp.ones(2), "count": jnp.int32(7)})
        found = GROWTH.fresh(state, 1)
        assert float(found["mu"][0]) == kept and int(found["count"]) == 7 * kept


def test_a_batch_tells_its_size_and_others_tell_none(config):
    batch = {"image": np.zeros((8, 2, 8, 8, 3), np.uint8)}
    task = made(config, shape=(8, 8, 3))
    assert [task.staged(batch, step)["stage"].shape for step in (0, 3, 4, 9)] == [(8, 1), (8, 1), (8, 2), (8, 2)]
    plain = made(changed(config, architecture="stylegan2", growth=0.7), shape=(8, 8, 3))
    assert plain.staged(batch, 4) is batch


@pytest.mark.slow
def test_every_size_is_compiled_once(config, tmp_path):
    training = begun(config, tmp_path)
    for number in range(6):
        training.state, metrics = training.train_step(training.state, training.batch(number), training.train_key)
        assert len(training.train_step.compiled) == (1 if number < 4 else 2) and np.isfinite(metrics["loss"])


@pytest.mark.slow
def test_a_run_killed_within_a_fade_goes_on_bit_for_bit(config, tmp_path):
    assert 0 < Growth(1, 8).fades(jnp.int32(5))[1] < 1
    check_resume_after_kill(config, tmp_path)
