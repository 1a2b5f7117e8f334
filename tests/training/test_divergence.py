"""Runs that diverge: what they name, and whether the advice that they print works as printed."""

import json
import shlex

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_task
from tiny_task import tiny_config

from jaxstyle import cli
from jaxstyle.errors import Diverged
from jaxstyle.inference.run import open_run
from jaxstyle.runtime.settings import FLAG, spelled
from jaxstyle.tasks import gan
from jaxstyle.training import loop
from jaxstyle.training.config import override
from jaxstyle.training.divergence import advice, history, repeated, rise

RECIPE = """
from tiny_task import tiny_config

def get_config(variant=""):
    changes = {changes!r}
    return tiny_config({data_dir!r}, devices=2, **changes)
"""


@pytest.fixture
def quartic(monkeypatch):
    """The sum of the parameters' fourth powers: gradient descent blows up where its steps are long."""

    def losses(self, params, batch):
        return jnp.full((batch["label"].shape[0], 1), jnp.sum(params["w"] ** 4))

    monkeypatch.setattr(tiny_task.Bare, "losses", losses)


@pytest.fixture
def train(shapes_dir, tmp_path, monkeypatch, capsys):
    """Runs `jaxstyle train` as a process of its own would be run; returns the status and what it printed."""

    def call(words):
        monkeypatch.setattr("sys.argv", ["jaxstyle", *words])
        status = cli.main(words)
        return status, capsys.readouterr().err

    changes = {"train_steps": 24, "checkpoint_steps": 2, "eval_steps": 0, "keep": 8, "optimizer__name": "sgd"}
    changes |= {"optimizer__learning_rate": 0.002}
    (tmp_path / "quartic.py").write_text(RECIPE.format(changes=changes, data_dir=shapes_dir))
    recipe = [str(tmp_path / "quartic.py"), "--workdir", str(tmp_path / "run")]
    return lambda *flags: call(["train", *recipe, *flags])


def losses_of(workdir):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {row["step"]: row["loss"] for row in rows if row["kind"] == "train"}


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # which ml_collections calls
def test_the_printed_advice_works_as_printed(quartic, train, call_printed, tmp_path):
    workdir = tmp_path / "run"
    assert train("--config.train_steps=6")[0] == 0
    status, told = train("--config.optimizer.learning_rate=0.3", "--config.resume_step=0")
    assert status == 2 and "is not finite in " in told and told.count("\n") == 1
    step = int(told.partition("to go on from step ")[2].partition(",")[0])
    losses = losses_of(workdir)
    assert losses[step] <= losses[6] and open_run(workdir, str(step))
    diverged = open_run(workdir)  # what is newest has risen already
    assert int(diverged.state.step) > step and np.sum(np.float64(diverged.state.params["w"]) ** 4) > 1e3 * losses[1]
    status, told = call_printed(told.partition("before the loss rose: ")[2])
    assert status == 0 and "is not finite" not in told
    assert losses_of(workdir)[24] < losses[step]


@pytest.fixture
def call_printed(monkeypatch, capsys):
    """Runs a command line that was printed."""

    def call(line):
        words = shlex.split(line)
        monkeypatch.setattr("sys.argv", words)
        return cli.main(words[1:]), capsys.readouterr().err

    return call


def test_without_a_checkpoint_from_before_it_says_so(shapes_dir, tmp_path):
    config = tiny_config(shapes_dir, devices=2, model__explodes_at=5)
    with pytest.raises(
        Diverged, match=r"step 6 is not finite in kl; no checkpoint is kept from before the loss rose \("
    ):
        loop.run(config, tmp_path)  # the state after step 5 is what is not finite
    assert jax.device_get(open_run(tmp_path).state.step) == 5
    config = tiny_config(shapes_dir, devices=2, model__explodes_at=3, optimizer__clip_norm=2.0)
    advice = r"no checkpoint is kept yet: begin again in another workdir with optimizer.learning_rate=0.0001$"
    with pytest.raises(Diverged, match=advice):
        loop.run(config, tmp_path / "other")


def test_a_diverged_run_names_step_and_term_and_keeps_what_it_had(shapes_dir, tmp_path):
    config = tiny_config(shapes_dir, devices=2, model__explodes_at=6, log_steps=4, eval_steps=0, checkpoint_steps=5)
    with pytest.raises(Diverged, match=r"step 7 is not finite in kl; to go on from step 5, .* resume_step=5 "):
        loop.run(config, tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["5"]


def rows(*losses, every=10, name="loss"):
    return [{"step": every * (i + 1), name: loss} for i, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("logged", "last", "start"),
    [
        (rows(2.3, 1.0, 0.5, 0.4), [0.4, 0.4, np.nan], 42),  # suddenly
        (rows(2.3, 1.0, 0.5, 0.4), [0.5, 1.8, 900.0, np.nan], 41),
        (rows(2.3, 1.0, 0.5, 2.0, 50.0, None), [np.nan], 30),  # slowly
        (rows(2.3, 1.0, 1.9, 0.5), [0.6, np.inf], 41),  # it recovered
        (rows(2.3, 9.0, 80.0), [np.nan], 10),  # from the beginning
        ([], [2.3, 9.0, np.nan], 1),
        ([], [np.nan], 0),
        (rows(-3.0, -9.0, -10.0, -4.0), [np.nan], 30),  # of a likelihood
    ],
)
def test_where_the_loss_rose(logged, last, start):
    first = logged[-1]["step"] + 1 if logged else 1
    assert rise(history(logged, [{"loss": loss} for loss in last], first)) == start


def test_the_advice_for_a_gan_is_of_both_optimizers():
    spans = history(rows(0.7, 0.9, name="generator_loss"), [{"generator_loss": np.nan}], 21)
    config = override(gan.Config(), {"discriminator_optimizer.clip_norm": 3.0})
    text = advice(config, [5, 10, 20], spans)
    assert text.startswith("to go on from step 10, ")
    changes = {name: float(value) for name, value in (word.split("=") for word in text.split() if "=" in word)}
    assert changes.pop("resume_step") == 10
    slower = override(config, changes)
    assert (slower.optimizer.learning_rate, slower.optimizer.clip_norm) == (2e-5, 1.0)
    assert (slower.discriminator_optimizer.learning_rate, slower.discriminator_optimizer.clip_norm) == (2e-5, 3.0)


def test_adversarial_losses_may_move():
    logged = rows(0.7, 3.0, 1.2, 4.0, 2.0, name="generator_loss")
    assert rise(history(logged, [{"generator_loss": loss} for loss in (5.0, 400.0, np.nan)], 51)) == 51


def test_a_command_is_repeated_with_each_setting_once(monkeypatch):
    words = ["train", "vae", "--workdir", "a b", "--config.resume_step=2", "--config.keep=3"]
    monkeypatch.setattr("sys.argv", ["/usr/bin/jaxstyle", *words])
    with spelled(FLAG):
        text = repeated({"resume_step": 4})
    assert text == "jaxstyle train vae --workdir 'a b' --config.keep=3 --config.resume_step=4"
    monkeypatch.setattr("sys.argv", ["ipython"])
    assert repeated({"resume_step": 4}) == "call run(config, workdir) again with resume_step=4"
