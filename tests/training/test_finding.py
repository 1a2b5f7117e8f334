"""The learning-rate finder: the rate it proposes, where it stops, and that it leaves the workdir alone."""

import os

import numpy as np
import pytest
from tiny_task import tiny_config

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import read_picture
from jaxstyle.tasks import gan
from jaxstyle.training.config import override
from jaxstyle.training.finding import HIGHEST, LOWEST, STEPS, find_rate, proposal, smoothed

pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # which ml_collections calls
RECIPE = """
from tiny_task import tiny_config
def get_config():
    return tiny_config({data!r}, task="tiny_task", batch_size=64)
"""


@pytest.mark.parametrize("middle", [1e-4, 3e-3, 0.1])
def test_the_proposal_is_below_where_the_loss_explodes(middle):
    rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(STEPS) / (STEPS - 1))
    decades = np.log10(rates / middle)
    losses = 2 - 1 / (1 + np.exp(-4 * decades)) + 0.05 * np.random.default_rng(0).normal(size=STEPS)
    losses += np.maximum(decades - 1, 0) * 30  # it explodes a decade later
    assert 1 / 2.5 < proposal(rates, losses) / middle < 2.5
    noise = np.random.default_rng(1).normal(size=STEPS)
    assert proposal(rates, 1 + rates + noise) is None and proposal(rates[:2], losses[:2]) is None


def test_running_means_are_unbiased():
    np.testing.assert_allclose(smoothed([3.0] * 5), 3)
    np.testing.assert_allclose(smoothed([1.0, 2.0]), [1, (0.9 * 1 + 2) / 1.9])


def test_the_command_draws_and_proposes(shapes_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(RECIPE.format(data=str(shapes_dir)))
    assert main(["train", "mine.py", "--workdir", "run", "--config.devices=1", "--find-rate", "rates.png"]) == 0
    told = capsys.readouterr().out.splitlines()
    rate = float(told[-1].rpartition("--config.optimizer.learning_rate=")[2])
    assert told[0].startswith("rates.png: ") and 1e-3 < rate < HIGHEST
    assert sorted(name for name in os.listdir() if "pycache" not in name) == ["mine.py", "rates.png"]
    assert read_picture("rates.png").rgb.std() > 0.05
    assert main(["train", "mine.py", "--workdir", "run", "--find-rate", "no/rates.png"]) == 2


@pytest.mark.slow
def test_what_has_no_rate_is_told(shapes_dir, tmp_path):
    with pytest.raises(JaxstyleError, match="falls at no learning rate"):
        find_rate(tiny_config(shapes_dir, model__explodes_at=0, devices=1))
    config = override(gan.Config(), {"data.name": "jaxstyle_shapes/tiny", "data.data_dir": str(shapes_dir)})
    config = override(config, {"data.size": 16, "devices": 1, "progress": "off", "batch_size": 16})
    with pytest.raises(JaxstyleError, match=r"found for one optimiser, and .*gan has 2"):
        find_rate(config)
    assert main(["train", "texture:test", "--find-rate", str(tmp_path / "a.png")]) == 2
