"""`import jaxstyle` is cheap and harmless: no network, no TensorFlow, no torch, no device."""

import subprocess
import sys

CHILD = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("import jaxstyle opened a socket")

socket.socket.__init__ = socket.create_connection = socket.getaddrinfo = refuse
import jaxstyle, jaxstyle.cli
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized()
print(*sorted({"tensorflow", "torch", "tensorflow_datasets", "orbax", "matplotlib"} & set(sys.modules)))
for name in jaxstyle.__all__:
    getattr(jaxstyle, name)
"""


def test_import():
    done = subprocess.run([sys.executable, "-W", "error", "-c", CHILD], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
