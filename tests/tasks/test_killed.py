"""`kill -9` at twenty random moments of each task: the run goes on to the same bytes."""

import json
import shutil

import killed
import numpy as np
import pytest
from small_configs import CONFIGS

from jaxstyle.training.config import override


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_tasks(name, request, tmp_path):
    config = override(CONFIGS[name](request.getfixturevalue), {"eval_steps": 0, "checkpoint_steps": 2, "devices": 2})
    config.keep = 3

    def rows(folder):
        lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        return [(row["step"], row["loss"]) for row in lines if row["kind"] == "train"]

    arguments = config.to_dict()
    killed.finish(tmp_path / "first", killed.training, arguments, str(tmp_path / "first"))  # its programs are kept
    events, seconds, whole = killed.finish(tmp_path / "whole", killed.training, arguments, str(tmp_path / "whole"))
    count = 0
    for number, moment in enumerate(killed.moments(list(CONFIGS).index(name), events, seconds)):
        folder = tmp_path / str(number)
        count += killed.kill(folder, moment, killed.training, arguments, str(folder))
        _, _, resumed = killed.finish(folder, killed.training, arguments, str(folder))
        for one, other in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=moment)
        assert rows(folder) == rows(tmp_path / "whole"), moment
        more = left(folder) ^ left(tmp_path / "whole")
        assert more <= {"2", "4"}, moment  # killed before an older checkpoint was removed, it has that one still
        shutil.rmtree(folder)
    assert count >= 10


def left(folder):
    """Names in a workdir and among its checkpoints."""
    names = {path.name for place in (folder, folder / "checkpoints") for path in place.iterdir()}
    return {name for name in names if not name.startswith("events.")}
