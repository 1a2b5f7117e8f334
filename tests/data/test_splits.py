"""Splits of folders: which names are held out, slices, and folders that are splits."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.data.splits import Split, held_out, parse, split_folders, take_slice
from jaxstyle.errors import JaxstyleError

NAMES = [f"IMG_{number:04d}" for number in range(500)]


def published(name, purpose="held out"):
    """The place of a name, as it must stay for ever: runs in workdirs depend on it."""
    return int(hashlib.sha256(f"{purpose}:{name}".encode()).hexdigest()[:12], 16) / 16**12


def test_a_fifth_is_held_out_by_a_hash_of_the_name():
    chosen = held_out(NAMES, 0.2)
    assert chosen == {index for index, name in enumerate(NAMES) if published(name) < 0.2}
    assert 70 < len(chosen) < 130  # 100, at most 3.4 standard deviations away


@settings(max_examples=50, deadline=None)
@given(st.sets(st.sampled_from(NAMES), min_size=50), st.sets(st.sampled_from(NAMES), max_size=40))
def test_no_picture_moves_when_others_are_added_or_deleted(names, others):
    """By chance 50 names have all places above .2 once in 70,000 draws; then one would be held out for its class."""
    before, after = sorted(names), sorted(names | others)
    held = {before[index] for index in held_out(before, 0.2)}
    still = {after[index] for index in held_out(after, 0.2)}
    assert held == still & names
    for slice_ in ("train[:30%]", "train[30%:]"):
        kept = {before[index] for index in take_slice(before, parse(slice_))}
        assert kept == {after[index] for index in take_slice(after, parse(slice_))} & names


def test_small_classes_have_pictures_in_either_part():
    for names in (["a", "b"], ["a", "b", "c"]):
        for share in (0.001, 0.2, 0.999):
            assert 1 <= len(held_out(names, share)) <= len(names) - 1
    assert held_out(["a"], 0.5) == set()


def test_slices_are_parts_of_the_whole_and_spread_over_it():
    halves = [take_slice(NAMES, parse(text)) for text in ("train[:50%]", "train[50%:]")]
    assert sorted(halves[0] + halves[1]) == list(range(500))
    assert halves[0] == [index for index, name in enumerate(NAMES) if published(name, "slice") < 0.5]
    assert take_slice(NAMES, parse("train[-50%:]")) == halves[1]
    tens = [take_slice(NAMES, parse(text)) for text in ("test[:10]", "test[10:-20]", "test[-20:]")]
    assert list(map(len, tens)) == [10, 470, 20] and sorted(tens[0] + tens[1] + tens[2]) == list(range(500))
    assert max(tens[0]) - min(tens[0]) > 100  # not the first ten
    assert take_slice(NAMES, parse("train[7:3]")) == [] and len(take_slice(NAMES, parse("train[:9999]"))) == 500


def test_names_of_splits():
    assert {parse(text).name for text in ("test", "testing", "Test")} == {"test"}
    assert {parse(text).name for text in ("val", "valid", "validation")} == {"validation"}
    assert parse("train[:50%]") == Split("train", "", "50%")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trian", "a folder has no split 'trian'; did you mean 'train'"),
        ("train+test", r"a folder has no split 'train\+test'"),
        ("train[50%", r"'train\[50%' is no slice of a split; write for example 'train\[:50%\]'"),
        ("train[:half]", "is no slice"),
        ("train[10:50%]", "is no slice"),
    ],
)
def test_what_is_no_split_is_told(text, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        parse(text)


def test_folders_that_are_splits(tmp_path):
    def folders(*names):
        root = tmp_path / "-".join(names)
        for name in names:
            (root / name).mkdir(parents=True)
        return {name: path.name for name, path in split_folders(root).items()}

    assert folders("train", "val", "cats") == {"train": "train", "validation": "val"}
    assert folders("Training", "testing") == {"train": "Training", "test": "testing"}
    assert folders("test", "cats") == {} == folders("training", "match")  # classes
    with pytest.raises(JaxstyleError, match=r"val/ and valid/ of .* are one split"):
        folders("train", "val", "valid")
