"""Segmentation: its scores against scikit-learn's, its pictures, and bad input; `test_contract.py` has the rest."""

import contract
import jax
import numpy as np
import pytest
import sklearn.metrics

from jaxstyle.data.jaxstyle_shapes import CLASSES
from jaxstyle.errors import JaxstyleError
from jaxstyle.tasks import segment
from jaxstyle.training.config import override
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.state import TrainState


@pytest.mark.slow
def test_it_learns(config, tmp_path):
    """The losses fall below those of the best constant answer, the share of shapes: 0.5 nats, and Dice 0.5."""
    changes = {"devices": 1, "batch_size": 32, "augment.crop": 0, "augment.color": 0.0, "loss.focal": 0.0}
    training, _, metrics = contract.stepped(override(config, changes), tmp_path, 100)
    assert metrics["cross_entropy_loss"] < 0.4 and metrics["dice_loss"] < 0.35
    assert training.evaluate()["dice"] > 0.55  # by running statistics; 0.4 where everything is said to be shape


class FirstChannel:
    """A network whose class of each pixel is the value of the picture's first channel."""

    def __init__(self, classes):
        self.classes = classes

    def apply(self, variables, pictures, *_):
        return 4.0 * jax.nn.one_hot(jax.numpy.rint(pictures[..., 0] * 255).astype(int), self.classes)


def scored(classes, truth, said):
    """The task's scores of masks `[N, H, W]`, of which the last two only fill up the batch."""
    losses = {"cross_entropy": (1.0, segment.pixel_cross_entropy)}
    task = segment.Segment(FirstChannel(classes), None, (), 1, losses, {})
    state = TrainState(np.int32(0), {}, ())
    metrics = jax.jit(task.eval_step)(state, {"image": said[..., None], "mask": truth}, None)
    return task.summary({name: np.mean(np.asarray(value, np.float64)[:-2], 0) for name, value in metrics.items()})


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_are_scikit_learns(classes):
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes - (classes > 2), (7, 6, 5)).astype(np.uint8)  # of five, one is never there
    said = np.where(rng.uniform(size=truth.shape) < 0.6, truth, rng.integers(0, classes, truth.shape)).astype(np.uint8)
    scores = scored(classes, truth, said)
    truth, said = truth[:-2], said[:-2]
    a, b, names = truth.reshape(-1), said.reshape(-1), range(classes)
    assert set(b) == set(names)  # so that every class has an IoU
    np.testing.assert_allclose(scores["confusion"] * 5, sklearn.metrics.confusion_matrix(a, b, labels=names))
    measures = {"dice": "f1_score", "iou": "jaccard_score", "precision": "precision_score", "recall": "recall_score"}
    for name, theirs in measures.items():
        unknown = 0.0 if name == "iou" else np.nan  # what scikit-learn lets be asked for where nothing is
        by_class = getattr(sklearn.metrics, theirs)(a, b, labels=names, average=None, zero_division=unknown)
        np.testing.assert_allclose(scores[f"class_{name}"], by_class, rtol=1e-12)
        overall = by_class[1] if classes == 2 else np.nanmean(by_class)
        np.testing.assert_allclose(scores[name], overall, rtol=1e-12)
    assert scores["mean_iou"] == pytest.approx(sklearn.metrics.jaccard_score(a, b, labels=names, average="macro"))
    assert scores["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(a, b))


def test_dice_of_each_picture():
    """By hand: right; half found; nothing there and nothing said; something said where nothing is."""
    truth, said = np.zeros((2, 6, 2, 4), np.uint8)
    truth[0, 0], said[0, 0] = 1, 1
    truth[1, 0], said[1, 0, :2] = 1, 1
    said[3, 0, 0] = 1
    assert scored(2, truth, said)["picture_dice"] == pytest.approx((1 + 2 * 2 / 6 + 1 + 0) / 4)


def small(**changes):
    """A task for pictures of 8×12, and its first state."""
    changes = {"data.mask_classes": ("a", "b", "c"), "model.width": 2, "model.levels": 1, **changes}
    config = override(segment.Config(), changes)
    segment.check(config)
    spec = {"image": jax.ShapeDtypeStruct((8, 12, 3), np.uint8), "mask": jax.ShapeDtypeStruct((8, 12), np.uint8)}
    return segment.make(config, RunInfo(Extent(100, 10), 50, spec))


def test_pictures_are_the_truth_and_what_was_said_in_turn():
    task = small()
    state = jax.jit(task.init)(jax.random.key(0))
    rng = np.random.default_rng(0)
    batch = {"image": rng.integers(0, 256, (9, 8, 12, 3), np.uint8), "mask": rng.integers(0, 3, (9, 8, 12), np.uint8)}
    shown = jax.jit(task.pictures)(state, batch, jax.random.key(1))
    assert {name: leaf.shape for name, leaf in shown.items()} == dict.fromkeys(("overlays", "masks"), (16, 8, 12, 3))
    said = np.argmax(jax.jit(task.logits)(state, batch["image"] / np.float32(255)), -1)
    for number, masks in enumerate((batch["mask"], said)):
        np.testing.assert_allclose(shown["masks"][number::2], segment.colorize(masks[:8], 3), atol=1e-6)
    assert all(leaf.min() >= 0 and leaf.max() <= 1 for leaf in shown.values())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss.cross_entropy": 0.0, "loss.dice": 0.0}, "all weights of loss are 0"),
        ({"loss.dice": -1.0}, r"loss\.dice is -1; it must be at least 0"),
        ({"model.width": 0}, r"model\.width is 0; it must be at least 1"),
        ({"augment.crop": 9}, r"augment\.crop is 9; it must be at most the pictures' 12x8 pixels"),
        ({"augment.turn": True}, r"augment\.turn needs squares, the pictures have 12x8 pixels"),
        ({"augment.color": 1.5}, r"augment\.color is 1\.5; it must be from 0 to 1"),
        ({"augment.pad": 4}, r"augment\.pad is for whole pictures"),
    ],
)
def test_settings_that_cannot_be_are_told(changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        small(**changes)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"folder": "pictures"}, r"name the folder of their masks by data\.masks=DIR"),
        ({"folder": "pictures", "masks": "masks"}, r"data\.masks is set, but data\.mask_classes names no classes"),
        ({}, r"data\.mask_classes is empty"),
    ],
)
def test_masks_that_are_not_told_of(data, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        segment.check(override(segment.Config(), {f"data.{name}": value for name, value in data.items()}))


def test_a_value_that_is_no_class_is_told_before_the_first_step(config, tmp_path):
    config.data.update(mask_objects=False, mask_classes=("ground", *CLASSES[:5]))
    with pytest.raises(JaxstyleError, match=r"the mask of example \d+ holds the value \d+, but data.mask_classes"):
        contract.loop.run(config, tmp_path)
    assert not list(tmp_path.iterdir())
