"""Segmentation losses against float64 NumPy pixel by pixel, and PyTorch."""

import jax
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.losses.segmentation import dice_loss, focal_loss, pixel_cross_entropy


def example(seed=0, count=2, height=3, width=4, classes=3):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, height, width, classes)).astype(np.float32)
    return logits, rng.integers(0, classes, (count, height, width)).astype(np.uint8)


def softmax(logits):
    powers = np.exp(np.asarray(logits, np.float64))
    return powers / powers.sum(-1, keepdims=True)


def chosen(logits, labels):
    """The label's probability at every pixel."""
    p = softmax(logits)
    found = np.zeros(labels.shape)
    for index in np.ndindex(labels.shape):
        found[index] = p[(*index, labels[index])]
    return found


def cross_entropy(logits, labels):
    return np.mean(-np.log(chosen(logits, labels)), (1, 2))


def focal(logits, labels, gamma):
    """Lin et al. 2017, eq. 4."""
    p = chosen(logits, labels)
    return np.mean(-((1 - p) ** gamma) * np.log(p), (1, 2))


def dice(logits, labels, smooth=1.0):
    """Sets of pixels with soft membership, picture by picture and class by class."""
    p = softmax(logits)
    losses = []
    for picture, target in zip(p, labels, strict=True):
        overlaps = []
        for label in range(p.shape[-1]):
            inside = target == label
            both, sizes = picture[inside, label].sum(), picture[..., label].sum() + inside.sum()
            overlaps.append((2 * both + smooth) / (sizes + smooth))
        losses.append(1 - np.mean(overlaps))
    return np.array(losses)


CASES = {
    "cross entropy": (pixel_cross_entropy, cross_entropy),
    "dice": (dice_loss, dice),
    "dice, 0.1": (lambda x, y: dice_loss(x, y, smooth=0.1), lambda x, y: dice(x, y, 0.1)),
    "focal": (focal_loss, lambda x, y: focal(x, y, 2.0)),
    "focal, 0.5": (lambda x, y: focal_loss(x, y, gamma=0.5), lambda x, y: focal(x, y, 0.5)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("classes", [2, 3])
def test_values_and_gradients(name, classes):
    loss, wanted = CASES[name]
    logits, labels = example(classes=classes)
    np.testing.assert_allclose(jax.jit(loss)(logits, labels), wanted(logits, labels), rtol=1e-5)  # float32
    actual = jax.jit(jax.grad(lambda x: loss(x, labels).sum()))(logits)
    reference.assert_near(actual, reference.gradient(lambda x: wanted(x, labels).sum(), logits))


@pytest.mark.parametrize("name", CASES)
def test_pixels_without_a_class_are_left_out(name):
    """The loss is that of the other pixels alone, in whatever shape, and no gradient comes from those left out."""
    ours, reference_loss = CASES[name]
    logits, labels = example(height=4, width=6)
    labels[:, 1:3] = 255
    kept = (logits[:, [0, 3]], labels[:, [0, 3]])
    np.testing.assert_allclose(ours(logits, labels), reference_loss(*kept), rtol=1e-5)
    slope = jax.grad(lambda x: ours(x, labels).sum())(logits)
    assert not np.any(slope[:, 1:3]) and np.all(np.any(slope[:, [0, 3]], -1))
    labels[0] = 255
    assert np.isfinite(ours(logits, labels)).all() and ours(logits, labels)[0] == 0
    assert not np.any(jax.grad(lambda x: ours(x, labels).sum())(logits)[0])


def test_sure_and_right_costs_nothing_sure_and_wrong_stays_finite():
    labels = example()[1]
    for sign, low, high in ((40, 0, 1e-3), (-40, 0.1, 100)):
        logits = sign * np.eye(3, dtype=np.float32)[labels]
        for loss, _ in CASES.values():
            value, slope = jax.jit(jax.value_and_grad(lambda x, loss=loss: loss(x, labels).sum()))(logits)
            assert low <= float(value) / 2 <= high and np.all(np.isfinite(slope))


def test_focal_loss_without_focus_is_the_cross_entropy():
    logits, labels = example()
    np.testing.assert_allclose(focal_loss(logits, labels, gamma=0.0), pixel_cross_entropy(logits, labels), rtol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0, 30))
def test_dice_is_between_0_and_1_and_does_not_depend_on_the_order_of_pixels(seed, scale):
    logits, labels = example(seed, height=4)
    loss, logits = jax.jit(dice_loss), logits * np.float32(scale)
    value = np.asarray(loss(logits, labels))
    assert np.all((value >= 0) & (value <= 1))
    turned = loss(logits[:, ::-1].swapaxes(1, 2), labels[:, ::-1].swapaxes(1, 2))
    np.testing.assert_allclose(turned, value, rtol=1e-5)


@pytest.mark.parametrize("loss", [pixel_cross_entropy, dice_loss, focal_loss])
def test_shapes_that_do_not_fit_are_refused(loss):
    logits, labels = example()
    with pytest.raises(ValueError, match=r"logits have shape \(2, 3, 4, 3\), labels \(2, 3, 3\)"):
        loss(logits, labels[..., :3])


@pytest.mark.parity
def test_cross_entropy_is_pytorchs():
    torch = pytest.importorskip("torch")
    logits, labels = example()
    channels_first = torch.from_numpy(logits).permute(0, 3, 1, 2)
    theirs = torch.nn.functional.cross_entropy(channels_first, torch.from_numpy(labels).long(), reduction="none")
    np.testing.assert_allclose(pixel_cross_entropy(logits, labels), theirs.mean((1, 2)).numpy(), rtol=1e-5)
