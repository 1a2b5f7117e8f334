"""jaxstyle: stylise and generate pictures with JAX, as pure functions compiled for CPU, GPU and TPU."""

__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxstyle.api import Stylized, Visualized, dream, stylize, synthesize_texture, visualize
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.features import load as load_features
from jaxstyle.images import Picture, read_picture, write_picture
from jaxstyle.pixels.config import StyleTransferConfig, TextureConfig
from jaxstyle.pixels.dream_config import DreamConfig
from jaxstyle.pixels.visualization import VisualizationConfig

if TYPE_CHECKING:
    from jaxstyle.feedforward.applying import apply_style as apply_style
    from jaxstyle.feedforward.model import load_model as load_model
    from jaxstyle.training.forecasting import forecast as forecast
    from jaxstyle.training.predicting import predict as predict
    from jaxstyle.training.sampling import sample as sample
    from jaxstyle.training.scoring import evaluate as evaluate
    from jaxstyle.training.segmenting import segment as segment

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
    "apply_style": "jaxstyle.feedforward.applying",
    "evaluate": "jaxstyle.training.scoring",
    "forecast": "jaxstyle.training.forecasting",
    "load_model": "jaxstyle.feedforward.model",
    "predict": "jaxstyle.training.predicting",
    "sample": "jaxstyle.training.sampling",
    "segment": "jaxstyle.training.segmenting",
}


def __getattr__(name: str) -> Any:
    """What needs the training's libraries, which take a second to import, is imported when it is first used."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'jaxstyle' has no attribute {name!r}")
