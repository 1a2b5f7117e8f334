"""The contract of every task: `contract.py` says what each check is, the list below with what and how fast."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import contract
import pytest
from small_configs import CONFIGS

from jaxstyle.training.config import override

WHOLE_STYLE = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1"), "layer_weights": (4.0, 3.0)}
WHOLE_STYLE |= {"temporal_weight": 0.5, "motion": 2.0}
ONE_TEACHER = {
    "deep_teacher": "",
    "widths": ((4,), (6,)),
    "layers": ("relu1_1", "relu2_1"),
    "layer_weights": (1.0, 1.0),
}


MOMENTUM = {
    f"{network}.{name}": value
    for network in ("optimizer", "discriminator_optimizer")
    for name, value in {"name": "sgd", "momentum": 0.9, "learning_rate": 1e-4}.items()
}
"""Adam's steps are of full length where a gradient is rounding, as those of shifts before a normalisation are."""


def of_model(**changes):
    """Changes of a config's `model`."""
    return {f"model.{name}": value for name, value in changes.items()}


class Case(NamedTuple):
    """A task under contract.

    Attributes:
      metrics: Some that its evaluation gives.
      operations: StableHLO operations that its training step must contain.
      slow: Checks that are marked slow; that of two processes always is.
      changes: Check -> changes of the small config.
      forms: More forms of the task, for the check of devices alone: changes and tolerance.
      tolerance: Of the checks of devices and processes.
    """

    metrics: tuple[str, ...]
    operations: tuple[str, ...] = ("convolution", "dot_general")
    slow: tuple[str, ...] = ()
    changes: Mapping[str, dict] = MappingProxyType({})
    forms: Mapping[str, tuple[dict, float]] = MappingProxyType({})
    tolerance: float = 1e-3


CASES = {
    "any_style": Case(("loss", "content", "style", "total_variation"), slow=("devices", "resume", "evaluation")),
    "classify": Case(
        ("loss", "accuracy", "f1", "confusion"),
        operations=("convolution", "dot_general", "all_gather"),  # mixup
    ),
    "distill": Case(
        ("loss", "relu1_1", "relu2_1", "relu3_1"),
        slow=("devices", "resume", "evaluation"),
        changes=dict.fromkeys(("devices", "resume", "preempt", "lowers"), of_model(**ONE_TEACHER)),
    ),
    "fast_style": Case(
        ("loss", "content", "style", "temporal", "total_variation"),
        operations=("convolution", "dot_general", "custom_call"),  # Wasserstein-2 decomposes symmetric matrices
        slow=("devices", "evaluation"),
        changes={"lowers": {**WHOLE_STYLE, "style_loss": "wasserstein"}, "evaluation": WHOLE_STYLE},
        # Adam's steps are of full length where a gradient is rounding. The next normalisation takes most of a shift
        # away again: its gradient is a small difference of large sums.
        forms={"whole": ({**WHOLE_STYLE, "optimizer.name": "sgd", "optimizer.momentum": 0.9}, 5e-3)},
    ),
    "forecast": Case(("loss", "mse", "mae", "ssim", "psnr", "frame_mse", "accuracy", "copy_last_mse", "blank_ssim")),
    "gan": Case(
        ("loss", "real_logit", "fake_logit"),
        changes={
            "devices": of_model(r1=0.5, penalty_every=2, augment=("translation",)),
            "lowers": of_model(r1=0.5, penalty_every=2, augment=("translation",)),
            "evaluation": of_model(spectral_norm=True),
        },
        forms={
            "simultaneous": (
                of_model(
                    updates="simultaneous",
                    architecture="resnet",
                    objective="hinge",
                    spectral_norm=True,
                    conditional=True,
                ),
                1e-3,
            ),
            "wasserstein": (of_model(objective="wasserstein", discriminator_steps=2, gradient_penalty=10.0), 1e-3),
            "r3gan": (
                of_model(architecture="r3gan", objective="relativistic", r1=0.5, r2=0.5, final_penalty=0.1)
                | of_model(blocks=1, group=4, patch=2, conditional=True)
                | {"optimizer.final_b2": 0.99, "discriminator_optimizer.final_b2": 0.99},
                1e-3,
            ),
            "stylegan2": (
                of_model(architecture="stylegan2", mapping=2, r1=0.5, penalty_every=2, conditional=True)
                | of_model(style_mixing=0.9, path_length=2.0, adaptive=0.6, adaptive_examples=64),
                1e-3,
            ),
            "progressive": (of_model(architecture="progressive", r1=0.5, growth=0.4, conditional=True), 1e-3),
            "codes": (of_model(codes=3, self_modulation=True, spectral_norm=True), 1e-3),
        },
    ),
    "segment": Case(("loss", "dice", "mean_iou", "picture_dice", "confusion")),
    "translate": Case(
        ("loss", "cycle_a", "noisy_cycle_b", "psnr_a", "ssim_b", "psnr_untranslated"),
        operations=("convolution", "all_gather"),  # of the pool
        slow=("devices", "resume", "preempt", "evaluation"),
        changes={"devices": MOMENTUM, "processes": MOMENTUM},
        forms={
            "paired": (
                of_model(method="paired", generator="unet", pool=0)
                | {"data.pairs": "all", "data.split": "test[40:80]", **MOMENTUM},
                5e-3,
            ),
            "contrastive": (of_model(method="contrastive", patches=20) | MOMENTUM, 5e-3),
            "wasserstein": (
                of_model(objective="wasserstein", discriminator_steps=2, clip_weights=0.01) | MOMENTUM,
                5e-3,
            ),
        },
        tolerance=1e-2,  # gradients of scales before a normalisation are small differences of large sums; 5e-3 was seen
    ),
    "vae": Case(("loss", "reconstruction", "kl", "iwae")),
    "vqvae": Case(("loss", "reconstruction", "kl", "perplexity")),
}


