"""Readers of weight files of many formats, recognised by content, not by suffix."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import safetensors

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.caffe_file import looks_like_caffe, read_caffe
from jaxstyle.features.weights.mat_file import MAGIC as MAT_MAGIC
from jaxstyle.features.weights.mat_file import read_mat
from jaxstyle.features.weights.tensorflow_file import INDEX, looks_like_tensorflow, read_tensorflow
from jaxstyle.features.weights.torch_file import read_torch, reason, widen_bfloat16
from jaxstyle.runtime.regular import check_archive, check_regular, check_unpacked, looks_like_html

Tensors = dict[str, np.ndarray]

SNIFF = 512  # bytes by which a format is recognised
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"

WRAPPERS = ("state_dict.", "model_state_dict.", "model_state.", "model.", "module.", "network.", "net.", "_orig_mod.")
"""Prefixes that checkpoints, `DataParallel` and `torch.compile` put before all names of a network."""

TRAINING_STATE = re.compile(
    r"(optim\w*|(lr_)?schedulers?\w*|(grad_)?scaler\w*|(\w+_)?ema|epoch|step|loss|callbacks|loops)([./].*)?"
)
"""Names of the tensors that checkpoints keep beside a network."""

# https://github.com/huggingface/safetensors#format
SAFETENSORS_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_tensors(path: str | os.PathLike[str]) -> tuple[Tensors, dict[str, str]]:
    """Reads every tensor of a file: safetensors, npz, Keras HDF5, torch, Caffe, TensorFlow or MatConvNet.

    Args:
      path: The file; its suffix does not matter. A TensorFlow checkpoint of several files may be named without one.

    Returns:
      The tensors under the names in the file, `unwrapped`, and the file's string metadata (safetensors only, else
      empty). Dtypes are the file's, apart from bfloat16, which NumPy lacks and which becomes float32.

    Raises:
      JaxstyleError: The file does not exist, is a folder, empty, damaged or in no known format, or asks to run code.
    """
    path = Path(path)
    if not os.path.exists(path) and os.path.exists(f"{path}{INDEX}"):
        path = Path(f"{path}{INDEX}")
    head = _head(path)
    for matches, read in _FORMATS:
        if matches(head, path):
            tensors, metadata = _guarded(read, path)
            return unwrapped(tensors), metadata
    raise JaxstyleError(
        f"{path}: {_foreign(head)}; weights are read from safetensors, npz, Keras HDF5, torch, Caffe, TensorFlow and "
        "MatConvNet files"
    )


def unwrapped(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Removes a checkpoint's training state, and the wrappers' prefixes, from the tensors of its network.

    `{"model": {"module.conv.weight": …}, "optimizer": …}` becomes `{"conv.weight": …}`. A prefix is removed only if all
    names have it.

    Args:
      tensors: Arrays by their names in the file, where keys of nested dicts are joined by `.`.

    Returns:
      The network's tensors, or all of them if none is the network's.
    """
    network = {name: tensor for name, tensor in tensors.items() if not TRAINING_STATE.fullmatch(name)} or dict(tensors)
    while prefix := next((w for w in WRAPPERS if network and all(name.startswith(w) for name in network)), None):
        network = {name.removeprefix(prefix): tensor for name, tensor in network.items()}
    return network


def _head(path: Path) -> bytes:
    if os.path.isdir(path):  # unlike path.is_dir() it never raises, not even for a name that is too long
        raise JaxstyleError(f"{path}: a folder, not a file of weights; name the file inside it")
    try:
        check_regular(path)
        with open(path, "rb") as file:
            head = file.read(SNIFF)
    except FileNotFoundError:
        raise JaxstyleError(f"{path}: no such file; check the path, or see `jaxstyle features list`") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JaxstyleError(f"{path}: cannot be read ({reason}); name a file that can be read") from error
    if not head:
        raise JaxstyleError(f"{path}: an empty file; fetch or copy it again")
    return head


def _foreign(head: bytes) -> str:
    if looks_like_html(head):
        return "a web page, not weights (a login or an error page was saved in their place)"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not weights (run `git lfs pull` where it came from)"
    if head.startswith(b"PK"):
        return "a zip archive, but neither an npz nor a torch checkpoint, or cut short"
    return "in no format known here, or damaged"


