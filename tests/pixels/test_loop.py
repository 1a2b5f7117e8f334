"""The loop on a toy objective: convergence, reports, divergence, stopping, resuming, devices, transfers."""

import functools
import threading
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import Diverged, JaxstyleError
from jaxstyle.pixels import loop, optimizers, parametrizations
from jaxstyle.pixels.loop import Problem, optimize
from jaxstyle.pixels.method import HyperParameters, Method, enlarge, picture, start
from jaxstyle.pixels.schedule import Stage

PLAN = [Stage(8, 6, 8, 5), Stage(12, 9, 12, 0), Stage(16, 12, 16, 4)]
RNG = np.random.default_rng(0)


class Toy(NamedTuple):
    """Squared distance to a target plus noise that depends on the key; NaN from the step `breaks` on."""

    noise: float = 0.1

    def __call__(self, image, data, shared, key):
        target = data["target"] + self.noise * jax.random.normal(key, image.shape)
        distance = jnp.mean(jnp.square(image - target)) * shared["gain"]
        # The picture moves by about a learning rate a step: past `limit` the term is infinite.
        wall = jnp.where(jnp.mean(image) > data["limit"], jnp.inf, 0.0)
        return distance + wall, {"distance": distance, "wall": wall}


def method(optimizer="adam", noise=0.1) -> Method:
    return Method(parametrizations.RGB, Toy(noise), METHODS[optimizer])


METHODS = {"adam": optimizers.adam(), "lbfgs": optimizers.lbfgs(3)}


def problem(count=1, plan=PLAN, limit=2.0, value=0.8, start=None, setting=None, **options) -> Problem:
    def data(stage):
        shape = (count, stage.height, stage.width, 3)
        values = np.linspace(0, value, count * 5)[::-5].reshape(-1, 1, 1, 1)
        ramp = np.linspace(0.5, 1, stage.width).reshape(1, 1, -1, 1)
        return {"target": np.broadcast_to(values * ramp, shape).astype(np.float32), "limit": np.full(count, limit)}

    begun, hyper = images(count, plan) if start is None else start, setting or hyper_parameters(count)
    return Problem(method(**options), plan, begun, hyper, data, {"gain": np.float32(3)})


def hyper_parameters(count=1, rate=0.05, decay=0.8) -> HyperParameters:
    keys = np.arange(2 * count, dtype=np.uint32).reshape(count, 2)
    return HyperParameters(np.full(count, rate, np.float32), np.full(count, decay, np.float32), keys)


def images(count=1, plan=PLAN):
    return np.random.default_rng(3).random((count, plan[0].height, plan[0].width, 3)).astype(np.float32)


def run(count=1, devices=1, start=None, setting=None, **options):
    names = ("plan", "limit", "value", "optimizer", "noise")
    chosen = {name: options.pop(name) for name in names if name in options}
    return optimize(problem(count, start=start, setting=setting, **chosen), jax.devices()[:devices], **options)


def after(steps):
    """A `stop` that lets so many steps pass. The loop asks once a step and once at each stage's end."""
    asked = iter(range(10_000))
    return lambda: next(asked) >= steps


@pytest.fixture
def hurried(monkeypatch):
    """Reports after every third step, as a slow machine's clock would have them at any."""
    monkeypatch.setattr(loop, "REPORT_EVERY", 3)


def test_adam_reaches_the_target():
    plan = [Stage(8, 6, 8, 150)]
    posed = problem(plan=plan, noise=0.0)
    outcome = run(plan=plan, noise=0.0, setting=hyper_parameters(rate=0.03, decay=0.0))
    assert outcome.unfinished is None
    np.testing.assert_allclose(outcome.pictures, posed.data(plan[0])["target"], atol=0.005)


def test_the_last_steps_of_a_stage_are_of_the_released_data(hurried):
    plan = [Stage(8, 6, 8, 3), Stage(12, 9, 12, 7, released=4)]

    def distances(release):
        posed, found = problem(plan=plan, noise=0.0)._replace(release=release), []
        optimize(posed, jax.devices()[:1], callbacks=[lambda report: found.extend(report.terms)])
        return np.array([terms["distance"].item() for terms in found])

    held, moved = distances(lambda data: data), distances(lambda data: {**data, "target": data["target"] + 1})
    np.testing.assert_array_equal(moved[:6], held[:6])
    assert np.all(moved[6:] > held[6:] + 0.1)


def test_a_run_stopped_among_its_released_steps_resumes_bit_for_bit():
    posed = problem(plan=[Stage(8, 6, 8, 7, released=4)])._replace(
        release=lambda data: {**data, "target": data["target"] + 1}
    )
    whole = optimize(posed, jax.devices()[:1])
    for steps in (2, 5):
        part = optimize(posed, jax.devices()[:1], stop=after(steps))
        rest = optimize(posed, jax.devices()[:1], resume=part.unfinished)
        np.testing.assert_array_equal(rest.pictures, whole.pictures)


