"""Fast style: its loss against pixel stylisation's, that it learns, and bad input; `test_contract.py` has the rest."""

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.evaluate import reopened
from jaxstyle.inference.run import open_run
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.perceptual.objective import Activations
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective
from jaxstyle.tasks import fast_style
from jaxstyle.training import loop, step
from jaxstyle.training.config import override, typed
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo

LAYERS = ("relu1_1", "relu2_1")


@pytest.fixture
def whole(config):
    """With all that there is."""
    config.update(content_layers=LAYERS[1:], style_layers=LAYERS, layer_weights=(4.0, 3.0))
    config.update(temporal_weight=0.5, motion=2.0)
    return config


@pytest.mark.slow
def test_a_reopened_run_has_its_features_again(whole, tmp_path):
    names = ["loss", "content", "style", "temporal", "total_variation"]
    state = loop.run(whole, tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert state.fixed is not None and run.state.fixed is None  # checkpoints do not have the features
    evaluation, state = reopened(run)
    scores = evaluation.scores(state)
    np.testing.assert_allclose(sum(scores[name] for name in names[1:]), scores["loss"], rtol=1e-5)


def task_of(config):
    spec = {"image": jax.ShapeDtypeStruct((16, 16, 3), np.uint8)}
    return fast_style.make(typed(fast_style.Config, config), RunInfo(Extent(100, 8), 10, spec))


@pytest.mark.slow
def test_rematerialised_terms_and_gradients_are_the_same(whole):
    plain, again = (task_of(override(whole, {"remat": remat})) for remat in (False, True))
    fixed, photos = jax.tree.map(jnp.asarray, plain.fixed()), jnp.stack([tiny.picture(i, 16, 16) for i in range(2)])
    keys = jax.random.split(jax.random.key(0), 2)
    params = plain.init(jax.random.key(1)).params
    losses = [lambda x, task=task: jnp.sum(task.terms(x, fixed, photos, keys)["loss"]) for task in (plain, again)]
    assert ["remat" in str(jax.make_jaxpr(jax.grad(loss))(params)) for loss in losses] == [False, True]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        *(jax.jit(jax.value_and_grad(loss))(params) for loss in losses),
    )


def test_the_terms_are_those_of_pixel_stylisation(whole):
    whole.update(style_loss="wasserstein", style_size=40)
    whole.update(matching_weight=0.3, structure_weight=0.1, matching_layers=LAYERS[1:])
    task, config = task_of(whole), whole
    fixed, loss_of = task.fixed(), task.loss
    photos, made = (jnp.stack([tiny.picture(seed + i, 16, 16) for i in range(2)]) for seed in (0, 5))
    terms = jax.jit(lambda *given: loss_of(*given))(fixed.features, made, photos, fixed.styles)

    @jax.jit
    def alone(painting, photo, picture):
        seen = loss_of.objective.style_moments(painting, fixed.features)
        style = loss_of.objective.style_targets([seen], jnp.ones(1), None, None)
        content = loss_of.objective.content_targets(photo, fixed.features)
        bags = [loss_of.objective.bags(painting, fixed.features)]
        places = loss_of.objective.matching_targets(photo, fixed.features, bags, jnp.ones(1), None)
        matching = {layer: target._replace(guidance=0.75) for layer, target in places.items()}
        stage = StageObjective(loss_of.objective.objective(content, style, loss_of.weights, matching))
        found = loss_of.objective.extract(picture, fixed.features, LAYERS)
        seen = Activations(picture, {layer: x[None] for layer, x in found.items()}, {})
        stage = stage._replace(objective=stage.objective.having(stage.objective.matches(seen)))
        loss = ObjectiveLoss(loss_of.objective.network, descends=True)  # as `jaxstyle stylize` has it
        return loss(picture, stage, fixed.features, jax.random.key(0))

    for i in range(2):
        painting = read_picture(config.styles[i]).rgb
        size = fit_size(*painting.shape[:2], 40)
        loss, parts = alone(resize(painting, *size), photos[i], made[i])
        np.testing.assert_allclose(terms["loss"][i], loss, rtol=1e-4)
        styles = [value for name, value in parts.items() if name.startswith("style/")]
        np.testing.assert_allclose(terms["style"][i], sum(styles), rtol=1e-4)
        assert terms["matching"][i] > 0.01 and terms["structure"][i] > 1e-4


