"""Batches on devices."""

import pathlib
import threading

import jax
import numpy as np
import pytest

from jaxstyle.data.dataset import Dataset, PictureFile
from jaxstyle.data.pipeline import Prefetcher, Resident, Streamed, check_classes, example_spec, local_slice, place
from jaxstyle.errors import JaxstyleError

DATASET = Dataset(20, lambda index: {"x": np.full((2,), index, np.uint8), "label": np.int32(index)})
FIELDS = ("x", "label")


def test_resident_and_streamed_give_the_same():
    indices = np.random.default_rng(0).integers(0, 20, (8, 3))
    resident, streamed = Resident(DATASET, FIELDS, jax.devices()), Streamed(DATASET, FIELDS)
    for batch in (resident(indices), streamed(indices)):
        assert batch["x"].dtype == np.uint8
        np.testing.assert_array_equal(batch["label"], indices)
        np.testing.assert_array_equal(batch["x"], indices[..., None].repeat(2, -1))


def test_small_data_lives_on_the_devices():
    assert isinstance(place(DATASET, FIELDS, jax.devices(), megabytes=1), Resident)
    assert isinstance(place(DATASET, FIELDS, jax.devices(), megabytes=1e-5), Streamed)


def test_unknown_fields_and_differing_sizes_are_told():
    with pytest.raises(JaxstyleError, match=r"no field 'lable'; did you mean 'label'?"):
        example_spec(DATASET, ("lable",))
    ragged = Dataset(3, lambda index: {"image": np.zeros((index + 1, 2, 3), np.uint8)})
    with pytest.raises(JaxstyleError, match=r"choose one by data.size"):
        example_spec(ragged, ("image",))


def test_labels_out_of_range_are_told_before_training():
    dataset = Dataset(20, DATASET.read, tuple("abcdefghij"))
    with pytest.raises(JaxstyleError, match="example 10 has label 10, and there are 10 classes, 0 to 9"):
        Resident(dataset, FIELDS, jax.devices())
    with pytest.raises(JaxstyleError, match="example 12 has label 12"):
        Streamed(dataset, FIELDS)(np.array([[3], [12]]))


@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_a_class_without_examples_is_told_wherever_the_data_live(kind):
    files = tuple(PictureFile(pathlib.Path(f"{i}.png"), str(i), label=i % 2) for i in range(20))
    dataset = Dataset(20, lambda index: {"label": np.int32(index % 2)}, ("a", "b", "c"), files)
    options = (jax.devices(),) if kind is Resident else ()
    with pytest.raises(JaxstyleError, match="no example of the class 'c'"):
        check_classes(kind(dataset, ("label",), *options), dataset.classes)
    check_classes(kind(dataset, ("label",), *options), dataset.classes[:2])


def test_local_slice_is_the_whole_batch_of_one_process():
    np.testing.assert_array_equal(local_slice(np.arange(6), 2), [[0, 1, 2], [3, 4, 5]])


def test_prefetching_makes_each_batch_once_and_none_too_many():
    made, lock = [], threading.Lock()

    def make(step):
        with lock:
            made.append(step)
        return {"step": step}

    prefetcher = Prefetcher(make, last=5)
    assert [prefetcher(step)["step"] for step in (2, 3, 4)] == [2, 3, 4]
    prefetcher.close()
    assert sorted(made) == [2, 3, 4]


def test_prefetching_passes_errors_on():
    prefetcher = Prefetcher(lambda step: 1 / 0, last=5)
    with pytest.raises(ZeroDivisionError):
        prefetcher(0)
    prefetcher.close()
