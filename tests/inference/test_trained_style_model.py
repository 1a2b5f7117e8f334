"""A training's workdir as a style model: applied as it is, and converted into a folder of its own."""

import os
import shutil

import jax
import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.run import open_run
from jaxstyle.inference.style_model import load_model
from jaxstyle.media.image_writing import write_picture
from jaxstyle.tasks import fast_style
from jaxstyle.training import loop
from jaxstyle.training.config import as_config, override
from jaxstyle.training.config_file import with_absolute_paths


@pytest.fixture(scope="module")
def workdir(shapes_dir, tiny_features, tmp_path_factory):
    """Of two steps, whose paintings are gone."""
    folder = tmp_path_factory.mktemp("trained")
    for seed, name in enumerate(("wave", "candy")):
        write_picture(folder / f"{name}.png", tiny.picture(seed, 24, 24))
    config = as_config(fast_style.Config())
    config.data.update(name="jaxstyle_shapes/tiny", data_dir=shapes_dir, size=8)
    config.data.eval_split = "test[:8]"
    config.styles = (str(folder / "wave.png"), str(folder / "candy.png"))
    config.update(features=str(tiny_features), content_layers=("relu1_1",), style_layers=("relu1_1",))
    config.update(layer_weights=(1.0,), style_loss="mean-std", devices=1, batch_size=4, progress="off")
    config.update(train_steps=2, eval_epochs=0.0, checkpoint_steps=2, log_steps=1, ema_decay=0.5)
    config.model.update(width=4, blocks=0)
    loop.run(config, folder / "run")
    for name in ("wave", "candy"):
        (folder / f"{name}.png").unlink()
    return folder / "run"


@pytest.mark.slow
def test_a_workdir_is_applied_and_converted(workdir, tmp_path, capsys):
    model = load_model(workdir)
    assert model.styles == ("wave", "candy") and model.notes["steps"] == "2"
    photo = tiny.picture(3, 20, 24)
    made = jaxstyle.apply_style(photo, "candy", str(workdir))
    forward = jax.jit(lambda params, *given: model.network.apply({"params": params}, *given))
    expected = forward(model.params, photo[None], np.array([[0, 1]], np.float32))[0]
    np.testing.assert_allclose(made, np.clip(expected, 0, 1), atol=1e-5)

    assert main(["models", "convert", str(workdir), str(tmp_path / "model")]) == 0
    assert "2 style(s)" in capsys.readouterr().out
    assert (tmp_path / "model" / "preview.png").exists()
    converted = load_model(tmp_path / "model")
    assert converted.styles == model.styles and converted.network == model.network
    jax.tree.map(np.testing.assert_array_equal, converted.params, model.params)
    assert main(["models", "show", str(workdir)]) == 0
    assert "candy" in capsys.readouterr().out


def test_a_run_goes_on_with_its_styles_in_their_order(workdir):
    config = open_run(workdir).config
    for path in config.styles:
        write_picture(path, tiny.picture(0, 24, 24))
    with pytest.raises(JaxstyleError, match="cannot go on with another config: styles was"):
        loop.run(override(config, {"styles": tuple(reversed(config.styles))}), workdir)
    assert load_model(workdir).styles == ("wave", "candy")
    for path in config.styles:
        os.unlink(path)


def test_paintings_and_features_mean_the_same_from_every_folder(shapes_dir, tmp_path, monkeypatch):
    (tmp_path / "paint").mkdir()
    (tmp_path / "nets.npz").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    config = override(fast_style.Config(), {"styles": ("paint", "example:mosaic"), "features": "nets.npz"})
    made = with_absolute_paths(config)
    assert made.styles == (str(tmp_path / "paint"), "example:mosaic") and made.features == str(tmp_path / "nets.npz")
    assert with_absolute_paths(override(config, {"features": "vgg19"})).features == "vgg19"


def test_what_is_kept_is_the_moving_average(workdir):
    state = open_run(workdir).state
    jax.tree.map(np.testing.assert_array_equal, load_model(workdir).params, state.ema)


def test_other_workdirs_are_told(tiny_run, workdir, tmp_path):
    with pytest.raises(JaxstyleError, match="which makes no style network"):
        load_model(tiny_run)
    shutil.copytree(workdir, tmp_path / "new")
    shutil.rmtree(tmp_path / "new" / "checkpoints")
    with pytest.raises(JaxstyleError, match="holds no checkpoint yet"):
        load_model(tmp_path / "new")
