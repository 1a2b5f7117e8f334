"""Runs a recipe: `python train.py --config configs/NAME.py --workdir DIR [--config.FIELD=VALUE …]`."""

import sys

from jaxstyle.cli.train import run_flags

if __name__ == "__main__":
    sys.exit(run_flags(sys.argv))
