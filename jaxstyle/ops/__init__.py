"""Array operations with gradients that are fast on every platform."""

from jaxstyle.runtime import onednn

onednn.use_on_request()
