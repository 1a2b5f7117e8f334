"""Runs a recipe: `python train.py --config configs/NAME.py --workdir DIR [--config.FIELD=VALUE …]`."""

import sys

from jaxstyle.runtime import allocator

if __name__ == "__main__":
    allocator.restart()  # before JAX is imported, which would be done twice

    from jaxstyle.cli.train import run_flags

    sys.exit(run_flags(sys.argv))
