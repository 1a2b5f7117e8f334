"""Pruned networks have the same activations in fewer channels."""

import numpy as np
import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Weights, build, load, save_weights
from jaxstyle.features.weights.pruning import active_channels, pruned

DEAD = {"conv1_2": [1], "conv3_1": [0, 5]}


@pytest.fixture
def weights():
    whole = tiny.weights()
    for name, channels in DEAD.items():
        whole.tensors[f"{name}/bias"][channels] = -100.0
    return whole


def test_what_is_never_active_is_left_out_and_nothing_else_changes(weights):
    images = tiny.picture(0, 32, 40)[None]
    active = active_channels(weights, [images])
    assert all(set(channels) <= set(np.flatnonzero(~active[name])) for name, channels in DEAD.items())
    less = build("less", pruned(weights, active))
    _, before = build("whole", weights).network.apply({"params": build("whole", weights).params}, images)
    _, after = less.network.apply({"params": less.params}, images)
    for name, alive in active.items():
        tap = name.replace("conv", "relu")
        assert after[tap].shape[-1] == alive.sum()
        # other sums of float32, and channels of a thousandth of the layer's size may have gone
        np.testing.assert_allclose(
            after[tap], before[tap][..., alive], rtol=1e-2, atol=1e-2 * np.abs(before[tap]).max()
        )


def test_the_command_prunes_by_a_folder(weights, pictures, tmp_path, capsys):
    save_weights(tmp_path / "whole.safetensors", weights)
    convert = ["features", "convert", str(tmp_path / "whole.safetensors"), str(tmp_path / "less.safetensors")]
    assert main([*convert, "--prune", str(pictures)]) == 0
    assert load(tmp_path / "less.safetensors").network.widths[0][1] <= 3
    (tmp_path / "empty").mkdir()
    assert main([*convert, "--prune", str(tmp_path / "empty")]) == 2
    assert "holds no pictures" in capsys.readouterr().err


def test_what_cannot_be_pruned_is_refused(weights):
    with pytest.raises(JaxstyleError, match="of VGGs only"):
        active_channels(Weights("squeezenet1_1", {}), [])
    with pytest.raises(JaxstyleError, match="no picture"):
        active_channels(weights, [])
    with pytest.raises(JaxstyleError, match=r"no channel of conv1_1 is ever active"):
        pruned(weights, {"conv1_1": np.zeros(4, bool)})
