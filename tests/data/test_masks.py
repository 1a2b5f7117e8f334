"""Masks beside pictures: every kind of file, and everything that can be wrong with them."""

import numpy as np
import pytest
from PIL import Image

from jaxstyle.data.masks import Masks
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError

VALUES = np.array([[0, 1, 2], [2, 0, 1]])
NAMES = ("ground", "cat", "dog")


def save(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)


@pytest.fixture
def folder(tmp_path):
    """Six pictures of 3×2 pixels, each of its own grey."""
    for i in range(6):
        save(tmp_path / "images" / f"{i}.png", np.full((2, 3, 3), 10 * i, np.uint8))
    return tmp_path


def write_masks(folder, array=VALUES, suffix=".png", **options):
    for i in range(6):
        save(folder / "masks" / f"{i}{suffix}", array.astype(np.uint8), **options)


def opened(folder, split="train", size=0, **options):
    masks = Masks(str(folder / "masks"), **{"classes": NAMES, **options})
    return open_dataset("", split, folder=str(folder / "images"), size=size, masks=masks)


def palette(values):
    """Palette indices, whose colours are not grey."""
    image = Image.fromarray(values.astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return image


KINDS = {
    "grey": lambda: Image.fromarray(VALUES.astype(np.uint8)),
    "16 bits": lambda: Image.fromarray(VALUES.astype(np.uint16)),
    "palette": lambda: palette(VALUES),
    "grey in colours": lambda: Image.fromarray(np.repeat(VALUES.astype(np.uint8)[..., None], 3, -1)),
    "with alpha": lambda: Image.fromarray(VALUES.astype(np.uint8)).convert("LA"),
}


@pytest.mark.filterwarnings("ignore:.mode. parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_its_numbers(folder, kind):
    for i in range(6):
        (folder / "masks").mkdir(exist_ok=True)
        KINDS[kind]().save(folder / "masks" / f"{i}.png")
    example = opened(folder).read(2)
    assert example["mask"].dtype == np.uint8 and example["image"][0, 0, 0] == 20
    np.testing.assert_array_equal(example["mask"], VALUES)


def test_a_mask_belongs_to_the_picture_of_its_name_in_either_split(folder):
    for i in range(6):
        save(folder / "masks" / f"{i}.tif", np.full((2, 3), i % 3, np.uint8))
    seen = {}
    for split in ("train", "test"):
        source = opened(folder, split)
        seen |= {int(e["image"][0, 0, 0]) // 10: int(e["mask"][0, 0]) for e in map(source.read, range(source.count))}
    assert seen == {i: i % 3 for i in range(6)}
    assert opened(folder, "test").count == 1  # every fifth


def test_masks_of_numbered_objects_of_16_bits(folder):
    for i in range(6):
        save(folder / "masks" / f"{i}.png", np.array([[0, 300, 0], [65535, 0, 1]], np.uint16))
    example = opened(folder, classes=("ground", "cell"), objects=True).read(0)
    np.testing.assert_array_equal(example["mask"], [[0, 1, 0], [1, 0, 1]])


def test_pictures_and_masks_are_cut_and_resized_alike(tmp_path):
    """The mask's pixels stay numbers, where the picture's are mixed."""
    values = np.zeros((8, 12), np.uint8)
    values[2:6, 4:8] = 2
    save(tmp_path / "images" / "train" / "a.png", np.repeat(values[..., None] * 100, 3, -1))
    save(tmp_path / "masks" / "train" / "a.png", values)
    example = opened(tmp_path, size=4).read(0)
    np.testing.assert_array_equal(example["mask"], [[0, 0, 0, 0], [0, 2, 2, 0], [0, 2, 2, 0], [0, 0, 0, 0]])
    assert example["image"].shape == (4, 4, 3) and np.all(example["image"][1:3, 1:3] > 100)


def test_a_datasets_own_field(shapes_dir):
    names = ("ground", *map(str, range(10)))
    source = open_dataset("jaxstyle_shapes/tiny", "test", data_dir=shapes_dir, size=16, masks=Masks(classes=names))
    example = source.read(3)
    assert (example["mask"].shape, example["mask"].dtype) == ((16, 16), np.uint8)
    assert set(np.unique(example["mask"])) == {0, example["label"] + 1}
    few = open_dataset("jaxstyle_shapes/tiny", "test", data_dir=shapes_dir, masks=Masks(classes=NAMES))
    with pytest.raises(JaxstyleError, match=r"the mask of example 3 holds the value \d+, .* names 3 values, 0 to 2"):
        few.read(3)
    other = open_dataset("jaxstyle_shapes/tiny", "test", data_dir=shapes_dir, masks=Masks(field="msk", classes=NAMES))
    with pytest.raises(JaxstyleError, match=r"no field 'msk' \(data.mask_field\); it has .*'mask'"):
        other.read(0)
    wrong = open_dataset("jaxstyle_shapes/tiny", "test", data_dir=shapes_dir, masks=Masks(field="image", classes=NAMES))
    with pytest.raises(JaxstyleError, match=r"the field 'image' is no mask: it is uint8 \(32, 32, 3\)"):
        wrong.read(0)


def test_what_masks_cannot_be_is_told_by_name(folder):
    with pytest.raises(JaxstyleError, match="there is no folder of masks"):
        opened(folder)
    (folder / "masks").mkdir()
    with pytest.raises(JaxstyleError, match=r"the folder of masks '.*masks' holds no pictures"):
        opened(folder)
    write_masks(folder)
    save(folder / "masks" / "2.png", np.full((2, 3), 255, np.uint8))
    with pytest.raises(JaxstyleError, match=r"2\.png' holds the value 255, .* 0 to 2; .*mask_objects=True"):
        opened(folder).read(2)
    save(folder / "masks" / "2.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(JaxstyleError, match=r"2\.png' has 2x3 pixels, its picture 3x2; they must be equal"):
        opened(folder).read(2)
    save(folder / "masks" / "2.png", np.random.default_rng(0).integers(0, 255, (2, 3, 3), np.uint8))
    with pytest.raises(JaxstyleError, match=r"2\.png' is in colours \(mode RGB\)"):
        opened(folder).read(2)
    (folder / "masks" / "2.png").write_bytes(b"nothing")
    with pytest.raises(JaxstyleError, match=r"2\.png' is not a picture in a known format"):
        opened(folder).read(2)
    (folder / "masks" / "2.png").unlink()
    with pytest.raises(JaxstyleError, match=r"the picture '2\.png' has no mask of its name in '.*masks'"):
        opened(folder)
    write_masks(folder, suffix=".tif")
    with pytest.raises(JaxstyleError, match=r"0\.png' and '.*0\.tif' are masks of one picture"):
        opened(folder)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": ("one",)}, "data.mask_classes has 1 names; masks need 2 to 256"),
        ({"classes": NAMES, "objects": True}, "has 3 names; masks that number objects .* have 2"),
    ],
)
def test_classes_that_cannot_be(options, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        Masks(**options)