@pytest.mark.slow
def test_the_gradient_is_that_of_differences(whole):
    """Along the gradient, of all terms together; in float32 such a difference has some three digits."""
    task = task_of(whole)
    state, fixed = task.init(jax.random.key(0)), jax.tree.map(jnp.asarray, task.fixed())
    photos = jnp.stack([tiny.picture(i, 12, 12) for i in range(2)])
    keys = jax.random.split(jax.random.key(1), 2)
    loss = jax.jit(jax.value_and_grad(lambda params: jnp.mean(task.terms(params, fixed, photos, keys)["loss"])))
    _, slope = loss(state.params)
    size = step.norm(slope)
    ends = [loss(jax.tree.map(lambda x, d: x + t * d / size, state.params, slope))[0] for t in (1e-3, -1e-3)]  # noqa: B023
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-3, size, rtol=2e-2)


@pytest.mark.slow
def test_it_learns_each_style(config, tmp_path):
    changes = {"devices": 1, "content_weight": 0.001, "optimizer.learning_rate": 0.02}
    training, _, metrics = contract.stepped(override(config, changes), tmp_path, 1)
    first = metrics["style"]
    for number in range(1, 80):
        training.state, metrics = training.train_step(training.state, training.batch(number), training.train_key)
    assert metrics["style"] < 0.4 * first
    task, state = training.task, jax.device_get(training.state)
    photos = jnp.stack([tiny.picture(0, 16, 16)] * 2)
    loss_of, stylize = jax.jit(lambda *given: task.loss(*given)), jax.jit(lambda *given: task.stylize(*given))
    right, wrong = (
        loss_of(state.fixed.features, stylize(state.params, photos, jnp.eye(2)[order]), photos, state.fixed.styles)
        for order in (np.array([0, 1]), np.array([1, 0]))
    )
    assert (right["style"] < wrong["style"]).all()


def test_pictures_show_photos_beside_every_style(config, tmp_path):
    training = contract.begun(config, tmp_path)
    batch = {"image": np.stack([tiny.picture(i, 16, 16) * 255 for i in range(3)]).astype(np.uint8)}
    shown = jax.jit(training.task.pictures)(jax.device_get(training.state), batch, jax.random.key(0))["stylised"]
    assert shown.shape == (4, 16, 16, 3)  # two pairs
    np.testing.assert_allclose(shown[0], batch["image"][0] / np.float32(255))
    assert not np.allclose(shown[1], shown[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"styles": ()}, "there is no style to learn: name paintings by styles="),
        ({"styles": ("nowhere.png",)}, "'nowhere.png'"),
        ({"data.name": ""}, "there are no photos to train on: name a folder of them by data.folder=DIR"),
        ({"augment.crop": 20}, "augment.crop is 20; it must be at most the photos' 16x16"),
        ({"augment.crop": 4}, "photos of 4 px are too small for the layers"),
        ({"augment.pad": 2}, "augment.pad puts black around photos"),
        ({"content_weight": -1.0}, "content_weight is -1; it must be at least 0"),
        ({"style_layers": ("relu9_1",)}, "unknown layer 'relu9_1'"),
        ({"layer_weights": (1.0, 2.0)}, "has 2 numbers for 1 style layers"),
        ({"style_loss": "grim"}, "'grim' is unknown; did you mean 'gram'"),
        ({"model.output": "relu"}, "unknown output 'relu'"),
        ({"temporal_weight": -0.5}, "temporal_weight is -0.5; it must be at least 0"),
    ],
)
def test_bad_input_is_one_sentence(config, tmp_path, changes, message):
    with pytest.raises(JaxstyleError, match=message.replace("(", r"\(").replace("?", r"\?")):
        loop.run(override(config, changes), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_two_styles_of_one_name_are_told():
    with pytest.raises(JaxstyleError, match="two styles are called 'wave': rename one of the files"):
        fast_style.style_names(["a/wave.png", "b/wave.jpg"])