def cases(check):
    """Every task, those marked slow for whom the check is."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] * (check in (*case.slow, "processes")))
        for name, case in CASES.items()
    ]


@pytest.fixture
def config(request, name):
    """The small config of a task, changed as the check at hand wants it."""
    check = request.node.function.__name__.removeprefix("test_")
    return override(CONFIGS[name](request.getfixturevalue), CASES[name].changes.get(check, {}))


@pytest.mark.parametrize("name", cases("devices"))
def test_devices(name, config, tmp_path):
    contract.check_devices_agree(config, tmp_path, tolerance=CASES[name].tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), [(name, form) for name, case in CASES.items() for form in case.forms])
def test_devices_in_another_form(name, form, config, tmp_path):
    changes, tolerance = CASES[name].forms[form]
    contract.check_devices_agree(override(config, changes), tmp_path, tolerance=tolerance)


@pytest.mark.parametrize("name", cases("processes"))
def test_processes(name, config, tmp_path):
    contract.check_processes_agree(config, tmp_path, tolerance=CASES[name].tolerance)


@pytest.mark.parametrize("name", cases("resume"))
def test_resume(name, config, tmp_path):
    contract.check_resume_after_kill(config, tmp_path)


@pytest.mark.parametrize("name", cases("preempt"))
def test_preempt(name, config, tmp_path, monkeypatch):
    contract.check_preempt_saves(config, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", cases("lowers"))
def test_lowers(name, config, tmp_path):
    contract.check_lowers(config, tmp_path, CASES[name].operations)


@pytest.mark.parametrize("name", cases("evaluation"))
def test_evaluation(name, config, tmp_path):
    contract.check_evaluation_is_whole(config, tmp_path, CASES[name].metrics)


def test_every_task_is_under_contract():
    """A task is a module of `jaxstyle.tasks` that has a `make`."""
    import importlib
    import pkgutil

    from jaxstyle import tasks

    modules = [
        importlib.import_module(f"jaxstyle.tasks.{module.name}") for module in pkgutil.iter_modules(tasks.__path__)
    ]
    assert {module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "make")} == set(CASES)
