"""Translation: the losses and updates of a step, the pool, and bad input; `test_contract.py` has the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import CONFIGS

from jaxstyle.errors import JaxstyleError
from jaxstyle.tasks import translate
from jaxstyle.tasks.fake_pool import exchange
from jaxstyle.training import loop
from jaxstyle.training.config import override, typed
from jaxstyle.training.config_file import absolute
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo

SIDE, COUNT = 8, 4
SHAPE = (SIDE, SIDE, 3)


def made(shape=SHAPE, shape_b=None, **changes):
    """The task, without data and without augmentation."""
    plain = {"augment.crop": 0, "augment.flip": False, "batch_size": COUNT, "model.blocks": 0}
    config = typed(translate.Config, override(CONFIGS["translate"](None), {**plain, **changes}))
    translate.check(config)
    spec = {"image": shape, "image_b": shape_b or shape}
    spec = {name: jax.ShapeDtypeStruct(each, np.uint8) for name, each in spec.items()}
    return translate.make(config, RunInfo(Extent(40, COUNT), 10, spec))


BATCH = {name: np.random.default_rng(i).integers(0, 256, (COUNT, *SHAPE), np.uint8) for i, name in enumerate("ab")}


def real(domain):
    return BATCH[domain] / np.float32(255)


def l1(a, b):
    return np.abs(2 * np.asarray(a, np.float64) - 2 * np.asarray(b, np.float64)).mean()


def losses(task, params):
    """The published losses, network by network and in float64 but for the networks."""
    generate = jax.jit(task.networks.generate)
    to_a, to_b = params["generator"]["a"], params["generator"]["b"]
    fake_a, fake_b = generate(to_a, real("b")), generate(to_b, real("a"))

    def logits(domain, pictures):
        found = task.networks.discriminator.apply({"params": params["discriminator"][domain]}, 2 * pictures - 1)
        return np.asarray(found, np.float64)

    terms = {
        "adversarial_a": ((logits("a", fake_a) - 1) ** 2).mean() / 2,
        "adversarial_b": ((logits("b", fake_b) - 1) ** 2).mean() / 2,
        "cycle_a": l1(generate(to_a, fake_b), real("a")),
        "cycle_b": l1(generate(to_b, fake_a), real("b")),
        "identity_a": l1(generate(to_a, real("a")), real("a")),
        "identity_b": l1(generate(to_b, real("b")), real("b")),
    }
    weights = {"adversarial": 2, "cycle": 10, "identity": 5}
    terms["loss"] = sum(weights[name[:-2]] * term for name, term in terms.items())
    fakes = {"a": fake_a, "b": fake_b}
    terms["discriminator_loss"] = sum(
        (((logits(to, real(to)) - 1) ** 2 + logits(to, fakes[to]) ** 2) / 2).mean() for to in "ab"
    )
    return terms


def stepped(task):
    """The state before and after one step on one device, and its metrics."""
    first = jax.jit(task.init)(jax.random.key(0))
    step = jax.pmap(task.train_step, "batch", in_axes=(None, 0, None), out_axes=None, devices=jax.devices()[:1])
    batch = {"image": BATCH["a"][None], "image_b": BATCH["b"][None]}
    return first, *step(first, batch, jax.random.key(1))


def test_losses_are_the_published_ones():
    task = made()
    first, moved, metrics = stepped(task)
    for name, expected in losses(task, first.params).items():
        np.testing.assert_allclose(metrics[name], expected, rtol=1e-4, err_msg=name)
    for to, other in ("ab", "ba"):  # the first pictures fill the pool
        fakes = task.translate(first.replace(ema=None), real(other), to)
        np.testing.assert_allclose(moved.collections["pool"][to][:COUNT], fakes, atol=1e-5)
        assert not np.any(moved.collections["pool"][to][COUNT:])


@pytest.mark.slow
def test_updates_lower_the_loss_of_their_own_networks():
    task = made(**{"optimizer.learning_rate": 1e-4, "discriminator_optimizer.learning_rate": 1e-4})
    first, moved, _ = stepped(task)
    before = losses(task, first.params)
    assert losses(task, {**first.params, "generator": moved.params["generator"]})["loss"] < before["loss"]
    judged = losses(task, {**first.params, "discriminator": moved.params["discriminator"]})
    assert judged["discriminator_loss"] < before["discriminator_loss"]


@pytest.mark.parametrize("devices", [1, 4])
def test_the_pool(devices):
    """A pool of 6 and batches of 4: what is seen and stored, against a list."""
    size, steps = 6, 5
    fakes = np.arange(steps * COUNT, dtype=np.float32).reshape(steps, devices, -1, 1, 1, 1) + 1
    step = jax.pmap(
        exchange, "batch", in_axes=(None, 0, None, None), out_axes=(0, None), devices=jax.devices()[:devices]
    )
    pool, swapped = jnp.zeros((size, 1, 1, 1)), 0
    for number in range(steps):
        before = np.asarray(pool).ravel()
        shown, pool = step(pool, fakes[number], jax.random.key(number), jnp.int32(number))
        shown, after, new = np.asarray(shown).ravel(), np.asarray(pool).ravel(), fakes[number].ravel()
        if number < 2:  # 4 fill it, then 2 of 4; the others are seen and not kept
            np.testing.assert_array_equal(shown, new)
            np.testing.assert_array_equal(after, [[1, 2, 3, 4, 0, 0], [1, 2, 3, 4, 5, 6]][number])
            continue
        old = shown != new
        swapped += old.sum()
        assert set(shown[old]) <= set(before) and len(set(shown)) == COUNT
        assert sorted([*shown, *after]) == sorted([*new, *before])  # exchanged: nothing lost, nothing twice
    assert 0 < swapped < 3 * COUNT


def test_pairs_are_augmented_alike():
    task = made(**{"model.method": "paired", "data.pairs": "all", "augment.flip": True, "augment.pad": 2})
    batch, keys = {"image": BATCH["a"], "image_b": BATCH["a"]}, jax.random.split(jax.random.key(0), COUNT)
    changed = jax.jit(task.training_pictures)(batch, keys)
    np.testing.assert_array_equal(changed["a"], changed["b"])
    assert np.any(changed["a"] != real("a"))
    assert task.made == ("b",)


def test_two_sources_of_unequal_lengths_come_in_orders_of_their_own(tmp_path):
    config = override(CONFIGS["translate"](None), {"devices": 1})
    training = loop.Training(typed(translate.Config, config), absolute(tmp_path))
    assert [order.count for order, _ in training.sources] == [40, 30]
    assert training.info.extent.examples == 40
    batch, again = training.batch(3), training.batch(3)
    assert set(batch) == {"image", "image_b"}
    for name in batch:
        np.testing.assert_array_equal(batch[name], again[name])


def test_settings_that_cannot_be():
    for changes, message in (
        ({"data.name_b": "", "data.pairs": "none"}, r"two domains of pictures: .*data\.folder_b"),
        ({"model.method": "paired"}, r"model\.method is 'paired', .* set data\.pairs to 'all'"),
        ({"model.generator": "resnet"}, r"unknown model\.generator 'resnet'"),
        ({"loss.cycle": -1.0}, r"loss\.cycle is -1"),
        ({"model.halvings": 2}, "cannot be halved 2 times"),
    ):
        with pytest.raises(JaxstyleError, match=message):
            made(**changes)
    with pytest.raises(JaxstyleError, match="must be of one size, in colour"):
        made(shape_b=(16, 16, 3))


@pytest.mark.slow
def test_contrastive_losses_are_the_published_ones():
    """All places of every layer are compared, so that their order does not matter."""
    task = made(**{"model.method": "contrastive", "model.blocks": 1, "loss.contrastive": 3.0})
    first, moved, metrics = stepped(task)
    params = first.params["generator"]
    fake, same = (task.networks.generate(params["b"], real(domain)) for domain in "ab")

    def projected(pictures):
        layers = task.networks.encode(params["b"], pictures)
        assert len(layers) == 4
        for number, x in enumerate(layers):
            x = np.float64(x).reshape(COUNT, -1, x.shape[-1])
            for place in (2 * number, 2 * number + 1):
                dense = params["projection"][f"Dense_{place}"]
                x = x @ np.float64(dense["kernel"]) + np.float64(dense["bias"])
                x = np.maximum(x, 0) if place % 2 == 0 else x
            yield x / np.sqrt(np.square(x).sum(-1, keepdims=True) + 1e-7)

    def contrast(made, source):
        terms = []
        for q, k in zip(projected(made), projected(source), strict=True):
            odds = np.exp(np.einsum("npd,nqd->npq", q, k) / 0.07)
            terms.append(np.mean(-np.log(np.diagonal(odds, axis1=1, axis2=2) / odds.sum(-1))))
        return np.mean(terms)

    expected = (contrast(fake, real("a")) + contrast(same, real("b"))) / 2
    np.testing.assert_allclose(metrics["contrastive_b"], expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], 2 * metrics["adversarial_b"] + 3 * metrics["contrastive_b"], rtol=1e-5)
    assert task.made == ("b",) and "cycle_b" not in metrics
    before, after = (
        params["projection"]["Dense_0"]["kernel"],
        moved.params["generator"]["projection"]["Dense_0"]["kernel"],
    )
    assert np.any(before != after)


def test_a_unet_has_no_features_to_contrast():
    with pytest.raises(JaxstyleError, match=r"model\.method is 'contrastive'.*model\.generator to 'residual'"):
        made(**{"model.method": "contrastive", "model.generator": "unet"})
