"""The config of a style model: which network it is, read and checked."""

from __future__ import annotations

import pathlib
from typing import Any

from etils import epath

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.models.adain import AdaIN
from jaxstyle.models.padded_network import PaddedNetwork
from jaxstyle.models.residual_generator import ResidualGenerator
from jaxstyle.models.style_network import StyleNetwork
from jaxstyle.models.transport_network import TransportNetwork
from jaxstyle.models.unet_generator import UNetGenerator
from jaxstyle.runtime.regular import read_json

FORMAT, VERSION, CONFIG = "jaxstyle-style-model", 1, "config.json"
NETWORKS: dict[str, Any] = {"style-network": StyleNetwork, "transport": TransportNetwork, "adain": AdaIN}
NETWORKS |= {"padded": PaddedNetwork, "residual": ResidualGenerator, "unet": UNetGenerator}
Network = StyleNetwork | TransportNetwork | AdaIN | UNetGenerator


def is_workdir(path: pathlib.Path | epath.Path) -> bool:
    """True for the workdir of a training, by its `config.json`."""
    try:
        return "task" in read_json(path / CONFIG)
    except (OSError, ValueError, TypeError):
        return False


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """`config.json` of a folder."""
    try:
        config = read_json(path / CONFIG)
    except (OSError, ValueError) as error:
        reason = "no config.json" if isinstance(error, FileNotFoundError) else "a config.json that cannot be read"
        raise JaxstyleError(
            f"{str(path)!r} is no style model, it has {reason}; `jaxstyle models convert` makes one of known weights"
        ) from error
    check_config(path / CONFIG, config)
    return config


def check_config(path: pathlib.Path, config: Any) -> None:
    """Raises `JaxstyleError` for a config, read at a path, that is not of a style model."""
    if not isinstance(config, dict) or config.get("format") != FORMAT or config.get("version") != VERSION:
        raise JaxstyleError(f"{str(path)!r} is not of a style model of version {VERSION}")
    kind = str(config.get("kind"))
    if kind not in NETWORKS:
        raise JaxstyleError(f"{str(path)!r}: unknown network {kind!r}; {did_you_mean(kind, NETWORKS)}")


def check_numbers(value: Any, most: int) -> None:
    """Raises `ValueError` for a number in JSON beyond `most`: of channels, layers or styles a network has no more."""
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            check_numbers(inner, most)
    elif isinstance(value, (int, float)) and not value <= most:
        raise ValueError(f"its network has {value}, and its parameters at most {most} of anything")


def frozen(value: Any) -> Any:
    """Lists as tuples, which can be hashed."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value
