"""The forecaster: scheduled sampling, scores, adversarial loss, strips and films; `test_contract.py` has the rest."""

import functools

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics.structural import ssim
from jaxstyle.tasks import forecast, forecast_config
from jaxstyle.training.config import override
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo


def small(classes=(), shape=(6, 8, 8, 1), **changes):
    """A task for tiny clips, and its first state."""
    changes = {"model.inputs": 3, "model.outputs": 2, "model.widths": (3,), "model.patch": 4, **changes}
    config, spec = override(forecast.Config(), changes), {"video": jax.ShapeDtypeStruct(shape, np.uint8)}
    forecast.check(config)
    task = forecast.make(config, RunInfo(Extent(100, 10), 50, spec, classes))
    return task, jax.jit(task.init)(jax.random.key(0))


@functools.cache
def plain():
    return small()


def videos(count, seed=0, shape=(6, 8, 8, 1)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def scaled(video):
    """Clips in [0, 1]."""
    return jnp.asarray(video / np.float32(255))


def forecasts(task):
    return jax.jit(lambda state, inputs: task.forecast(state, inputs, task.outputs))


def step_once(task, state, batch):
    step = jax.vmap(task.train_step, axis_name="batch", in_axes=(None, 0, None))
    moved, metrics = jax.jit(step)(state, jax.tree.map(lambda leaf: leaf[None], batch), jax.random.key(1))
    return jax.tree.map(lambda leaf: leaf[0], (moved, metrics))


@pytest.mark.slow
def test_it_learns_to_be_better_than_trivial_forecasts(config, tmp_path):
    changes = {"classify": 0.0, "adversary.objective": "", "model.widths": (16,), "model.patch": 4, "devices": 1}
    changes |= {"optimizer.learning_rate": 0.01, "teacher_steps": 0, "data.eval_split": "train"}
    training = contract.begun(override(config, changes), tmp_path)
    for number in range(60):
        training.state, _ = training.train_step(training.state, training.batch(number), training.train_key)
    scores = training.evaluate()
    assert scores["mse"] < 0.7 * min(scores["mean_frame_mse"], scores["blank_mse"])


@pytest.mark.parametrize(("fall", "half"), [("linear", 0.5), ("exponential", 0.1), ("sigmoid", 0.5)])
def test_teacher_forcing_falls(fall, half):
    forcing = forecast_config.teacher_forcing(0.8, fall, 100)
    values = [float(forcing(jnp.int32(step))) for step in (0, 50, 100, 1000)]
    np.testing.assert_allclose(values, [0.8, 0.8 * half, 0, 0], atol=0.003)  # the sigmoid begins at 0.9975
    assert float(forecast_config.teacher_forcing(0.8, fall, 0)(jnp.int32(0))) == 0


def test_the_last_part_of_a_training_has_a_loss_of_its_own():
    """Of a pixel that is 1 in a third of the films, both losses' best forecasts are known."""
    finish = {"finish.l1": 0.5, "finish_epochs": 2.0}  # the last 20 of 50 steps
    task, _ = small(**finish)
    truth = (np.arange(3) == 0).astype(np.float32).reshape(3, 1, 1, 1, 1)

    def best(step):
        slope = jax.jit(
            jax.grad(lambda logit: jnp.mean(task.frame_loss(jnp.broadcast_to(logit, truth.shape), truth, step)))
        )
        low, high = -9.0, 9.0
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (low, middle) if slope(jnp.float32(middle)) > 0 else (middle, high)
        return 1 / (1 + np.exp(-middle))

    assert best(29) == pytest.approx(1 / 3, abs=1e-3)
    assert best(30) == pytest.approx(1.5 / 3 - 0.25, abs=1e-3)
    task, _ = plain()
    assert best(50) == pytest.approx(1 / 3, abs=1e-3)  # the evaluation after the last step


def test_with_teacher_forcing_always_on_the_losses_are_those_of_true_inputs():
    task, state = small(teacher_steps=10**9)
    batch = {"video": videos(4)}
    _, metrics = step_once(task, state, batch)
    inputs, truth = task.parted(scaled(batch["video"]))
    forced = np.ones((4, 1), bool)
    result = jax.jit(lambda params: task.apply(params, inputs, 2, truth, forced))(state.params)
    np.testing.assert_allclose(metrics["future"], jnp.mean(task.frame_loss(result.future, truth, 0)), rtol=1e-4)
    np.testing.assert_allclose(metrics["past"], jnp.mean(task.frame_loss(result.past, inputs[:, 1:], 0)), rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], metrics["past"] + metrics["future"], rtol=1e-5)


