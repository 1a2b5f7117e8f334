"""Runs a recipe: `python train.py --config configs/NAME.py --workdir DIR [--config.FIELD=VALUE …]`."""

import sys

from jaxstyle.runtime import huge_pages

if __name__ == "__main__":
    huge_pages.restart()  # before JAX is imported, which would be done twice

    from jaxstyle.cli.train import run_flags

    sys.exit(run_flags(sys.argv))