@pytest.mark.parametrize("every", [3, 1000])
def test_every_step_is_reported_once_and_in_order(monkeypatch, every):
    monkeypatch.setattr(loop, "REPORT_EVERY", every)
    monkeypatch.setattr(loop, "REPORT_SECONDS", 1e9)
    seen = []

    def watch(report):
        first = report.iteration - len(report.terms) + 1
        seen.extend((report.stage, first + i, terms) for i, terms in enumerate(report.terms))

    run(count=2, callbacks=[watch])
    assert [(stage, step) for stage, step, _ in seen] == [(0, i) for i in range(1, 6)] + [(2, i) for i in range(1, 5)]
    for _, _, terms in seen:
        assert set(terms) == {"distance", "wall", "loss", "gradient", "update"}
        assert all(value.shape == (2,) for value in terms.values())
        np.testing.assert_allclose(terms["loss"], terms["distance"] + terms["wall"], rtol=1e-6)


def test_reports_at_a_pause_show_that_very_step():
    shown = {}

    def watch(report):
        if report.iteration % 2 == 0:
            shown[report.stage, report.iteration] = report.pictures()

    run(callbacks=[watch], pause_every=2)
    assert {(0, 2), (0, 4), (2, 2), (2, 4)} <= set(shown)
    for (stage, iteration), pictures in shown.items():
        plan = [*PLAN[:stage], PLAN[stage]._replace(iterations=iteration)]
        np.testing.assert_array_equal(pictures, run(plan=plan).pictures)


def test_divergence_names_iteration_scale_and_term_and_keeps_the_last_good_picture(hurried):
    plan = [Stage(8, 6, 8, 20)]
    start = np.full((1, 6, 8, 3), 0.2, np.float32)
    setting = hyper_parameters(rate=0.01, decay=0.0)
    good = {}

    def watch(report):
        good[report.iteration] = report.terms[-1]["wall"]

    with pytest.raises(Diverged, match=r"iteration 6 at 8 px is not finite in loss, wall:") as caught:
        run(plan=plan, limit=0.245, value=4.0, noise=0.0, start=start, setting=setting, callbacks=[watch])
    # Five steps of 0.01 from 0.2; the sixth evaluation, at 0.25, is past the limit.
    np.testing.assert_allclose(caught.value.pictures, 0.25, atol=1e-4)
    assert max(good) < 6 and all(np.isfinite(value) for value in good.values())


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_an_update_that_overflows_is_found_before_it_is_taken(optimizer):
    with pytest.raises(Diverged, match="iteration 1 at 8 px is not finite in update") as caught:
        run(setting=hyper_parameters(rate=1e30), optimizer=optimizer)
    np.testing.assert_array_equal(caught.value.pictures, images())


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_stop_ends_at_once_with_a_snapshot(steps):
    outcome = run(stop=after(steps))
    assert (outcome.unfinished.stage, outcome.unfinished.iteration) == (0, steps)
    np.testing.assert_array_equal(outcome.pictures, run(plan=[PLAN[0]._replace(iterations=steps)]).pictures)


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("lbfgs", marks=pytest.mark.slow)])
@pytest.mark.parametrize("count", [1, 3])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(optimizer, count):
    whole = run(count=count, devices=2, optimizer=optimizer)
    places = set()
    for steps in range(13):  # 9 steps and 3 more askings, one after each stage but the last
        first = run(count=count, devices=2, optimizer=optimizer, stop=after(steps))
        if first.unfinished is None:
            break
        places.add((first.unfinished.stage, first.unfinished.iteration))
        second = run(count=count, devices=2, optimizer=optimizer, resume=first.unfinished)
        np.testing.assert_array_equal(second.pictures, whole.pictures)
    # In the middle of a stage, exactly at its end, at the beginning of a later one, and in a stage without steps.
    assert {(0, 0), (0, 3), (0, 5), (1, 0), (2, 0), (2, 2)} <= places


def test_a_snapshot_taken_on_the_way_goes_on_likewise(hurried):
    taken = []
    whole = run(count=2, callbacks=[lambda report: taken.append(report.snapshot())])
    assert len(taken) > 3
    for snapshot in taken:
        np.testing.assert_array_equal(run(count=2, resume=snapshot).pictures, whole.pictures)


