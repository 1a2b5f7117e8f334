"""A trained stylisation network: in a folder (`config.json`, `params.safetensors`, `preview.png`), or in one file.

The file is `params.safetensors` in float16 with the config among its metadata. One comes with the package, `BUNDLED`: a
network of any style, trained by `configs/any_style.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import shutil
from typing import Any

import flax.traverse_util
import jax
import numpy as np
from etils import epath

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features.weights.files import encode
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.inference.model_config import (
    CONFIG,
    FORMAT,
    NETWORKS,
    VERSION,
    Network,
    check_config,
    check_numbers,
    frozen,
    is_workdir,
    read_config,
)
from jaxstyle.media.image_writing import write_picture, write_whole
from jaxstyle.models.adain import AdaIN
from jaxstyle.models.transport_network import TransportNetwork
from jaxstyle.runtime import buckets

PARAMS, PREVIEW = "params.safetensors", "preview.png"
FILES = (CONFIG, PARAMS, PREVIEW)
FILE_SUFFIX = ".safetensors"  # of a model in one file
BUNDLED = pathlib.Path(__file__).with_name("any_style.safetensors")
MAX_PROBLEMS = 4  # that one error message lists


@dataclasses.dataclass(frozen=True)
class StyleModel:
    """A network that stylises, with its parameters.

    Attributes:
      network: The Flax module; hashable, it is static under `jit`.
      params: Nested dict of float32 arrays.
      styles: Names of the styles that it knows, one each; none for a network of any style.
      notes: Free strings: licence, source, with what it was trained.
    """

    network: Network
    params: dict[str, Any]
    styles: tuple[str, ...] = ()
    notes: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def any_style(self) -> bool:
        """True where it takes paintings, not styles that it has learnt."""
        return takes_paintings(self.network)

    def check(self) -> None:
        """Raises `JaxstyleError` unless all parameters are there, rightly shaped and finite, and styles are named."""
        have, want = flat(self.params), flat(template(self.network))
        wrong = [f"{name} is missing" for name in want.keys() - have.keys()]
        wrong += [f"{name} is not of this network" for name in have.keys() - want.keys()]
        for name in have.keys() & want.keys():
            if have[name].shape != want[name].shape:
                wrong.append(f"{name} has shape {have[name].shape}, not {want[name].shape}")
            elif not np.isfinite(have[name]).all():
                wrong.append(f"{name} has NaN or infinite values")
        if wrong:
            more = f" and {len(wrong) - MAX_PROBLEMS} more" if len(wrong) > MAX_PROBLEMS else ""
            raise JaxstyleError(f"not a whole style network: {'; '.join(sorted(wrong)[:MAX_PROBLEMS])}{more}")
        count = 0 if self.any_style else self.network.styles
        if len(self.styles) != count or len(set(self.styles)) != count:
            raise JaxstyleError(f"{len(set(self.styles))} different names for {count} styles; give one each")


def takes_paintings(network: Network) -> bool:
    """True for networks of any style, whose argument is paintings and not styles that they have learnt."""
    return isinstance(network, (TransportNetwork, AdaIN))


def template(network: Network) -> dict[str, Any]:
    """The shapes of a network's parameters."""
    pictures = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)

    def init(pictures: jax.Array) -> Any:
        if not takes_paintings(network):
            return network.init(jax.random.key(0), pictures, np.zeros((1, network.styles), np.float32))
        return network.init(jax.random.key(0), pictures, method="reconstruct")

    return jax.eval_shape(init, pictures)["params"]


def flat(tree: Any) -> dict[str, Any]:
    """A nested dict by its leaves' paths."""
    return flax.traverse_util.flatten_dict(tree, sep="/")


