"""Settings of the perceptual loss, which style transfer and the training of style networks share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import DEFAULT
from jaxstyle.perceptual.style import DISTANCES
from jaxstyle.runtime.settings import Settings, named, setting

LAYERS = {"relu1_1": 8.0, "relu2_1": 6.0, "relu3_1": 4.0, "relu4_1": 2.0, "relu5_1": 1.0}
"""The usual style layers, with their weights."""


def layer_weights_setting(layers: Mapping[str, float]) -> Any:
    """The setting of the style layers' weights, whose default is that of usual layers."""
    usual = ",".join(f"{weight:g}" for weight in layers.values())
    return setting(
        (), f"relative weights of the style layers (default: {usual}; of other layers all the same)", least=0
    )


@dataclasses.dataclass(frozen=True)
class StyleLossConfig(Settings):
    """Settings of the style loss and of smoothness. Lists are written `a,b,c` on the command line."""

    usual_layers: ClassVar[Mapping[str, float]] = LAYERS

    tv_weight: float = setting(0.01, "weight of total variation; more is smoother", least=0)
    style_loss: str = setting("wasserstein", "distance between statistics of features", DISTANCES)
    style_layers: tuple[str, ...] = setting(tuple(LAYERS), "layers whose statistics come from the styles")
    layer_weights: tuple[float, ...] = layer_weights_setting(LAYERS)
    features: str = setting(DEFAULT, "feature extractor: a name (jaxstyle features list) or a file", path=True)

    def __post_init__(self) -> None:
        """Gives every field its declared type, and style layers without weights the usual ones, or equal ones."""
        super().__post_init__()
        if not self.layer_weights:
            usual = self.style_layers == tuple(self.usual_layers)
            weights = tuple(self.usual_layers.values()) if usual else (1.0,) * len(self.style_layers)
            object.__setattr__(self, "layer_weights", weights)

    def check_relations(self) -> None:
        """Raises `JaxstyleError` for settings that do not go together."""
        if not self.style_layers:
            raise JaxstyleError(f"{named('style_layers')} is empty; name at least one layer")
        if len(self.layer_weights) != len(self.style_layers):
            raise JaxstyleError(
                f"{named('layer_weights')} has {len(self.layer_weights)} numbers for {len(self.style_layers)} style "
                "layers; give one for each"
            )
        if sum(self.layer_weights) == 0:
            raise JaxstyleError(f"{named('layer_weights')} are all zero; at least one must be above 0")
        super().check_relations()


@dataclasses.dataclass(frozen=True)
class PerceptualConfig(StyleLossConfig):
    """Settings of the perceptual loss: those of the style loss, and of the distance to a photo's content."""

    content_weight: float = setting(0.02, "weight of the distance to the photo", least=0)
    content_layers: tuple[str, ...] = setting(("relu3_1", "relu4_2"), "layers whose activations stay near the photo's")
