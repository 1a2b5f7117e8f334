"""Masks beside pictures: every kind of file, and everything that can be wrong with them."""

import numpy as np
import pytest
from PIL import Image

from jaxstyle.data.config import DataConfig
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
    """Six pictures for training of 3×2 pixels, each of its own grey."""
    for i in range(6):
        save(tmp_path / "images" / "train" / f"{i}.png", np.full((2, 3, 3), 10 * i, np.uint8))
    save(tmp_path / "images" / "test" / "0.png", np.zeros((2, 3, 3), np.uint8))
    return tmp_path


def write_masks(folder, array=VALUES, suffix=".png", **options):
    for i in range(6):
        save(folder / "masks" / "train" / f"{i}{suffix}", array.astype(np.uint8), **options)


def opened(folder, split="train", classes=NAMES, masks="masks", **settings):
    data = DataConfig(folder=str(folder / "images"), masks=str(folder / masks), mask_classes=classes, **settings)
    return open_dataset(data, split, labels=False)


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
        (folder / "masks" / "train").mkdir(exist_ok=True, parents=True)
        KINDS[kind]().save(folder / "masks" / "train" / f"{i}.png")
    example = opened(folder).read(2)
    assert example["mask"].dtype == np.uint8 and example["image"][0, 0, 0] == 20
    np.testing.assert_array_equal(example["mask"], VALUES)


