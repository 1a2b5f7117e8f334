"""Films through latent space: closed even paths through normal latents, frames from Python and by the command."""

import jax
import numpy as np
import pytest
from latent_tasks import Latents, Styled, Unlabelled, opened
from PIL import Image

from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import interpolation, latents, run
from jaxstyle.tasks import gan, vae


def test_paths_are_closed_even_and_as_far_out_as_normal_latents():
    stops = np.asarray(jax.random.normal(jax.random.key(0), (4, 3, 500)))
    points = np.stack(list(interpolation.paths(stops, 40)))
    assert points.shape == (40, 3, 500)
    np.testing.assert_allclose(points[::10], stops, atol=1e-4)
    steps = np.linalg.norm(np.roll(points, -1, 0) - points, axis=-1)
    angle = np.pi / 2 / 10  # two random latents are at a right angle, nearly, and 22.4 long
    np.testing.assert_allclose(steps, 500**0.5 * angle, rtol=0.15)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 500**0.5, rtol=0.12)


def test_frames_are_decoded_latents():
    frames = list(interpolation.films(opened(Unlabelled()), 2, 8, seed=3))
    stops = np.asarray(jax.random.normal(jax.random.key(3), (4, 2, 50)))
    points = np.stack(list(interpolation.paths(stops, 8)))
    np.testing.assert_allclose(frames, np.clip(0.1 * points.reshape(8, 2, 5, 10, 1) + 0.5, 0, 1), atol=1e-5)


def test_a_film_keeps_its_label():
    frames = np.stack(list(interpolation.films(opened(Latents()), 2, 4, labels=["b", 8])))
    assert frames[:, 0].mean() < 0.25 and frames[:, 1].mean() > 0.6
    with pytest.raises(JaxstyleError, match="there is no class 10"):
        next(interpolation.films(opened(Latents()), 1, 4, labels=[10]))


def test_what_cannot_be_is_told():
    with pytest.raises(JaxstyleError, match="the task 'toy' has no latents to interpolate between"):
        next(interpolation.films(opened(object()), 1, 8))
    with pytest.raises(JaxstyleError, match="1 films of 3 frames cannot be drawn; at least 1, of 4 frames"):
        next(interpolation.films(opened(Unlabelled()), 1, 3))


def test_a_film_goes_through_the_latents_given_and_between_classes_by_their_styles():
    run = opened(Styled())
    stops = latents.of_seeds(run, [4, 9, 2], labels=[1, 8, 3])
    with pytest.raises(JaxstyleError, match="from one class to another goes through the space w"):
        next(interpolation.films(run, 1, 6, through=stops))
    frames = np.stack(list(interpolation.films(run, 1, 6, through=stops, space="w")))
    shown = np.concatenate(list(latents.pictures(run, stops)))
    np.testing.assert_allclose(frames[::2, 0], shown, atol=1e-6)
    np.testing.assert_allclose(frames[1::2, 0], (shown + np.roll(shown, -1, 0)) / 2, atol=1e-6)  # styles go straight
    with pytest.raises(JaxstyleError, match="goes through two latents at least, and there is one"):
        next(interpolation.films(run, 1, 6, through=latents.of_seeds(run, [4])))


def test_gans_and_variational_autoencoders_decode_latents():
    for task in (gan.GAN, vae.VariationalAutoencoder):
        assert all(hasattr(task, name) for name in ("latents", "decode"))


def test_the_command_writes_a_film_of_a_grid(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "open_run", lambda *arguments: opened(Unlabelled()))
    words = ["sample", "anywhere", "-n", "4", "--interpolate", "--frames", "6", "-o"]
    assert cli.main([*words, str(tmp_path / "film.gif")]) == 0
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.size) == (6, (2 * 10 + 6, 2 * 5 + 6))
    assert cli.main([*words, str(tmp_path / "film.gif"), "--separate", str(tmp_path)]) == 2
    assert "--interpolate makes one film: name it by -o" in capsys.readouterr().err
    assert cli.main([*words, str(tmp_path / "film.png")]) == 2
    assert "a film goes into a folder, a file ending in .gif" in capsys.readouterr().err
