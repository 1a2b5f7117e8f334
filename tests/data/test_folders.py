"""Folders of pictures: splits, classes, and everything that lies beside pictures."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from jaxstyle.data.config import DataConfig
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError


def write(path: pathlib.Path, height=10, width=8, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)


def opened(folder, split="train", labels=True, **settings):
    return open_dataset(DataConfig(folder=str(folder), **settings), split, labels=labels)


def values(dataset):
    return [int(dataset.read(index)["image"][0, 0, 0]) for index in range(dataset.count)]


@pytest.fixture
def pets(tmp_path):
    """Twenty cats of greys 0 to 19 and twenty dogs of greys 100 to 119."""
    for label, name in enumerate(("cats", "dogs")):
        for i in range(20):
            write(tmp_path / name / f"{i:02d}.png", value=label * 100 + i)
    return tmp_path


def test_class_folders_are_split_by_names(pets):
    train, test = opened(pets), opened(pets, "test")
    assert train.classes == test.classes == ("cats", "dogs")
    assert sorted(values(train) + values(test)) == [*range(20), *range(100, 120)]
    assert [value - 100 for value in values(test) if value >= 100] == [value for value in values(test) if value < 100]
    assert 2 <= test.count <= 16
    assert all(train.read(i)["label"] == value // 100 for i, value in enumerate(values(train)))
    assert values(opened(pets, "val")) == values(test)


def test_no_picture_moves_when_others_come_go_or_are_sorted_anew(pets, tmp_path_factory):
    before = {split: set(values(opened(pets, split))) for split in ("train", "test")}
    for i in (3, 7, 11):
        (pets / "cats" / f"{i:02d}.png").unlink()
    for i in range(20, 40):
        write(pets / "dogs" / f"{i}.png", value=200)
    (pets / "dogs" / "05.png").rename(pets / "cats" / "005.png")  # a label was wrong
    (pets / "cats").rename(pets / "felines")
    moved = pets.rename(tmp_path_factory.mktemp("elsewhere") / "pets")
    after = {split: set(values(opened(moved, split))) for split in ("train", "test")}
    gone = {3, 7, 11, 105}
    assert all(after[split] - {200, 105} == before[split] - gone for split in ("train", "test"))


def test_a_share_and_slices(pets):
    assert opened(pets, "test", held_out=0.5).count > opened(pets, "test").count
    halves = [values(opened(pets, text)) for text in ("train[:50%]", "train[50%:]")]
    assert sorted(halves[0] + halves[1]) == sorted(values(opened(pets))) and min(map(len, halves)) > 4
    ten = opened(pets, "train[:10]")
    assert ten.count == 10 and {value // 100 for value in values(ten)} == {0, 1}
    rest, unread = (dataset.count - n for dataset, n in ((opened(pets, "train"), 10), (opened(pets, "test"), 0)))
    assert ten.describe().endswith(f"; left out: {unread} for evaluation, {rest} outside the slice")
    assert [ten.read(i)["label"] for i in range(10)] == [value // 100 for value in values(ten)]
    with pytest.raises(JaxstyleError, match=r"the split 'train\[:0\]' of .* is empty"):
        opened(pets, "train[:0]")


@pytest.mark.parametrize(
    ("training", "held", "split"),
    [
        ("train", "val", "test"),
        ("train", "valid", "val"),
        ("Train", "Validation", "test"),
        ("training", "testing", "test"),
    ],
)
def test_folders_of_splits_by_all_their_names(tmp_path, training, held, split):
    write(tmp_path / training / "cats" / "a.png", value=200)
    write(tmp_path / held / "cats" / "b.png", value=100)
    assert (values(opened(tmp_path)), values(opened(tmp_path, split))) == ([200], [100])
    first, second = sorted((training, held))
    with pytest.raises(JaxstyleError, match=rf"data.held_out is set, but .* has {first}/, {second}/ already"):
        opened(tmp_path, held_out=0.3)


def test_validation_and_test_are_two(tmp_path):
    for value, name in enumerate(("train", "val", "test")):
        write(tmp_path / name / "a.png", value=value)
    assert [values(opened(tmp_path, split)) for split in ("train", "validation", "test")] == [[0], [1], [2]]


def test_of_a_training_folder_alone_a_share_is_held_out(tmp_path):
    for i in range(10):
        write(tmp_path / "train" / f"{i}.png", value=i)
    assert sorted(values(opened(tmp_path)) + values(opened(tmp_path, "test"))) == list(range(10))


def test_the_order_of_folders_with_splits_is_that_of_classes_and_names(tmp_path):
    for i, name in enumerate(("a/2.png", "a/10.jpg", "a b/1.png", "b/1.png", "b/0.png")):
        write(tmp_path / "train" / name, value=10 * i)
        write(tmp_path / "test" / name, value=10 * i)
    assert [str(file.path.relative_to(tmp_path / "test")) for file in opened(tmp_path, "test").files] == [
        *("a/10.jpg", "a/2.png", "a b/1.png", "b/0.png", "b/1.png")
    ]


def test_size_crops_and_resizes(tmp_path):
    write(tmp_path / "train" / "a.png", value=200)
    write(tmp_path / "test" / "b.png")
    dataset = opened(tmp_path, size=4)
    example = dataset.read(0)
    assert (dataset.count, dataset.classes, sorted(example)) == (1, (), ["image"])
    np.testing.assert_array_equal(example["image"], np.full((4, 4, 3), 200, np.uint8))


def test_pictures_are_found_at_any_depth_by_any_suffix_and_hidden_names_are_none(tmp_path):
    for name in ("cats/a.png", "cats/deep/er/b.PNG", "cats/c.ppm", "dogs/d.jfif", "dogs/2024/e.tga"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(target, "JPEG" if name.endswith("jfif") else None)
    for name in ("cats/._a.png", "__MACOSX/cats/a.png", "dogs/@eaDir/d.png", ".thumbs/x.png"):
        write(tmp_path / name)
    (tmp_path / "cats" / "notes.txt").write_text("")
    dataset = opened(tmp_path, "train", held_out=0.001)
    found = {file.path.name for file in (*dataset.files, *opened(tmp_path, "test", held_out=0.001).files)}
    assert found == {"a.png", "b.PNG", "c.ppm", "d.jfif", "e.tga"} and dataset.classes == ("cats", "dogs")
    assert dataset.describe() == (
        f"train of {str(tmp_path)!r}: 3 pictures of 2 classes (cats 2, dogs 1); left out: 2 for evaluation, "
        "1 other file (.txt 1), 4 hidden names"
    )


def test_names_are_the_same_as_linux_and_as_macos_writes_them(tmp_path):
    names = ("caf\u00e9", "cafe\u0301")
    for folder, name in enumerate(names):
        for i in range(9):
            write(tmp_path / str(folder) / f"{name}{i}.png")
    linux, macos = ([file.name for file in opened(tmp_path / str(folder)).files] for folder in range(2))
    assert linux == macos


def test_loops_of_links_are_walked_once(tmp_path):
    for name in ("cats/a.png", "cats/b.png", "dogs/c.png", "dogs/d.png"):
        write(tmp_path / name)
    (tmp_path / "cats" / "loop").symlink_to(tmp_path)
    assert opened(tmp_path).count + opened(tmp_path, "test").count == 4


def test_what_lies_beside_folders_of_splits_is_told(tmp_path):
    for name in ("train/a.png", "test/b.png", "extra/c.png", "d.png"):
        write(tmp_path / name)
    assert opened(tmp_path).describe().endswith("1 picture; left out: d.png beside train/, extra/ beside train/")


def test_bad_folders(tmp_path):
    with pytest.raises(JaxstyleError, match="there is no folder"):
        opened(tmp_path / "none")
    with pytest.raises(JaxstyleError, match="holds no pictures"):
        opened(tmp_path)
    with pytest.raises(JaxstyleError, match=r"did you mean 'train'?"):
        opened(tmp_path, "trian")
    write(tmp_path / "test" / "a.png")
    with pytest.raises(JaxstyleError, match=r"there is no folder for 'train' in .*, which has test/"):
        opened(tmp_path)


def test_classes_that_are_incomplete_are_told_where_they_matter(tmp_path):
    write(tmp_path / "cats" / "0.png")
    write(tmp_path / "cats" / "1.png")
    (tmp_path / "dogs").mkdir()
    with pytest.raises(JaxstyleError, match=r"the class 'dogs' of .* has no pictures: add some, or remove the folder"):
        opened(tmp_path)
    write(tmp_path / "dogs" / "0.png")
    with pytest.raises(JaxstyleError, match=r"the class 'dogs' of .* has no picture for 'test': .* at least 2"):
        opened(tmp_path, "test")
    write(tmp_path / "1.png")
    with pytest.raises(JaxstyleError, match=r"pictures lie both in .*, such as '1.png', and in its folder 'cats'"):
        opened(tmp_path)
    both = [opened(tmp_path, split, labels=False) for split in ("train", "test")]
    assert sum(dataset.count for dataset in both) == 4 and all(dataset.classes == () for dataset in both)
    assert "label" not in both[0].read(0)


def test_a_generators_classes_may_have_one_picture_each(tmp_path):
    for i in range(6):
        write(tmp_path / f"class {i}" / "picture.png", value=i)
    train, test = (opened(tmp_path, split, labels=False) for split in ("train", "test"))
    assert test.count >= 1 and sorted(values(train) + values(test)) == list(range(6))


def test_splits_of_different_classes_are_told(tmp_path):
    for name in ("train/cats", "train/dogs", "test/dogs"):
        write(tmp_path / name / "0.png")
    with pytest.raises(JaxstyleError, match=r"test/ of .* has the classes dogs, and train/ has cats, dogs"):
        opened(tmp_path, "test")
    assert opened(tmp_path, "test", labels=False).count == 1
