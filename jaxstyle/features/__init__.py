"""Feature extractors: fixed, pretrained networks whose activations losses and metrics compare."""

from jaxstyle.features.features import DEFAULT, Features, build, load
from jaxstyle.features.googlenet import GoogLeNet
from jaxstyle.features.inception import InceptionV3
from jaxstyle.features.squeezenet import SqueezeNet
from jaxstyle.features.vgg import VGG
from jaxstyle.features.weights.files import Weights, read_weights, save_weights

__all__ = [
    "DEFAULT",
    "VGG",
    "Features",
    "GoogLeNet",
    "InceptionV3",
    "SqueezeNet",
    "Weights",
    "build",
    "load",
    "read_weights",
    "save_weights",
]