def _guarded(read: Callable[[Path], tuple[Tensors, dict[str, str]]], path: Path) -> tuple[Tensors, dict[str, str]]:
    try:
        tensors, metadata = read(path)
    except JaxstyleError:
        raise
    except Exception as error:  # on damaged bytes h5py, zipfile and safetensors raise nearly everything there is
        raise JaxstyleError(f"{path}: damaged or cut short ({reason(error)}); fetch or copy it again") from error
    if not tensors:
        raise JaxstyleError(f"{path}: holds no tensors; choose a file of weights")
    return tensors, metadata


def _zip_names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _is_safetensors(head: bytes, path: Path) -> bool:
    # Eight bytes of length, at most 100 MB as the format limits it, then JSON.
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000


def _is_hdf5(head: bytes, path: Path) -> bool:
    return head.startswith(HDF5_MAGIC)


def _is_torch(head: bytes, path: Path) -> bool:
    if head.startswith(b"PK"):
        return any(n == "data.pkl" or n.endswith("/data.pkl") for n in _zip_names(path))
    return head.startswith(TORCH_LEGACY_MAGIC)


def _is_npz(head: bytes, path: Path) -> bool:
    names = _zip_names(path) if head.startswith(b"PK") else []
    return bool(names) and all(n.endswith(".npy") for n in names)


def _is_caffe(head: bytes, path: Path) -> bool:
    return looks_like_caffe(head)


def _is_mat(head: bytes, path: Path) -> bool:
    return head.startswith(MAT_MAGIC)


def _is_tensorflow(head: bytes, path: Path) -> bool:
    return looks_like_tensorflow(path)


def _read_safetensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    with safetensors.safe_open(path, "np") as file:
        metadata = dict(file.metadata() or {})
    tensors = {}
    for name, info in safetensors.deserialize(path.read_bytes()):
        if info["dtype"] not in SAFETENSORS_DTYPES:
            raise JaxstyleError(f"{path}: tensor {name!r} is {info['dtype']}; convert it to float32 or float16 first")
        array = np.frombuffer(info["data"], SAFETENSORS_DTYPES[info["dtype"]]).reshape(info["shape"])
        tensors[name] = widen_bfloat16(array) if info["dtype"] == "BF16" else array
    return tensors, metadata


def _read_npz(path: Path) -> tuple[Tensors, dict[str, str]]:
    check_archive(path)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}, {}


def _read_torch(path: Path) -> tuple[Tensors, dict[str, str]]:
    return read_torch(path), {}


def _read_caffe(path: Path) -> tuple[Tensors, dict[str, str]]:
    return read_caffe(path), {}


def _read_mat(path: Path) -> tuple[Tensors, dict[str, str]]:
    return read_mat(path), {}


def _read_tensorflow(path: Path) -> tuple[Tensors, dict[str, str]]:
    return read_tensorflow(path), {}


def _read_hdf5(path: Path) -> tuple[Tensors, dict[str, str]]:
    tensors: Tensors = {}
    size = 0

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal size
        # Only numbers: a saved model also holds strings such as its training configuration.
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
            return
        if item.external or item.is_virtual:
            raise ValueError(f"the data set {name} does not lie in this file")
        size += item.nbytes
        check_unpacked(size, path)
        tensors[name] = np.asarray(item[()])

    with h5py.File(path, "r") as file:
        # `model.save` puts the weights into a group beside the optimiser's state, `save_weights` at the root.
        weights = file.get("model_weights")
        (weights if isinstance(weights, h5py.Group) else file).visititems(collect)
    return tensors, {}


_FORMATS: list[tuple[Callable[[bytes, Path], bool], Callable[[Path], tuple[Tensors, dict[str, str]]]]] = [
    (_is_hdf5, _read_hdf5),
    (_is_torch, _read_torch),
    (_is_npz, _read_npz),
    (_is_safetensors, _read_safetensors),
    (_is_caffe, _read_caffe),
    (_is_mat, _read_mat),
    (_is_tensorflow, _read_tensorflow),
]
