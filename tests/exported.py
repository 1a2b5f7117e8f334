"""Exported files, reloaded in a process of their own."""

import functools
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

# The same arithmetic, compiled anew for sides without numbers: sums may be in another order.
close = functools.partial(np.testing.assert_allclose, atol=1e-5)


def needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


CHILD = """
import sys
import numpy as np
from jax import export
exported = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
given = np.load(sys.argv[2])
print(*exported.platforms)
np.save(sys.argv[3], exported.call(*(given[name] for name in given)))
assert not [name for name in sys.modules if name.startswith(("jaxstyle", "flax"))]
"""


def reloaded(path, folder, *arguments):
    """What an exported file makes of arguments in a process of its own, and where it says that it runs."""
    np.savez(folder / "given.npz", **{f"a{i}": argument for i, argument in enumerate(arguments)})
    words = [str(folder / name) for name in ("given.npz", "made.npy")]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), *words], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "made.npy"), done.stdout.split()
