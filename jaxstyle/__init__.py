"""jaxstyle: stylise and generate pictures with JAX, as pure functions compiled for CPU, GPU and TPU."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxstyle._version import __version__

if TYPE_CHECKING:
    from jaxstyle.api import Result, dream, project, stylize, synthesize_texture, visualize
    from jaxstyle.errors import Diverged, Interrupted, JaxstyleError
    from jaxstyle.features import Features
    from jaxstyle.features import load as load_features
    from jaxstyle.inference.apply import apply_style
    from jaxstyle.inference.evaluate import evaluate
    from jaxstyle.inference.forecast import forecast
    from jaxstyle.inference.predict import predict
    from jaxstyle.inference.sample import sample
    from jaxstyle.inference.segment import segment
    from jaxstyle.inference.style_model import load_model
    from jaxstyle.media.image_decoding import Picture
    from jaxstyle.media.image_reading import read_picture, read_settings
    from jaxstyle.media.image_writing import write_picture
    from jaxstyle.pixels.dream import DreamConfig
    from jaxstyle.pixels.stylize import StyleTransferConfig
    from jaxstyle.pixels.texture import TextureConfig
    from jaxstyle.pixels.visualize import VisualizationConfig

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
    "project",
    "read_picture",
    "read_settings",
    "sample",
    "segment",
    "stylize",
    "synthesize_texture",
    "visualize",
    "write_picture",
]

_HOMES = {
    "jaxstyle.api": ("Result", "dream", "project", "stylize", "synthesize_texture", "visualize"),
    "jaxstyle.errors": ("Diverged", "Interrupted", "JaxstyleError"),
    "jaxstyle.features": ("Features", "load_features"),
    "jaxstyle.inference.apply": ("apply_style",),
    "jaxstyle.inference.evaluate": ("evaluate",),
    "jaxstyle.inference.forecast": ("forecast",),
    "jaxstyle.inference.predict": ("predict",),
    "jaxstyle.inference.sample": ("sample",),
    "jaxstyle.inference.segment": ("segment",),
    "jaxstyle.inference.style_model": ("load_model",),
    "jaxstyle.media.image_decoding": ("Picture",),
    "jaxstyle.media.image_reading": ("read_picture", "read_settings"),
    "jaxstyle.media.image_writing": ("write_picture",),
    "jaxstyle.pixels.dream": ("DreamConfig",),
    "jaxstyle.pixels.stylize": ("StyleTransferConfig",),
    "jaxstyle.pixels.texture": ("TextureConfig",),
    "jaxstyle.pixels.visualize": ("VisualizationConfig",),
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: JAX takes a second, which `jaxstyle --help` need not wait."""
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(module), "load" if name == "load_features" else name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'jaxstyle' has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, those that are imported later too."""
    return sorted({*globals(), *__all__})