def test_the_mean_frame_is_that_of_all_frames_seen_so_far():
    task, state = plain()
    batches = [{"video": videos(4, seed)} for seed in range(2)]
    for batch in batches:
        state, _ = step_once(task, state, batch)
    frames = np.concatenate([batch["video"][:, 3:5] for batch in batches]) / 255
    np.testing.assert_allclose(state.collections["mean_frame"], frames.mean((0, 1)), rtol=1e-5)


def test_training_clips_are_changed_as_wholes_and_others_are_not():
    """By turns, mirrorings and tones a clip that repeats one frame becomes another clip that repeats one frame."""
    task, _ = small(**{"augment.flip": True, "augment.turn": True, "augment.color": 0.5})
    video = videos(20, shape=(1, 8, 8, 1)).repeat(6, 1)
    keys = jax.random.split(jax.random.key(0), (2, 20))
    clips = np.asarray(jax.jit(task.augmented)(video, *keys))
    np.testing.assert_array_equal(clips, clips[:, :1].repeat(5, 1))
    ways = []
    for clip, before in zip(clips[:, 0, ..., 0], video[:, 0, ..., 0], strict=True):
        possible = [np.rot90(one, k) for one in (before, before[:, ::-1]) for k in range(4)]
        alike = [np.corrcoef(clip.ravel(), one.ravel())[0, 1] for one in possible]
        ways.append(int(np.argmax(alike)))
        assert max(alike) > 0.95  # 1 but for what is clipped
    assert len(set(ways)) > 4 and not np.allclose(clips.mean((1, 2, 3, 4)), video.mean((1, 2, 3, 4)) / 255, atol=0.05)
    still, _ = plain()
    np.testing.assert_allclose(still.augmented(video, *keys), video[:, :5] / 255, rtol=1e-6)


def test_scores_are_sums_over_pixels_and_means_over_frames():
    task, state = plain()
    batch = {"video": videos(3)}
    scores = jax.jit(task.eval_step)(state, batch, None)
    inputs, truth = (np.asarray(part, np.float64) for part in task.parted(scaled(batch["video"])))
    predicted = np.asarray(forecasts(task)(state, inputs.astype(np.float32)), np.float64)
    apart, like = predicted - truth, np.asarray(jax.jit(lambda *both: ssim(*both, value_range=2))(predicted, truth))
    np.testing.assert_allclose(scores["mse"], (apart**2).sum((2, 3, 4)).mean(1), rtol=1e-4)
    np.testing.assert_allclose(scores["frame_mse"], (apart**2).sum((2, 3, 4)), rtol=1e-4)
    np.testing.assert_allclose(scores["mae"], abs(apart).sum((2, 3, 4)).mean(1), rtol=1e-4)
    np.testing.assert_allclose(scores["psnr"], (-10 * np.log10((apart**2).mean((2, 3, 4)))).mean(1), rtol=1e-4)
    np.testing.assert_allclose(scores["ssim"], like.mean(1), rtol=1e-3)
    np.testing.assert_allclose(scores["blank_mse"], (truth**2).sum((2, 3, 4)).mean(1), rtol=1e-4)
    last = inputs[:, -1:] - truth
    np.testing.assert_allclose(scores["copy_last_mse"], (last**2).sum((2, 3, 4)).mean(1), rtol=1e-4)
    np.testing.assert_allclose(scores["mean_frame_mse"], scores["blank_mse"], rtol=1e-5)  # before the first step


def test_each_networks_gradient_is_of_its_own_loss_alone():
    task, state = small(shape=(6, 16, 16, 1), **{"adversary.objective": "non-saturating", "adversary.width": 2})
    inputs, truth = task.parted(scaled(videos(2, shape=(6, 16, 16, 1))))

    def losses(params, frames):
        return task.adversarial(params, inputs, truth, frames)

    predicted = jnp.asarray(1 - truth)
    by_params, by_frames = jax.jit(jax.grad(lambda *a: losses(*a)[0], argnums=(0, 1)))(state.params, predicted)
    alone = jax.jit(jax.grad(lambda params: losses(params, predicted)[1]["discriminator_loss"]))(state.params)
    jax.tree.map(np.testing.assert_array_equal, by_params["discriminator"], alone["discriminator"])
    generator = jax.jit(jax.grad(lambda frames: losses(state.params, frames)[1]["adversarial_loss"]))(predicted)
    np.testing.assert_allclose(by_frames, generator, rtol=1e-5, atol=1e-8)
    assert np.any(by_frames) and not any(np.any(leaf) for leaf in jax.tree.leaves(by_params["forecaster"]))


