"""Confusion matrices against scikit-learn, on the same labels."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics import confusion

CLASSES = 4


def matrix(labels, predictions, weights=None):
    """As float64, for the functions of a matrix."""
    return np.asarray(confusion.confusion_matrix(labels, predictions, CLASSES, weights), np.float64)


pairs = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 2), min_size=1, max_size=64)


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_equals_scikit_learn(examples):
    # always 64 places, so that it is compiled once; the padding has weight 0
    labels, predictions = np.zeros((2, 64), np.int32)
    labels[: len(examples)], predictions[: len(examples)] = np.array(examples).T
    weights = (np.arange(64) < len(examples)).astype(np.float32)
    ours = matrix(labels, predictions, weights)
    labels, predictions = labels[: len(examples)], predictions[: len(examples)]
    names = list(range(CLASSES))
    np.testing.assert_array_equal(ours, reference.confusion_matrix(labels, predictions, labels=names))
    assert confusion.accuracy(ours) == pytest.approx(reference.accuracy_score(labels, predictions), abs=1e-12)
    with np.errstate(invalid="ignore"):
        p, r, f, _ = reference.precision_recall_fscore_support(
            labels, predictions, labels=names, zero_division=np.nan, average=None
        )
        jaccard = reference.jaccard_score(labels, predictions, labels=names, average=None, zero_division=0)
    np.testing.assert_allclose(confusion.precision(ours), p, atol=1e-12)
    np.testing.assert_allclose(confusion.recall(ours), r, atol=1e-12)
    there = np.isin(names, np.concatenate([labels, predictions]))
    np.testing.assert_allclose(confusion.f1(ours)[there], np.nan_to_num(f[there]), atol=1e-12)
    np.testing.assert_allclose(confusion.iou(ours)[there], jaccard[there], atol=1e-12)
    assert np.isnan(confusion.f1(ours)[~there]).all() and np.isnan(confusion.iou(ours)[~there]).all()


def test_pictures_are_counted_pixel_by_pixel_and_merged_by_adding():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, CLASSES, (2, 3, 5, 7), np.int32)
    parts = sum(matrix(labels[i : i + 1], predictions[i : i + 1]) for i in range(3))
    np.testing.assert_array_equal(parts, reference.confusion_matrix(labels.reshape(-1), predictions.reshape(-1)))


def test_unknown_labels_are_not_counted():
    ours = matrix(np.array([0, 255, -1, 1]), np.array([0, 1, 1, 2]))
    assert ours.sum() == 2 and ours[0, 0] == 1 and ours[1, 2] == 1


def test_bytes_do_not_overflow():
    labels = np.array([19, 3], np.uint8)
    assert confusion.confusion_matrix(labels, labels, 20)[19, 19] == 1


def test_means_leave_out_nan():
    assert confusion.mean_of_present(np.array([0.5, np.nan, 1.0])) == 0.75
    assert np.isnan(confusion.mean_of_present(np.array([np.nan])))


def test_shapes_that_differ_are_refused():
    with pytest.raises(JaxstyleError, match=r"labels \(2,\) and predictions \(3,\) differ in shape"):
        confusion.confusion_matrix(np.zeros(2, np.int32), np.zeros(3, np.int32), 2)


def test_it_compiles_under_vmap():
    labels = np.array([[0, 1], [1, 1]], np.int32)
    each = jax.vmap(lambda label, prediction: confusion.confusion_matrix(label, prediction, 2))(labels, labels)
    np.testing.assert_array_equal(each, [[[1, 0], [0, 1]], [[0, 0], [0, 2]]])
