"""jaxstyle: stylise and generate pictures with JAX, as pure functions compiled for CPU, GPU and TPU."""

__version__ = "0.1.0"

from jaxstyle.api import Stylized, stylize
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.features import load as load_features
from jaxstyle.images import Picture, read_picture, write_picture
from jaxstyle.pixels.config import StyleTransferConfig

__all__ = [
    "Features",
    "JaxstyleError",
    "Picture",
    "StyleTransferConfig",
    "Stylized",
    "__version__",
    "load_features",
    "read_picture",
    "stylize",
    "write_picture",
]
