"""jaxstyle: stylise and generate pictures with JAX, as pure functions compiled for CPU, GPU and TPU."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxstyle._version import __version__
from jaxstyle.api import Stylized, Visualized, dream, stylize, synthesize_texture, visualize
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.features import load as load_features
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels.config import StyleTransferConfig, TextureConfig
from jaxstyle.pixels.dream_config import DreamConfig
from jaxstyle.pixels.visualize import VisualizationConfig

if TYPE_CHECKING:
    from jaxstyle.inference.apply import apply_style as apply_style
    from jaxstyle.inference.evaluate import evaluate as evaluate
    from jaxstyle.inference.forecast import forecast as forecast
    from jaxstyle.inference.predict import predict as predict
    from jaxstyle.inference.sample import sample as sample
    from jaxstyle.inference.segment import segment as segment
    from jaxstyle.inference.style_model import load_model as load_model

__all__ = [
    "DreamConfig",
    "Features",
    "JaxstyleError",
    "Picture",
    "StyleTransferConfig",
    "Stylized",
    "TextureConfig",
    "VisualizationConfig",
    "Visualized",
    "__version__",
    "dream",
    "load_features",
    "read_picture",
    "stylize",
    "synthesize_texture",
    "visualize",
    "write_picture",
]

_LATER = {
    "apply_style": "jaxstyle.inference.apply",
    "evaluate": "jaxstyle.inference.evaluate",
    "forecast": "jaxstyle.inference.forecast",
    "load_model": "jaxstyle.inference.style_model",
    "predict": "jaxstyle.inference.predict",
    "sample": "jaxstyle.inference.sample",
    "segment": "jaxstyle.inference.segment",
}


def __getattr__(name: str) -> Any:
    """What needs the training's libraries, which take a second to import, is imported when it is first used."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'jaxstyle' has no attribute {name!r}")