def test_forecasts_come_from_the_moving_average():
    task, state = plain()
    other = jax.tree.map(lambda leaf: leaf + 0.1, state.params)
    inputs = videos(1)[:, :3] / np.float32(255)
    predicted = forecasts(task)(state.replace(ema=other), inputs)
    assert predicted.shape == (1, 2, 8, 8, 1) and predicted.min() >= 0 and predicted.max() <= 1
    np.testing.assert_array_equal(predicted, forecasts(task)(state.replace(params=other), inputs))


def test_strips_and_films_show_what_they_say():
    task, state = plain()
    batch = {"video": videos(3)}
    sheet = np.asarray(jax.jit(task.pictures)(state, batch, None)["strips"])
    assert sheet.shape == (1, 3 * 3 * 8, 3 * 8, 1)
    frames = sheet.reshape(3, 3, 8, 3, 8, 1).swapaxes(2, 3)  # clip, row, frame
    np.testing.assert_allclose(frames[:, 0], batch["video"][:, :3] / 255, rtol=1e-6)
    np.testing.assert_allclose(frames[:, 1, :2], batch["video"][:, 3:5] / 255, rtol=1e-6)
    film = np.asarray(jax.jit(task.films)(state, batch, None)["forecasts"])
    assert film.shape == (3, 5, 8, 8 + 1 + 8, 1)
    np.testing.assert_allclose(film[:, :, :, :8], batch["video"][:, :5] / 255, rtol=1e-6)
    np.testing.assert_allclose(film[:, :3, :, 9:], batch["video"][:, :3] / 255, rtol=1e-6)
    np.testing.assert_allclose(film[:, 3:, :, 9:], frames[:, 2, :2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model.inputs": 5}, "clips of 6 frames are too short for 5 inputs and 2 outputs; lower"),
        ({"model.patch": 3}, r"frames of 8×8 pixels cannot be cut into patches of 3: choose .*data\.size=9"),
        (
            {"model.scales": (2, 1), "model.widths": (4, 4), "model.patch": 8},
            "cannot be cut into 2 patches of 8: .*size=16",
        ),
        ({"model.scales": (1, 2)}, r"model.scales is \(1, 2\): it must have one number for each of model.widths"),
        (
            {"model.scales": (2, 1), "model.widths": (6, 4)},
            "model.scales go from 2 to 1: .* the 6 channels of model.widths",
        ),
        ({"model.scales": (1,), "model.widths": (4, 4)}, r"model.scales is \(1,\)"),
        ({"model.brightness": 1.0}, "model.brightness is 1; it must be above 0 and below 1"),
        ({"model.inputs": 1}, "model.inputs is 1; it must be at least 2"),
        ({"model.cell": "lsmt"}, "unknown model.cell 'lsmt'; did you mean 'lstm'"),
        ({"model.kernel": 4}, "model.kernel odd"),
        ({"model.widths": ()}, "channels of at least one layer"),
        ({"model.cell": "gru", "model.peepholes": True}, "model.peepholes are for model.cell=lstm"),
        ({"loss.bce": 0.0}, "all weights of loss are 0; give one of bce, l1, mse some weight"),
        ({"finish.l1": -1.0}, r"finish\.l1 is -1; it must be at least 0"),
        ({"teacher.fall": "cliff"}, "unknown teacher.fall 'cliff'"),
        ({"teacher.start": 1.5}, "teacher.start is 1.5; a probability is at most 1"),
        ({"augment.color": 2.0}, "augment.color is 2; it must be from 0 to 1"),
        ({"augment.turn": True, "shape": (6, 8, 16, 1)}, "augment.turn needs squares, the pictures have 16x8 pixels$"),
        ({"classify": 1.0}, "clips can be classified only where the dataset has class labels"),
        ({"past": 0.0, "future": 0.0}, "there is nothing to learn"),
        ({"adversary.objective": "hing"}, "unknown adversary.objective 'hing'; did you mean 'hinge'"),
        ({"adversary.objective": "hinge"}, "no pictures of 8x8 pixels"),
    ],
)
def test_settings_that_cannot_be_are_told(changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        small(**changes)