def save_model(path: str | os.PathLike, model: StyleModel, preview: np.ndarray | None = None) -> None:
    """Writes a model's folder or file, under a temporary name that is then its own.

    Args:
      path: There must be nothing of that name, but its parent. One that ends in `.safetensors` is a file, whose
        parameters are float16.
      model: What to save.
      preview: `[H, W, 3]` in [0, 1], what it makes (`jaxstyle.inference.apply.preview`); of a folder.

    Raises:
      JaxstyleError: The model is not whole, there is something of that name, or writing fails.
    """
    model.check()
    target = pathlib.Path(path)
    check_folder(target)
    if target.suffix == FILE_SUFFIX:
        tensors = {name: np.asarray(leaf, np.float16) for name, leaf in sorted(flat(model.params).items())}
        write_whole(target, encode(tensors, {"config": json.dumps(described(model))}))
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        (temporary / CONFIG).write_text(json.dumps(described(model), indent=2) + "\n")
        tensors = {name: np.asarray(leaf, np.float32) for name, leaf in sorted(flat(model.params).items())}
        (temporary / PARAMS).write_bytes(encode(tensors, {}))
        if preview is not None:
            write_picture(temporary / PREVIEW, preview)
        temporary.rename(target)
    except OSError as error:
        raise JaxstyleError(f"the model {str(path)!r} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_folder(folder: str | os.PathLike) -> None:
    """Raises `JaxstyleError` where no new folder of that name can be."""
    parent = os.path.dirname(os.path.abspath(folder))
    if os.path.lexists(folder):
        raise JaxstyleError(f"{os.fspath(folder)!r} is there already: name a new folder for the model, or remove it")
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK):
        raise JaxstyleError(f"folder {parent!r} does not exist or cannot be written: make it first, or name another")


def described(model: StyleModel) -> dict[str, Any]:
    """The contents of `config.json`."""
    kind = next(name for name, of in NETWORKS.items() if type(model.network) is of)
    fields = {name: getattr(model.network, name) for name in settings(NETWORKS[kind])}
    head = {"format": FORMAT, "version": VERSION, "kind": kind}
    return {**head, "network": fields, "styles": list(model.styles), "notes": model.notes}


def settings(network: Any) -> list[str]:
    """The names of a Flax module's own attributes, but for the dtype in which it computes."""
    return [field.name for field in dataclasses.fields(network) if field.name not in ("parent", "name", "dtype")]


def load_model(folder: str | os.PathLike | None = None, direction: str = "") -> StyleModel:
    """Reads a model's folder or file, or the newest checkpoint of the training whose workdir it is.

    Args:
      folder: A model's, or a workdir; None is the network of any style that comes with the package.
      direction: Of the workdir of a translation, the domain to translate to: `"a"` or `"b"`.

    Raises:
      JaxstyleError: There is none, or it is damaged, of another version, or not whole; or it has no such direction.
    """
    if folder is None:
        if direction:
            raise one_way("any style", direction)
        return bundled_model()
    if buckets.in_bucket(folder):
        buckets.check("the model", folder)
        if not is_workdir(epath.Path(folder)):
            raise JaxstyleError(f"{str(folder)!r} is not the workdir of a training; copy a model's folder to this disk")
        return trained_model(folder, direction=direction)
    path = pathlib.Path(folder)
    if path.suffix == FILE_SUFFIX and os.path.isfile(path):
        return model_file(path)
    if not os.path.isdir(path):
        what = "a file" if os.path.exists(path) else "missing"
        makers = "`jaxstyle models convert` or a training"
        raise JaxstyleError(f"the model {str(folder)!r} is {what}; name a folder or file that {makers} made")
    if is_workdir(path):
        return trained_model(path, direction=direction)
    if direction:
        raise one_way(folder, direction)
    return model_of(path / CONFIG, read_config(path), read_tensors(path / PARAMS)[0])


@functools.cache
def bundled_model() -> StyleModel:
    """The network of any style that comes with the package."""
    return model_file(BUNDLED, checked=True)


def model_file(path: pathlib.Path, checked: bool = False) -> StyleModel:
    """Reads a model in one file; raises `JaxstyleError` where it is damaged, or weights of something else.

    To check it takes half a second, in which the network is traced; the package's own is `checked` by its tests.
    """
    tensors, metadata = read_tensors(path)
    try:
        config = json.loads(metadata["config"])
    except (KeyError, ValueError, RecursionError) as error:
        raise JaxstyleError(f"{str(path)!r} is no style model, it has no config among its metadata") from error
    check_config(path, config)
    tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    return model_of(path, config, tensors, checked)


