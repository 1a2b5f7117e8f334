"""Networks of any style: that the decoder alone learns, and bad input; `test_contract.py` has the rest."""

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import load
from jaxstyle.models.adain import Styles
from jaxstyle.tasks import any_style
from jaxstyle.training import loop
from jaxstyle.training.config import override
from jaxstyle.training.config_file import absolute
from jaxstyle.training.task import typed_config

ENCODERS = {
    "adain": ["conv1_1", "conv1_2", "conv2_1"],
    "transport": ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"],
}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "left"), [("adain", 0.5), ("transport", 0.85)])  # transport is near from the start
def test_the_decoder_learns_and_nothing_else_is_trained(config, tmp_path, network, left):
    changes = {"model.network": network, "devices": 1, "optimizer.learning_rate": 0.02, "content_weight": 0.001}
    changes["model.window"] = 3  # of 7×7 pixels a crop of 12 holds too few to tell how they vary
    training, start, _ = contract.stepped(override(config, changes), tmp_path, 1)
    assert "encoder" not in start and not any(name.startswith("encoder") for name in start)
    first = training.evaluate()["style"]
    for number in range(1, 60):
        training.state, _ = training.train_step(training.state, training.batch(number), training.train_key)
    assert training.evaluate()["style"] < left * first  # of whole paintings, where training saw parts
    made_by, params, styles = training.task.style_network(jax.device_get(training.state))
    assert styles == ()
    given = load(config.features).params
    assert sorted(params["encoder"]) == [*ENCODERS[network], "preprocess"]
    for name, leaves in params["encoder"].items():
        jax.tree.map(np.testing.assert_array_equal, leaves, given[name])
    task, state = training.task, training.state
    paintings = task.resized(jnp.asarray(state.fixed.paintings[:2], jnp.float32) / 255)
    photos = jnp.stack([tiny.picture(0, 12, 12)] * 2)
    made = task.stylize(state.params, state.fixed, photos, task.encode_styles(state.params, state.fixed, paintings))
    np.testing.assert_allclose(made[0], alone(made_by, params, photos[0], paintings[0]), atol=1e-4)
    assert not np.allclose(made[0], made[1], atol=1e-2)  # each in its own style


def alone(network, params, photo, painting):
    """What a network makes of one photo and one painting."""
    variables = {"params": params}
    moments = network.apply(variables, painting[None], method="style_of")
    styles = Styles(jax.tree.map(lambda leaf: leaf[:, None], moments), jnp.ones(1))
    return network.apply(variables, photo[None], jnp.ones((1, *photo.shape[:2], 1)), styles)[0]


def test_entries_are_drawn_as_often_whatever_they_hold(config, tmp_path, pictures):
    config.styles = (str(pictures), str(pictures / "photo.png"))
    task = loop.Training(typed_config(config), absolute(tmp_path)).task
    fixed = task.fixed()
    np.testing.assert_allclose(fixed.chances, [1 / 6, 1 / 6, 1 / 6, 1 / 2])
    drawn = jax.jit(task.draw_paintings)(fixed, jax.random.split(jax.random.key(0), 2000))
    photo = np.isclose(drawn, fixed.paintings[3] / np.float32(255)).all((1, 2, 3))
    assert abs(photo.mean() - 2 / 3) < 0.05  # it is in the folder as well


@pytest.mark.slow
def test_pictures_show_photos_beside_paintings_styles(config, tmp_path):
    training = contract.begun(config, tmp_path)
    assert training.state.fixed.paintings.shape == (3, 24, 24, 3)
    batch = {"image": np.stack([tiny.picture(i, 16, 16) * 255 for i in range(2)]).astype(np.uint8)}
    shown = jax.jit(training.task.pictures)(jax.device_get(training.state), batch, jax.random.key(0))["stylised"]
    assert shown.shape == (4, 16, 16, 3)
    np.testing.assert_allclose(shown[0], batch["image"][0] / np.float32(255))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"styles": ()}, "there is no style to learn"),
        (
            {"style_size": 900, "data.resident_megabytes": 0.1},
            r"paintings of 900 px take \d+ MB on every device, more than data.resident_megabytes=0.1",
        ),
        ({"model.network": "adian"}, "unknown model.network 'adian'; did you mean 'adain'"),
        ({"model.width": 0}, "model.width is 0; it must be at least 1"),
        ({"model.window": 4}, "model.window is 4; a window has a middle: make it odd"),
        (
            {"model.network": "adain", "model.layer": "conv2_1"},
            "model.layer is 'conv2_1'; the encoder must end at a ReLU, such as 'relu4_1'",
        ),
        ({"model.network": "adain", "model.layer": "relu9_1"}, "unknown layer 'relu9_1'"),
    ],
)
def test_bad_input_is_one_sentence(config, tmp_path, changes, message):
    with pytest.raises(JaxstyleError, match=message):
        loop.run(override(config, changes), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_a_folder_without_pictures_and_features_that_are_no_vgg_are_told(config, tmp_path):
    with pytest.raises(JaxstyleError, match="holds no pictures"):
        loop.run(override(config, {"styles": (str(tmp_path),)}), tmp_path / "run")
    with pytest.raises(JaxstyleError, match=r"features 'tiny' are no VGG, which the encoder must be"):
        any_style.encoder_widths(tiny.features().__class__("tiny", object(), {}), "relu2_1")
