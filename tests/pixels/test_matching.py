"""Stylisation by matching, on the loop: when places are matched, resuming, batches, the dials."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.snapshots import load_snapshot, save_snapshot
from jaxstyle.perceptual.terms import content
from jaxstyle.pixels import film
from jaxstyle.pixels.loop import optimize
from jaxstyle.pixels.stylize import StyleTransferConfig, prepare

FEATURES = tiny.features()
PHOTOS = [tiny.picture(0, 40, 48), tiny.picture(4, 40, 48)]
LAYERS = ("relu2_1", "relu3_1")
STYLE = tiny.picture(1, 48, 40)
OWN = -content("relu2_1")


def problem(photos=PHOTOS[:1], points=({},), **changes):
    config = tiny.config(
        size=48, min_size=24, iterations=7, initial_iterations=3, match_every=3, matching_layers=LAYERS, **changes
    )
    return prepare(config, FEATURES, tiny.inputs(contents=photos, styles=[STYLE]), points)


def run(posed, **options):
    return optimize(posed, jax.devices()[:1], **options)


def test_places_are_matched_at_all_scales_but_the_first():
    posed = problem()
    names = [{part.name for part in posed.data(stage).objective.parts} for stage in posed.stages]
    matched = {"matching/relu2_1", "matching/relu3_1"}
    assert not matched & names[0] and all(matched <= each for each in names[1:])
    alone = problem(matching_weight=0.0)
    assert alone.method.match_every == 0
    assert not any(part.match for stage in alone.stages for part in alone.data(stage).objective.parts)


@pytest.mark.parametrize("steps", [5, 7, 8])  # in the scale that matches: before its second matching, and after it
def test_a_run_that_is_stopped_goes_on_bit_for_bit(tmp_path, steps):
    whole = run(problem()).pictures
    asked = iter(range(1000))
    stopped = run(problem(), stop=lambda: next(asked) >= steps).unfinished
    save_snapshot(tmp_path / "snapshot", stopped, {})
    resumed = run(problem(), resume=load_snapshot(tmp_path / "snapshot", problem(), {})).pictures
    np.testing.assert_array_equal(resumed, whole)


def test_matches_in_a_run_that_has_none_are_refused(tmp_path):
    asked = iter(range(1000))
    stopped = run(problem(), stop=lambda: next(asked) >= 8).unfinished
    assert stopped.state.matches
    save_snapshot(tmp_path / "snapshot", stopped, {})
    with pytest.raises(JaxstyleError, match="not of this run's shapes"):
        load_snapshot(tmp_path / "snapshot", problem(matching_weight=0.0), {})


def test_a_picture_does_not_depend_on_those_beside_it():
    points = ({"strength": 0.2}, {"matching_weight": 0.0}, {})
    together = run(problem(PHOTOS, points)).pictures
    for i, photo in enumerate(PHOTOS):
        for j, point in enumerate(points):
            alone = run(problem([photo], (point,))).pictures[0]
            # Sums in another order, through ten steps of Adam.
            np.testing.assert_allclose(together[3 * i + j], alone, atol=2e-2)
            assert np.abs(together[3 * i + j] - alone).mean() < 1e-3


def test_strength_goes_from_the_photo_to_the_painting():
    made = run(problem(points=tuple({"strength": s} for s in (0.0, 0.5, 1.0)))).pictures
    distances = [np.abs(picture - PHOTOS[0]).mean() for picture in made]
    assert distances == sorted(distances)
    with pytest.raises(JaxstyleError, match=r"strength is 1\.5; it must be at most 1"):
        dataclasses.replace(StyleTransferConfig(), strength=1.5).check()


@pytest.mark.slow
def test_one_device_gives_what_eight_do():
    one = run(problem(PHOTOS)).pictures
    eight = optimize(problem(PHOTOS), jax.devices()).pictures
    np.testing.assert_allclose(one, eight, atol=2e-2)
    assert np.abs(one - eight).mean() < 1e-3


def test_released_terms_count_a_quarter_and_statistics_as_before():
    posed = problem()
    held = posed.data(posed.stages[-1])
    freed = posed.release(held)
    kinds = [part.name.partition("/")[0] for part in held.objective.parts]
    pairs = zip(freed.objective.weights, held.objective.weights, strict=True)
    shares = [after[0] / before[0] for after, before in pairs]
    assert shares == [0.25 if kind in ("content", "structure", "matching") else 1 for kind in kinds]
    assert set(kinds) == {"content", "structure", "matching", "style", "total_variation"}


def test_a_release_brings_the_statistics_nearer():
    def style(release):
        rows = []
        optimize(problem(release=release), jax.devices()[:1], callbacks=[lambda report: rows.extend(report.terms)])
        assert len(rows) == 10
        return [sum(value.item() for name, value in row.items() if name.startswith("style")) for row in rows]

    held, freed = style(0.0), style(0.6)
    assert held[:6] == freed[:6]  # of the last seven steps three are held
    assert freed[-1] < held[-1]


def test_an_objective_of_the_callers_own_is_held_to_the_end():
    inputs = tiny.inputs(contents=PHOTOS[:1], styles=[STYLE])
    frame = film.Expected(np.full((40, 48, 3), 0.5, np.float32), np.ones((40, 48), np.float32))
    settings = film.FilmConfig(**vars(tiny.config(size=48, min_size=48)))
    for given in (inputs, inputs.having("expected", [frame])):
        posed = film.prepare(settings, FEATURES, given, objective=OWN)
        held = posed.data(posed.stages[-1])
        np.testing.assert_array_equal(posed.release(held).objective.weights, held.objective.weights)
