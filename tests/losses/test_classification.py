"""Cross entropy and squared error against SciPy and scikit-learn in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import log_softmax
from sklearn.metrics import mean_squared_error as reference_mse
from sklearn.utils.class_weight import compute_class_weight

from jaxstyle.errors import JaxstyleError
from jaxstyle.losses.classification import balanced_weights, cross_entropy, mean_squared_error, smoothed_labels

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 4)).astype(np.float32) * 5
LABELS = np.array([0, 3, 1, 2, 2, 0], np.int32)


def test_cross_entropy_of_labels():
    wanted = -log_softmax(LOGITS.astype(np.float64), -1)[np.arange(6), LABELS]
    np.testing.assert_allclose(cross_entropy(LOGITS, LABELS), wanted, rtol=1e-5, atol=1e-6)  # float32
    np.testing.assert_allclose(
        cross_entropy(LOGITS.reshape(2, 3, 4), LABELS.reshape(2, 3)), wanted.reshape(2, 3), rtol=1e-5, atol=1e-6
    )


def test_cross_entropy_of_probabilities():
    targets = RNG.dirichlet(np.ones(4), 6).astype(np.float32)
    wanted = -(targets * log_softmax(LOGITS.astype(np.float64), -1)).sum(-1)
    np.testing.assert_allclose(cross_entropy(LOGITS, targets), wanted, rtol=1e-5)
    one_hot = smoothed_labels(LABELS, 4)
    np.testing.assert_allclose(cross_entropy(LOGITS, one_hot), cross_entropy(LOGITS, LABELS), rtol=1e-6)


@pytest.mark.parametrize("focus", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weights", [None, np.array([0.5, 0.0, 3.0, 1.0], np.float32)])
def test_focal_and_weighted_by_class(focus, weights):
    log_p = log_softmax(LOGITS.astype(np.float64), -1)
    terms = -(np.ones(4) if weights is None else weights) * (1 - np.exp(log_p)) ** focus * log_p
    options = {"focus": focus, "weights": weights}
    # float32; 1 - p loses digits where p is near 1, and the terms are as small
    np.testing.assert_allclose(
        cross_entropy(LOGITS, LABELS, **options), terms[np.arange(6), LABELS], rtol=1e-4, atol=1e-6
    )
    targets = RNG.dirichlet(np.ones(4), 6).astype(np.float32)
    np.testing.assert_allclose(cross_entropy(LOGITS, targets, **options), (targets * terms).sum(-1), rtol=1e-4)
    loss = jax.jit(lambda z: cross_entropy(z, targets, **options))
    check_grads(loss, (jnp.asarray(LOGITS) / 5,), 1, ("rev",), atol=1e-2, rtol=1e-2, eps=1e-2)


def test_the_focal_slope_is_finite_where_all_is_right():
    slopes = jax.grad(lambda z: cross_entropy(z, np.array([0]), focus=0.5)[0])(jnp.array([[1e3, -1e3]]))
    assert np.isfinite(slopes).all()


def test_balanced_weights():
    labels = np.repeat([0, 1, 3], [7, 2, 30])
    wanted = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    np.testing.assert_allclose(balanced_weights([7, 2, 0, 30])[[0, 1, 3]], wanted, rtol=1e-6)
    assert balanced_weights([7, 2, 0, 30])[2] == 0 and balanced_weights([]).size == 0


def test_huge_logits_stay_finite():
    value, slopes = jax.value_and_grad(lambda z: cross_entropy(z, np.array([0]))[0])(jnp.array([[-1e4, 1e4]]))
    assert value == 2e4 and np.isfinite(slopes).all()


def test_smoothed_labels_by_hand():
    np.testing.assert_allclose(smoothed_labels(np.array([1]), 4, 0.2), [[0.05, 0.85, 0.05, 0.05]], rtol=1e-6)


def test_mean_squared_error():
    predictions, targets = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
    wanted = [reference_mse(t.reshape(-1), p.reshape(-1)) for t, p in zip(targets, predictions, strict=True)]
    np.testing.assert_allclose(mean_squared_error(predictions, targets), wanted, rtol=1e-5)


def test_gradients():
    logits = jnp.asarray(LOGITS) / 5
    check_grads(lambda z: cross_entropy(z, LABELS), (logits,), 1, ("rev",), atol=1e-2, rtol=1e-2, eps=1e-2)
    soft = smoothed_labels(LABELS, 4, 0.1)
    check_grads(lambda z: cross_entropy(z, soft), (logits,), 1, ("rev",), atol=1e-2, rtol=1e-2, eps=1e-2)
    check_grads(lambda y: mean_squared_error(y, soft), (logits,), 1, ("rev",), atol=1e-2, rtol=1e-2, eps=1e-2)


@pytest.mark.parametrize("targets", [np.zeros((6, 1), np.int32), np.zeros(6, np.float32), np.zeros((6, 3), np.float32)])
def test_targets_of_another_shape_are_refused(targets):
    with pytest.raises(JaxstyleError, match=r"do not belong to logits \(6, 4\)"):
        cross_entropy(LOGITS, targets)


def test_weights_of_another_number_are_refused():
    with pytest.raises(JaxstyleError, match=r"weights \(3,\) are not one for each of 4 classes"):
        cross_entropy(LOGITS, LABELS, weights=np.ones(3))


def test_numbers_of_another_shape_are_refused():
    with pytest.raises(JaxstyleError, match=r"predictions \(6, 4\) and targets \(4,\) differ in shape"):
        mean_squared_error(LOGITS, np.zeros(4, np.float32))
