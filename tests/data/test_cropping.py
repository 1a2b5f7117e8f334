"""Sizes and channels of a folder's pictures, and of the masks beside them."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.data.config import DataConfig
from jaxstyle.data.cropping import fit_example
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import read_picture
from jaxstyle.tasks import segment, vae
from jaxstyle.training import loop
from jaxstyle.training.config import as_config, check_common, override, typed


def test_masks_go_where_their_pictures_go():
    image = np.zeros((40, 80, 3), np.uint8)
    image[10:30, 20:60] = 255
    mask = (image[..., 0] > 0).astype(np.uint8)
    for fit, size in (("crop", (40, 40)), ("stretch", (20, 20)), ("pad", (40, 80 * 2))):
        made = fit_example({"image": image, "mask": mask}, size, fit)
        assert made["image"].shape == (*size, 3) and made["mask"].shape == size
        inside = made["mask"] != 255
        assert ((made["image"][..., 0] > 127) == (made["mask"] == 1))[inside].all()
    assert (made["mask"][:, :40] == 255).all() and inside.sum() == 40 * 80


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        pixels = np.full((30, 50, 4), 10 * number + 10, np.uint8)
        pixels[..., 3] = 200
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return str(tmp_path)


@pytest.mark.parametrize(("channels", "last"), [(1, 10), (3, 10), (4, 200)])
def test_pictures_of_a_folder(folder, channels, last):
    data = DataConfig(folder=folder, size="96x64", fit="pad", channels=channels)
    image = open_dataset(data, "train", labels=False).read(1)["image"]
    assert image.shape == (64, 96, channels) and image.dtype == np.uint8
    assert (image[:3] == 0).all() and image[32, 48, -1] % last == 0 < image[32, 48, -1]  # 96 / 50 of 30 rows are 58


def test_a_size_is_a_number_or_a_text_in_recipes_and_flags():
    config = as_config(segment.Config())
    config.data.size = 64
    assert typed(segment.Config, config).data.shape == (64, 64)
    for made in (config, override(config, {}), segment.Config()):
        assert typed(segment.Config, override(made, {"data.size": "96x64"})).data.shape == (64, 96)
    assert config.data.size == 64
    with pytest.raises(JaxstyleError, match=r"data.size is 1.5; it must be a number or a text"):
        typed(segment.Config, override(config, {"data.size": 1.5}))


def test_only_tasks_that_can_take_other_channels(folder):
    data = DataConfig(folder=folder, channels=4)
    check_common(segment.Config(data=data))
    with pytest.raises(JaxstyleError, match=r"data.channels is 4, and jaxstyle.tasks.vae takes pictures of 1 or 3"):
        check_common(vae.Config(data=data))


@pytest.mark.slow
def test_a_segmentation_learns_from_thirteen_bands_of_unequal_sides(tmp_path):
    (tmp_path / "masks").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        mask = np.zeros((24, 40), np.uint8)
        mask[:, : rng.integers(10, 30)] = 1
        bands = rng.integers(0, 400, (13, 24, 40), np.uint16)
        bands[7] += np.uint16(3000) * mask
        tifffile.imwrite(tmp_path / f"{number}.tif", bands, photometric="minisblack", planarconfig="separate")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    config = as_config(segment.Config())
    config.data.update(folder=str(tmp_path), masks=str(tmp_path / "masks"), size="32x16", fit="stretch")
    config.data.update(channels=13, white=4000, mask_classes=("no", "yes"))
    config.model.update(width=4, levels=1)
    config.optimizer.learning_rate = 0.02
    config.update(train_steps=60, eval_steps=60, batch_size=4, devices=1, progress="off")
    run = tmp_path / "run"
    loop.run(config, run)
    out = tmp_path / "out"
    assert main(["segment", str(run), str(tmp_path / "0.tif"), "-o", str(out)]) == 0
    found = read_picture(out / "masks" / "0.png").rgb[..., 0] > 0
    right = read_picture(tmp_path / "masks" / "0.png").rgb[..., 0] > 0
    assert (found == right).mean() > 0.95
    assert read_picture(out / "overlays" / "0.png").rgb.shape == (24, 40, 3)
