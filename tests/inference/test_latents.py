"""Latents by seed, out of files and into them, and mixed styles: from Python and by the command."""

import numpy as np
import pytest
from latent_tasks import Latents, Styled, Unlabelled, opened

import jaxstyle
from jaxstyle import cli
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import latents, run, sample
from jaxstyle.media.image_reading import read_picture


def drawn(run, points):
    return np.concatenate(list(latents.pictures(run, points)))


def test_a_picture_is_one_of_its_seed():
    many, few = (latents.of_seeds(opened(Unlabelled()), seeds) for seeds in (range(100), [70, 3]))
    np.testing.assert_array_equal(few.values, many.values[[70, 3]])
    assert abs(many.values.mean()) < 0.05 and abs(many.values.std() - 1) < 0.05 and many.labels is None
    np.testing.assert_allclose(
        drawn(opened(Unlabelled()), many), np.clip(0.5 + many.values.reshape(100, 5, 10, 1) / 10, 0, 1), atol=1e-6
    )
    assert latents.of_seeds(opened(Latents()), [5, 6, 7], ["b", 8]).labels.tolist() == [1, 8, 1]


def test_files_give_back_what_they_were_given(tmp_path):
    run = opened(Styled())
    points = latents.of_seeds(run, [1, 2], [3, 4])
    for number, given in enumerate((points, latents.styles_of(run, points))):
        given.write(tmp_path / f"{number}.npz")
        found = latents.read(tmp_path / f"{number}.npz", run)
        np.testing.assert_array_equal(found.values, given.values)
        assert (found.labels is None) == (given.labels is None) == bool(number)
        np.testing.assert_allclose(drawn(run, found), drawn(run, points), atol=1e-6)
    assert found.values.shape == (2, 2, 50)


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (b"no zip", "cannot be read as an .npz of latents"),
        ({"other": np.zeros((2, 50))}, r"it must have finite 'latents' of shape \(N, 50\)"),
        ({"latents": np.zeros((2, 49))}, r"it must have finite 'latents' of shape \(N, 50\)"),
        ({"latents": np.full((2, 50), np.nan)}, "must have finite 'latents'"),
        ({"styles": np.zeros((2, 3, 50))}, r"it must have finite 'styles' of shape \(N, 2, 50\)"),
        (
            {"latents": np.zeros((2, 50)), "labels": np.zeros(3, int)},
            "must have 'labels' of whole numbers, one a latent",
        ),
        ({"latents": np.zeros((2, 50)), "labels": np.array([1, 10])}, "there is no class 10"),
    ],
)
def test_files_that_do_not_suit_are_told(tmp_path, contents, sentence):
    if isinstance(contents, dict):
        np.savez(tmp_path / "x.npz", **contents)
    else:
        (tmp_path / "x.npz").write_bytes(contents)
    with pytest.raises(JaxstyleError, match=sentence):
        latents.read(tmp_path / "x.npz", opened(Styled()))


def test_mixed_pictures_have_one_seed_by_the_first_layers_and_another_by_the_rest():
    run = opened(Styled())
    first, second = (latents.of_seeds(run, seeds, [5]) for seeds in ([1, 2], [3, 4, 5]))
    made = drawn(run, latents.mixed(run, first, second)).reshape(2, 3, 5, 10, 1)
    np.testing.assert_allclose(made[:, :, :, :5], drawn(run, first)[:, None, :, :5].repeat(3, 1), atol=1e-6)
    np.testing.assert_allclose(made[:, :, :, 5:], drawn(run, second)[None, :, :, 5:].repeat(2, 0), atol=1e-6)
    swapped = drawn(run, latents.mixed(run, first, second, [0])).reshape(2, 3, 5, 10, 1)
    np.testing.assert_allclose(swapped[:, :, :, :5], drawn(run, second)[None, :, :, :5].repeat(2, 0), atol=1e-6)
    with pytest.raises(JaxstyleError, match="there is no layer 2; the generator has 2, from 0 to 1"):
        latents.mixed(run, first, second, [2])
    with pytest.raises(JaxstyleError, match="the task 'toy' maps latents to no styles"):
        latents.mixed(opened(Unlabelled()), first, second)


def test_the_command_and_the_function(tmp_path, monkeypatch, capsys):
    for module in (run, sample):
        monkeypatch.setattr(module, "open_run", lambda *arguments: opened(Styled()))
    grid, file = tmp_path / "grid.png", str(tmp_path / "points.npz")
    assert cli.main(["sample", "x", "--seeds", "1,7:9", "--labels", "3", "--save-latents", file, "-o", str(grid)]) == 0
    pictures = jaxstyle.sample("x", seeds=[1, 7, 8], labels="3")
    np.testing.assert_array_equal(jaxstyle.sample("x", latents=file), pictures)
    shown = read_picture(grid).rgb[2:7, 2:12, :1]
    np.testing.assert_allclose(shown, pictures[0], atol=0.51 / 255)  # the file has 8 bits
    words = ["sample", "x", "--style-mix", "1", "2,3", "--labels", "3", "-o", str(grid)]
    assert cli.main([*words, "--save-latents", file]) == 0 and np.load(file)["styles"].shape == (2, 2, 50)
    np.testing.assert_allclose(
        jaxstyle.sample("x", style_mix=([1], [2, 3]), labels=[3]), jaxstyle.sample("x", latents=file), atol=1e-6
    )
    for wrong, sentence in (
        (["--seeds", "1", "--latents", file], "give one of them"),
        (["--layers", "1"], "layers are those of style-mix"),
        (["--seeds", "one"], "--seeds 'one' is not of the form 7, 3,5 or 0:10"),
        (["--save-latents", file], "--save-latents needs --seeds or --style-mix"),
    ):
        assert cli.main(["sample", "x", "-o", str(grid), *wrong]) == 2
        assert sentence in capsys.readouterr().err