def test_the_result_is_the_bias_corrected_average_of_the_iterates():
    plan = [Stage(8, 6, 8, 7)]
    iterates = []
    run(
        plan=plan,
        setting=hyper_parameters(decay=0.0),
        callbacks=[lambda report: iterates.append(report.pictures())],
        pause_every=1,
    )
    assert len(iterates) == 7
    average, decay = np.zeros_like(iterates[0], dtype=np.float64), 0.8
    for iterate in iterates:
        average = decay * average + (1 - decay) * iterate
    expected = average / (1 - decay ** len(iterates))
    np.testing.assert_allclose(run(plan=plan, setting=hyper_parameters(decay=decay)).pictures, expected, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_one_device_equals_eight_and_a_batch_equals_one_by_one(optimizer):
    count, plan = 11, [PLAN[0]] if optimizer == "lbfgs" else PLAN[::2]  # 11: neither a divisor nor a multiple of 8
    one = run(count=count, devices=1, optimizer=optimizer, plan=plan).pictures
    np.testing.assert_allclose(run(count=count, devices=8, optimizer=optimizer, plan=plan).pictures, one, atol=1e-5)
    posed = problem(count, plan, optimizer=optimizer)
    for i in (0, 10):
        start, hyper = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], (posed.start, posed.hyper))
        alone = posed._replace(start=start, hyper=hyper)
        alone = alone._replace(data=lambda stage, i=i: jax.tree.map(lambda leaf: leaf[i : i + 1], posed.data(stage)))
        outcome = optimize(alone, jax.devices()[:1])
        np.testing.assert_allclose(outcome.pictures[0], one[i], atol=1e-5)


def test_what_was_handed_out_survives_the_steps_that_reuse_its_memory(hurried):
    start = images(2)
    before, kept = start.copy(), []

    def watch(report):
        arrays = [report.pictures(), *jax.tree.leaves(report.snapshot().state)]
        kept.extend((array, array.copy()) for array in arrays)

    first = run(count=2, start=start, stop=after(3))
    copies = jax.tree.map(np.copy, first.unfinished)
    run(count=2, start=start, callbacks=[watch], resume=first.unfinished)
    for array, copy in [*kept, (start, before)]:
        np.testing.assert_array_equal(array, copy)
    jax.tree.map(np.testing.assert_array_equal, first.unfinished, copies)


def test_a_second_run_of_equal_shapes_compiles_nothing():
    compiled = []

    def listen(name, seconds, **_):
        if name == "/jax/core/compile/backend_compile_duration":
            compiled.append(seconds)

    plan = [Stage(10, 7, 10, 2), Stage(14, 10, 14, 2)]  # of no other test
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        run(plan=plan, noise=0.2)
        assert len(compiled) >= 5  # start, two steps, enlarge, picture
        compiled.clear()
        run(
            plan=plan,
            noise=0.2,
            value=0.3,
            setting=hyper_parameters(rate=0.02, decay=0.5),
            callbacks=[lambda r: r.snapshot()],
        )
        assert not compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_the_next_stage_is_made_ready_while_one_runs():
    posed, asked = problem(), []

    def data(stage):
        asked.append((stage.scale, threading.current_thread().name))
        if stage.scale == 16:
            raise JaxstyleError("no such painting")
        return posed.data(stage)

    with pytest.raises(JaxstyleError, match="no such painting"):
        optimize(posed._replace(data=data), jax.devices()[:1])
    assert [scale for scale, _ in asked] == [8, 12, 16]
    assert asked[0][1] == "MainThread" and all(name.startswith("next stage") for _, name in asked[1:])


def test_a_step_moves_nothing_between_host_and_devices(monkeypatch):
    """The loop's one fetch is in `report`, and it is explicit; steps neither fetch nor send anything implicitly."""
    plan = [Stage(8, 6, 8, 40)]
    fetched = []
    monkeypatch.setattr(jax, "device_get", lambda x, get=jax.device_get: fetched.append(len(x)) or get(x))
    monkeypatch.setattr(loop, "REPORT_SECONDS", 1e9)
    run(plan=plan)
    fetched.clear()
    with jax.transfer_guard("disallow"):
        run(plan=plan)
    assert fetched == [loop.REPORT_EVERY, 40 - loop.REPORT_EVERY]


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("function", ["start", "picture", "enlarge"])
def test_the_other_programs_lower_for_every_platform(platform, optimizer, function):
    chosen = method(optimizer)
    image = jnp.zeros((2, 6, 8, 3))
    begin = jax.vmap(functools.partial(start, chosen))
    programs = {"start": start, "picture": picture}
    static = functools.partial(programs.get(function, enlarge), chosen)
    if function == "enlarge":
        static = functools.partial(static, 12, 16)
    argument = image if function == "start" else jax.eval_shape(begin, image)
    jax.jit(jax.vmap(static)).trace(argument).lower(lowering_platforms=(platform,))