@pytest.mark.parametrize(("masks", "suffix"), [("masks", ""), ("", "_mask"), ("masks", "_mask")])
def test_a_mask_belongs_to_the_picture_of_its_name_in_either_split(tmp_path, masks, suffix):
    """In a folder of masks, or beside the pictures."""
    for i in range(6):
        save(tmp_path / "images" / f"{i}.png", np.full((2, 3, 3), 10 * i, np.uint8))
        save(tmp_path / (masks or "images") / f"{i}{suffix}.tif", np.full((2, 3), i % 3, np.uint8))
    folder, beside = tmp_path / "images", str(tmp_path / masks) if masks else ""
    data = DataConfig(folder=str(folder), masks=beside, mask_suffix=suffix, mask_classes=NAMES)
    seen = {}
    for split in ("train", "test"):
        dataset = open_dataset(data, split, labels=False)
        seen |= {int(e["image"][0, 0, 0]) // 10: int(e["mask"][0, 0]) for e in map(dataset.read, range(dataset.count))}
        assert ("6 masks" in dataset.describe()) == (masks == "")
    assert seen == {i: i % 3 for i in range(6)}
    (tmp_path / (masks or "images") / f"2{suffix}.tif").unlink()
    with pytest.raises(JaxstyleError, match=rf"images/2\.png' has no mask: there is no 2{suffix}\.\* in"):
        for split in ("train", "test"):
            open_dataset(data, split, labels=False)


def test_masks_in_a_folder_among_the_pictures_are_no_pictures(tmp_path):
    for i in range(4):
        save(tmp_path / "images" / f"{i}.png", np.zeros((2, 3, 3), np.uint8))
        save(tmp_path / "images" / "masks" / f"{i}.png", np.ones((2, 3), np.uint8))
    datasets = [opened(tmp_path, split, masks="images/masks") for split in ("train", "test")]
    assert sum(dataset.count for dataset in datasets) == 4 and datasets[0].read(0)["mask"].all()


def test_masks_of_numbered_objects_of_16_bits(folder):
    for i in range(6):
        save(folder / "masks" / "train" / f"{i}.png", np.array([[0, 300, 0], [65535, 255, 1]], np.uint16))
    example = opened(folder, classes=("ground", "cell"), mask_objects=True).read(0)
    np.testing.assert_array_equal(example["mask"], [[0, 1, 0], [1, 1, 1]])


@pytest.fixture
def disk(tmp_path):
    """A picture, and the mask of a disk, exact (`[64, 64]` bool) and with edges as a drawing program smoothes them."""
    save(tmp_path / "images" / "train" / "a.png", np.zeros((64, 64, 3), np.uint8))
    save(tmp_path / "images" / "test" / "a.png", np.zeros((64, 64, 3), np.uint8))
    rows, columns = np.mgrid[:512, :512]
    fine = (rows - 250) ** 2 + (columns - 270) ** 2 < 100**2
    share = fine.reshape(64, 8, 64, 8).mean((1, 3))
    return tmp_path, share > 0.5, np.rint(share * 255).astype(np.uint8)


LOSSY = {
    "jpg": {"quality": 50},
    "webp": {"quality": 50},
    "jp2": {"irreversible": True, "quality_mode": "rates", "quality_layers": [5]},
}
BINARY = {"classes": ("ground", "disk"), "mask_values": (0, 255), "mask_tolerance": 127}


@pytest.mark.parametrize("suffix", LOSSY)
def test_lossy_masks_are_read_by_named_values_and_refused_as_numbers(disk, suffix):
    folder, exact, smooth = disk
    path = folder / "masks" / "train" / f"a.{suffix}"
    path.parent.mkdir(parents=True)
    Image.fromarray(smooth).save(path, **LOSSY[suffix])
    with Image.open(path) as image:
        stored = np.asarray(image.convert("L"))
    assert ((stored > 0).sum() - exact.sum()) / exact.sum() > 0.1  # so much an object grew
    for settings in ({"classes": NAMES}, {"classes": ("ground", "disk"), "mask_objects": True}):
        with pytest.raises(JaxstyleError, match=r"a\.\w+' is a \w+ file, whose compression changes numbers: name"):
            opened(folder, **settings).read(0)
    found = opened(folder, **BINARY).read(0)["mask"]
    np.testing.assert_array_equal(found, stored > 127)
    assert abs(int(found.sum()) - int(exact.sum())) / exact.sum() < 0.03
    with pytest.raises(JaxstyleError, match=r"a\.\w+' holds \d+ in row \d+, column \d+, which is none of the values"):
        opened(folder, **{**BINARY, "mask_tolerance": 0}).read(0)


def test_smooth_edges_do_not_make_objects_grow(disk):
    folder, exact, smooth = disk
    save(folder / "masks" / "train" / "a.png", smooth)
    with pytest.raises(JaxstyleError, match=r"a\.png' holds 255 and \d+ other values above 0, such as \d+, which"):
        opened(folder, classes=("ground", "disk"), mask_objects=True).read(0)
    np.testing.assert_array_equal(opened(folder, **BINARY).read(0)["mask"], exact)
    save(folder / "masks" / "train" / "a.png", exact.astype(np.uint8) * 255)
    np.testing.assert_array_equal(opened(folder, classes=("no", "yes"), mask_objects=True).read(0)["mask"], exact)
    lossless = folder / "masks" / "train" / "a.webp"
    (folder / "masks" / "train" / "a.png").unlink()
    Image.fromarray(exact.astype(np.uint8) * 255).save(lossless, lossless=True)
    np.testing.assert_array_equal(opened(folder, classes=("no", "yes"), mask_objects=True).read(0)["mask"], exact)


def test_masks_by_colours(folder):
    colors = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255], [224, 224, 192]], np.uint8)
    pixels = np.array([[0, 1, 2], [3, 0, 1]])
    noisy = np.clip(colors[pixels].astype(int) + np.random.default_rng(0).integers(-20, 21, (2, 3, 3)), 0, 255)
    for i in range(6):
        save(folder / "masks" / "train" / f"{i}.png", noisy.astype(np.uint8))
    settings = {"mask_values": ("#000000", "#FF0000", "#0000ff"), "mask_ignore": ("#e0e0c0",), "mask_tolerance": 20}
    np.testing.assert_array_equal(opened(folder, **settings).read(0)["mask"], [[0, 1, 2], [255, 0, 1]])
    with pytest.raises(JaxstyleError, match=r"holds #\w{6}.* data.mask_tolerance=2; .* with \d of"):
        opened(folder, **{**settings, "mask_tolerance": 2}).read(0)
    for i in range(6):
        palette(VALUES).save(folder / "masks" / "train" / f"{i}.png")
    named = opened(folder, mask_values=("#0000ff", "#00ff00", "#ff0000")).read(0)["mask"]
    np.testing.assert_array_equal(named, 2 - VALUES)