def model_of(
    path: pathlib.Path, config: dict[str, Any], tensors: dict[str, np.ndarray], checked: bool = False
) -> StyleModel:
    """The model of a config that was read at a path and has been checked, and of its parameters."""
    try:
        check_numbers(config["network"], max(len(tensors), *(max(t.shape, default=0) for t in tensors.values())))
        params = flax.traverse_util.unflatten_dict(tensors, sep="/")
        if not (
            set(config["network"]) <= set(settings(NETWORKS[config["kind"]])) and isinstance(config["notes"], dict)
        ):
            raise ValueError("its network or its notes have a field that is none")
        network = NETWORKS[config["kind"]](**{name: frozen(value) for name, value in config["network"].items()})
        model = StyleModel(network, params, tuple(config["styles"]), config["notes"])
        if not checked:
            model.check()
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError, RecursionError) as error:
        raise JaxstyleError(f"{str(path)!r} is damaged, or of another version ({error})") from error
    except JaxstyleError as error:
        raise JaxstyleError(f"the model {str(path)!r}: {error}") from error
    return model


def check_no_model(picture: Any) -> None:
    """Raises `JaxstyleError` for a model in the place of a picture, where earlier versions had it."""
    is_path = isinstance(picture, (str, os.PathLike))
    if isinstance(picture, StyleModel) or (is_path and os.path.isfile(os.path.join(picture, CONFIG))):
        name = repr(os.fspath(picture)) if is_path else "the picture"
        raise JaxstyleError(
            f"{name} is a model: name it by --model, or from Python as apply_style(picture, style, model)"
        )


def one_way(folder: str | os.PathLike, direction: str) -> JaxstyleError:
    """The error for a direction of a model that has none."""
    return JaxstyleError(
        f"{os.fspath(folder)!r} is no training of a translation: leave the direction {direction!r} out"
    )


def trained_model(workdir: str | os.PathLike, checkpoint: str | int = "newest", direction: str = "") -> StyleModel:
    """The network that a training has made so far; it needs neither photos nor paintings.

    Args:
      workdir: Of a finished or running training of `jaxstyle.tasks.fast_style`, `any_style` or `translate`.
      checkpoint: `"newest"`, `"best"` or a step.
      direction: See `load_model`.

    Returns:
      The model, its styles named after their files; that of a translation is named after its direction.

    Raises:
      JaxstyleError: There is no such run, checkpoint or direction, or it trains no network that makes pictures of
        pictures.
    """
    from jaxstyle.inference.run import open_run  # late: orbax takes seconds to import
    from jaxstyle.training.task import Stylizes, Translates

    run = open_run(workdir, checkpoint)
    if isinstance(run.task, Translates):
        to = direction or (run.task.made[0] if len(run.task.made) == 1 else "")
        if to not in run.task.made:
            known = "choose the direction, a or b" if not to else did_you_mean(to, run.task.made)
            raise JaxstyleError(f"the run in {os.fspath(workdir)!r} has no direction {to!r}; {known}")
        network, params = run.task.translator(run.state, to)
        model = StyleModel(network, jax.device_get(params), (to,), {"steps": str(int(run.state.step))})
        model.check()
        return model
    if direction:
        raise one_way(workdir, direction)
    if not isinstance(run.task, Stylizes):
        raise JaxstyleError(f"the run in {os.fspath(workdir)!r} is of {run.config.task}, which makes no style network")
    network, params, styles = run.task.style_network(run.state)
    notes = {"features": os.path.basename(run.config.features), "steps": str(int(run.state.step))}
    notes |= {"content_weight": f"{run.config.content_weight:g}", "seed": str(run.config.seed)}
    model = StyleModel(network, jax.device_get(params), styles, notes)
    model.check()
    return model
