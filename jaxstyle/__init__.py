"""jaxstyle: stylise and generate pictures with JAX, as pure functions compiled for CPU, GPU and TPU."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxstyle._version import __version__
from jaxstyle.api import Result, dream, stylize, synthesize_texture, visualize
from jaxstyle.errors import Diverged, Interrupted, JaxstyleError
from jaxstyle.features import Features
from jaxstyle.features import load as load_features
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels.dream import DreamConfig
from jaxstyle.pixels.stylize import StyleTransferConfig
from jaxstyle.pixels.texture import TextureConfig
from jaxstyle.pixels.visualize import VisualizationConfig

if TYPE_CHECKING:
    from jaxstyle.inference.apply import apply_style
    from jaxstyle.inference.evaluate import evaluate
    from jaxstyle.inference.forecast import forecast
    from jaxstyle.inference.predict import predict
    from jaxstyle.inference.sample import sample
    from jaxstyle.inference.segment import segment
    from jaxstyle.inference.style_model import load_model

__all__ = [
    "Diverged",
    "DreamConfig",
    "Features",
    "Interrupted",
    "JaxstyleError",
    "Picture",
    "Result",
    "StyleTransferConfig",
    "TextureConfig",
    "VisualizationConfig",
    "__version__",
    "apply_style",
    "dream",
    "evaluate",
    "forecast",
    "load_features",
    "load_model",
    "predict",
    "read_picture",
    "read_settings",
    "sample",
    "segment",
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
    """Imports, when it is first used, what needs the training's libraries, which take a second to import."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'jaxstyle' has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, those that are imported later too."""
    return sorted({*globals(), *__all__})