def test_ignored_values_stay_apart_also_when_resized(tmp_path):
    """The numbers of objects, of classes, and named ones."""
    values = np.zeros((8, 8), np.uint8)
    values[:, 4:], values[2:6, 2:6] = 255, 1
    expected = np.where(values == 255, 255, values)[1::2, 1::2]
    save(tmp_path / "images" / "train" / "a.png", np.zeros((8, 8, 3), np.uint8))
    save(tmp_path / "masks" / "train" / "a.png", values)
    for settings in ({"mask_objects": True}, {}, {"mask_values": (0, 1)}):
        dataset = opened(tmp_path, classes=("a", "b"), size=4, mask_ignore=(255,), **settings)
        np.testing.assert_array_equal(dataset.read(0)["mask"], expected)


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
    def of_shapes(classes=NAMES, **settings):
        data = DataConfig(name="jaxstyle_shapes/tiny", data_dir=shapes_dir, mask_classes=classes, **settings)
        return open_dataset(data, "test")

    example = of_shapes(("ground", *map(str, range(10))), size=16).read(3)
    assert (example["mask"].shape, example["mask"].dtype) == ((16, 16), np.uint8)
    assert set(np.unique(example["mask"])) == {0, example["label"] + 1}
    shape = int(example["label"]) + 1
    ignored = of_shapes(("ground", *map(str, range(10))), mask_ignore=(shape,)).read(3)["mask"]
    assert set(np.unique(ignored)) == {0, 255}
    with pytest.raises(JaxstyleError, match=r"the mask of example 3 holds the value \d+, .* names 3 values, 0 to 2"):
        of_shapes().read(3)
    with pytest.raises(JaxstyleError, match=r"no field 'msk' \(data.mask_field\); it has .*'mask'"):
        of_shapes(mask_field="msk").read(0)
    with pytest.raises(JaxstyleError, match=r"the field 'image' is no mask: it is uint8 \(32, 32, 3\)"):
        of_shapes(mask_field="image").read(0)


def test_what_masks_cannot_be_is_told_by_name(folder):
    with pytest.raises(JaxstyleError, match="there is no folder of masks"):
        opened(folder)
    (folder / "masks").mkdir()
    with pytest.raises(JaxstyleError, match=r"the folder of masks '.*masks' holds no pictures"):
        opened(folder)
    write_masks(folder)
    save(folder / "masks" / "train" / "2.png", np.full((2, 3), 255, np.uint8))
    with pytest.raises(JaxstyleError, match=r"2\.png' holds the value 255, .* 0 to 2: .*mask_objects=True"):
        opened(folder).read(2)
    save(folder / "masks" / "train" / "2.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(JaxstyleError, match=r"2\.png' has 2x3 pixels, its picture 3x2; they must be equal"):
        opened(folder).read(2)
    save(folder / "masks" / "train" / "2.png", np.random.default_rng(0).integers(0, 255, (2, 3, 3), np.uint8))
    with pytest.raises(JaxstyleError, match=r"2\.png' is in colours \(mode RGB\)"):
        opened(folder).read(2)
    (folder / "masks" / "train" / "2.png").write_bytes(b"nothing")
    with pytest.raises(JaxstyleError, match=r"2\.png' is not a picture in a known format"):
        opened(folder).read(2)
    (folder / "masks" / "train" / "2.png").unlink()
    with pytest.raises(JaxstyleError, match=r"images/train/2\.png' has no mask: there is no train/2\.\* in '.*masks'"):
        opened(folder)
    write_masks(folder, suffix=".tif")
    with pytest.raises(JaxstyleError, match=r"0\.png' and '.*0\.tif' are masks of one picture"):
        opened(folder)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": ("one",)}, "data.mask_classes has 1 names; masks need 2 to 256"),
        ({"classes": tuple(map(str, range(256))), "mask_ignore": (0,)}, "has 256 names; masks need 2 to 255"),
        ({"mask_objects": True}, "has 3 names and .* 0 values; masks that number objects .* have 2"),
        ({"mask_values": (0, 255)}, "data.mask_values has 2 values for 3 names in data.mask_classes"),
        ({"mask_values": (0, 1, "#ff0000")}, "'0' in data.mask_values or data.mask_ignore is no value"),
        (
            {"mask_values": ("red", "green", "blue")},
            "'red' in .* is no value: write numbers .*, or colours",
        ),
        ({"mask_values": (0, 10, 255), "mask_tolerance": 5}, "the values 0 and 10 of .* are 10 apart; .* more than 10"),
        ({"mask_values": (0, 1, 2), "mask_tolerance": -1}, "data.mask_tolerance is -1"),
        ({"mask_values": (0, 1, 2), "mask_ignore": (2,)}, "the values 2 and 2 of .* are 0 apart"),
        ({"mask_tolerance": 5}, "data.mask_tolerance, need values in data.mask_values"),
        ({"mask_ignore": ("#ffffff",)}, "colours in data.mask_ignore, .* need values in data.mask_values"),
    ],
)
def test_settings_that_cannot_be(folder, settings, sentence):
    write_masks(folder)
    with pytest.raises(JaxstyleError, match=sentence):
        opened(folder, **settings)
