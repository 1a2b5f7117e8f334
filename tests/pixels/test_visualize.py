"""Visualisations: one program for all channels, robust to what they were not shown, facets, bad settings."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle import JaxstyleError, VisualizationConfig
from jaxstyle.pixels import objectives as o
from jaxstyle.pixels import transforms
from jaxstyle.pixels.job import Inputs
from jaxstyle.pixels.loop import optimize
from jaxstyle.pixels.visualize import points, prepare

FEATURES = tiny.features()
SMALL = VisualizationConfig(layer="relu2_1", channels="0:3", size=24, iterations=4, pad=2, jitter=2)


def change(**changes) -> VisualizationConfig:
    return dataclasses.replace(SMALL, **changes)


def activation(picture, index, layer="relu3_1"):
    """The mean of a channel over positions."""
    return float(
        FEATURES.network.apply({"params": FEATURES.params}, picture[None], (layer,))[1][layer][..., index].mean()
    )


@pytest.mark.slow
def test_channels_of_a_batch_are_what_they_are_alone_and_devices_do_not_matter():
    together = jaxstyle.visualize(config=SMALL, features=FEATURES)
    assert np.shape(together.pictures) == (3, 24, 24, 3)
    assert [row["iteration"] for row in together.history] == [1, 2, 3, 4]
    one_device = jaxstyle.visualize(config=change(devices=1), features=FEATURES)
    np.testing.assert_allclose(together.pictures, one_device.pictures, atol=1e-5)
    alone = jaxstyle.visualize(o.channel("relu2_1", 2), config=SMALL, features=FEATURES)
    np.testing.assert_allclose(alone.pictures[0], together.pictures[2], atol=1e-5)
    assert np.abs(together.pictures[0] - together.pictures[1]).max() > 0.02


def test_64_channels_are_one_program():
    """A second run of other channels compiles nothing: which channel it is, is data."""
    compiled = []

    def listen(name, seconds, **_):
        if name == "/jax/core/compile/backend_compile_duration":
            compiled.append(name)

    config = change(size=20, iterations=1, devices=1)
    first, second = (
        prepare(config, FEATURES, Inputs(), wanted=[o.channel("relu1_1", i % 4) for i in range(start, start + 64)])
        for start in (0, 3)
    )
    optimize(first, jax.devices()[:1])
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        optimize(second, jax.devices()[:1])
        assert not compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def unseen(picture):
    """Shifts, scalings and turns that training did not draw (it stops at a tenth and ten degrees)."""
    yield from (np.roll(picture, shift, (0, 1)) for shift in ((9, 4), (-7, 12)))
    for scale, degrees in ((0.85, 0), (1.18, 0), (1, 14), (1, -14)):
        yield np.asarray(transforms.affine(picture[None], scale, np.deg2rad(degrees)))[0]


@pytest.fixture(scope="module")
def painted():
    """Six channels of relu3_1 in pixels and in Fourier, by equal numbers of steps."""
    made = {}
    for name, rate in (("fourier", 0.05), ("pixels", 0.02)):
        config = change(
            layer="relu3_1", channels="0:8", size=40, iterations=80, parametrization=name, learning_rate=rate, devices=1
        )
        made[name] = jaxstyle.visualize(config=config, features=FEATURES)
    return made


def kept(result):
    """The share of its activation that each picture keeps on the mean over unseen views, of channels that are alive."""
    shares = []
    for index, picture in enumerate(result.pictures):
        if (whole := activation(picture, index)) > 0.1:
            shares.append(np.mean([activation(view, index) for view in unseen(picture)]) / whole)
    assert len(shares) >= 4
    return np.mean(shares)


@pytest.mark.slow
def test_a_visualisation_keeps_its_activation_under_unseen_views_and_fourier_more_than_pixels(painted):
    shares = {name: kept(result) for name, result in painted.items()}
    assert shares["fourier"] >= 0.6, shares
    assert shares["fourier"] > shares["pixels"], shares


@pytest.mark.slow
def test_the_activation_rises(painted):
    for result in painted.values():
        history = np.array([row["channel/relu3_1"] for row in result.history])
        alive = history[-1] > 0.1
        assert (history[-10:].mean(0) > 1.5 * history[:3].mean(0))[alive].all()


@pytest.mark.slow
def test_facets_are_unlike_one_another():
    def likeness(weight):
        config = change(channels="1", facets=2, diversity_weight=weight, iterations=12, size=24)
        result = jaxstyle.visualize(config=config, features=FEATURES)
        assert np.shape(result.pictures) == (1, 2, 24, 24, 3)
        view = FEATURES.network.apply({"params": FEATURES.params}, result.pictures[0], ("relu2_1",))[1]
        return -float(o.diversity("relu2_1")(o.Activations(result.pictures[0], view, {})))

    assert likeness(30.0) < likeness(0.0)


@pytest.mark.parametrize(
    ("text", "expected"), [("3", [3]), ("0:4", [0, 1, 2, 3]), ("6:", [6, 7]), ("1, 1,2:4", [1, 2, 3])]
)
def test_channels_are_read(text, expected):
    assert change(channels=text).indices(8) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": "8"}, "layer 'relu2_1' has channels 0 to 7, and 8 is none of them"),
        ({"channels": "0:9"}, "channels 0 to 7, and 8 is none"),
        ({"channels": "-1"}, "and -1 is none of them"),
        ({"channels": "a"}, "channels 'a' is not of the form 11, 3,5,8 or 0:64"),
        ({"channels": "4:2"}, "channels '4:2' names no channel"),
        ({"layer": "relu2_9"}, "unknown layer 'relu2_9'.*did you mean"),
        ({"target": "logit"}, "target logit does not fit layer 'relu2_1'; use channel"),
        ({"target": "chanel"}, "target 'chanel' is unknown; did you mean 'channel'"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be above 0"),
        ({"scale": 1}, "scale is 1; it must be below 1"),
        ({"facets": 2, "parametrization": "cppn"}, "facets needs another parametrization than cppn"),
        ({"size": 16, "pad": 0, "jitter": 10}, "at size 16 the layers see 1 px and need 8: make it larger"),
        ({"parametrization": "furier"}, "did you mean 'fourier'"),
        ({"devices": 9}, "9 devices asked for"),
    ],
)
def test_what_cannot_be_is_told(changes, message):
    with pytest.raises(JaxstyleError, match=message):
        jaxstyle.visualize(config=change(**changes), features=FEATURES)


def test_objectives_of_different_structures_are_told():
    with pytest.raises(JaxstyleError, match="objectives of one run must have the same layers"):
        jaxstyle.visualize([o.channel("relu2_1", 0), o.neuron("relu2_1", 0)], config=SMALL, features=FEATURES)


@pytest.mark.parametrize("target", ["channel", "neuron"])
@pytest.mark.parametrize("parametrization", ["fourier", "cppn"])
def test_a_step_lowers_for_every_platform(target, parametrization):
    from jaxstyle.pixels.method import advance, start

    config = change(target=target, parametrization=parametrization, tv_weight=0.1)
    job = prepare(config, FEATURES, Inputs(), points(config, FEATURES))
    method = job.method
    state = jax.eval_shape(jax.vmap(lambda image: start(method, image)), job.start)
    step = jax.vmap(lambda *args: advance(method, *args), in_axes=(0, 0, 0, None))
    traced = jax.jit(step).trace(state, job.hyper, job.data(job.stages[0]), job.shared)
    for platform in ("cpu", "cuda", "tpu"):
        assert "stablehlo.convolution" in traced.lower(lowering_platforms=(platform,)).as_text()
