"""Names of pretrained networks, with address, size and hash.

One, `bundled`, is part of the package; the others are downloaded to a cache.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.runtime import download
from jaxstyle.runtime.caching import cache_folder

CAFFE = "http://dl.caffe.berkeleyvision.org"  # it has no https; the hash verifies the file
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
TORCH = "https://download.pytorch.org/models"
PACKAGE = "package:"  # before the name of a file in jaxstyle/features
FILE_SUFFIXES = {".h5", ".hdf5", ".keras", ".npz", ".pt", ".pth", ".safetensors", ".bin", ".ckpt", ".caffemodel"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A pretrained network.

    Attributes:
      url: Address of the file, or `PACKAGE` and the name of a file in the package.
      size_bytes: Size of the file, None if it is not published.
      hash: `"md5:HEX"`, `"sha1:HEX"`, `"sha256:HEX"` or `"sha256-prefix:HEX"`, as its publisher states it.
      layout: Layout of the file, see `layouts.py`.
      licence: Licence of the weights.
      note: Description.
    """

    url: str
    size_bytes: int | None
    hash: str
    layout: str
    licence: str
    note: str

    @property
    def file_name(self) -> str:
        return self.url.removeprefix(PACKAGE).rpartition("/")[2]

    @property
    def shipped(self) -> bool:
        """Whether the file is part of the package."""
        return self.url.startswith(PACKAGE)


# Keras: URLs and md5 sums as in keras/src/applications/vgg16.py and vgg19.py of keras 3.15; sizes as its
# download reports them. torchvision: URLs as in torchvision/models/vgg.py, squeezenet.py and inception.py,
# pytorch-fid's as in its inception.py; a name ends by convention with the first eight digits of the file's sha256.
ENTRIES: dict[str, Entry] = {
    "bundled": Entry(
        f"{PACKAGE}bundled.safetensors",
        948_726,
        "sha256:ccbe44ed763520460ff495a6e9ad67d33b89cf9d6b8c52f682ea1bdc954000fc",
        "jaxstyle",
        "MIT; distilled from VGG-19 (CC BY 4.0), see NOTICE",
        "a slim VGG-19 taught by the real one; the default",
    ),
    "vgg19": Entry(
        f"{KERAS}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        80_134_624,
        "md5:253f8cb515780f3b799900260a226db6",
        "keras",
        "CC BY 4.0",
        "VGG-19, the usual network of style transfer",
    ),
    "vgg16": Entry(
        f"{KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        58_889_256,
        "md5:6d6bbae143d832006294945121d1f1fc",
        "keras",
        "CC BY 4.0",
        "VGG-16",
    ),
    "vgg19-torchvision": Entry(
        f"{TORCH}/vgg19-dcbb9e9d.pth",
        None,
        "sha256-prefix:dcbb9e9d",
        "torchvision",
        "BSD-3-Clause",
        "VGG-19 trained anew, with its classifier (548 MiB)",
    ),
    "vgg16-torchvision": Entry(
        f"{TORCH}/vgg16-397923af.pth",
        None,
        "sha256-prefix:397923af",
        "torchvision",
        "BSD-3-Clause",
        "VGG-16 trained anew, with its classifier (528 MiB)",
    ),
    "squeezenet1_0": Entry(
        f"{TORCH}/squeezenet1_0-b66bff10.pth",
        None,
        "sha256-prefix:b66bff10",
        "torchvision",
        "BSD-3-Clause",
        "SqueezeNet 1.0, small (4.8 MiB)",
    ),
    "squeezenet1_1": Entry(
        f"{TORCH}/squeezenet1_1-b8a52dc0.pth",
        None,
        "sha256-prefix:b8a52dc0",
        "torchvision",
        "BSD-3-Clause",
        "SqueezeNet 1.1, small and fast (4.7 MiB)",
    ),
    "googlenet": Entry(
        f"{CAFFE}/bvlc_googlenet.caffemodel",
        None,
        "sha1:405fc5acd08a3bb12de8ee5e23a96bec22f08204",
        "caffe",
        "unrestricted use",
        "GoogLeNet as Caffe trained it, of the classic dreams (51 MiB)",
    ),
    "inception_v3": Entry(
        f"{FID}/pt_inception-2015-12-05-6726825d.pth",
        None,
        "sha256-prefix:6726825d",
        "torchvision",
        "Apache-2.0",
        "Inception-v3 of 2015, with which FID is measured (91 MiB)",
    ),
    "inception_v3-torchvision": Entry(
        f"{TORCH}/inception_v3_google-0cc3c7bd.pth",
        None,
        "sha256-prefix:0cc3c7bd",
        "torchvision",
        "BSD-3-Clause",
        "Inception-v3 trained anew (104 MiB); what it measures is not FID",
    ),
}


def cached_path(name: str) -> Path:
    """The path of the network `name`, in the cache or, if shipped, in the package; it need not exist yet.

    Raises:
      JaxstyleError: The name is unknown.
    """
    if name not in ENTRIES:
        raise JaxstyleError(f"unknown features {name!r}; {did_you_mean(name, ENTRIES)}")
    folder = Path(__file__).parent.parent if ENTRIES[name].shipped else cache_folder("features")
    return folder / ENTRIES[name].file_name


def resolve(name_or_path: str | os.PathLike[str], *, progress: bool = True) -> Path:
    """Resolves a name or path to a file; a registered network is downloaded if it is not in the cache.

    Args:
      name_or_path: An existing file, anything that looks like a path (by a separator or a suffix such as
        `.h5`), or a key of `ENTRIES`.
      progress: Whether a download draws a progress bar on stderr.

    Returns:
      The path; it need not exist if it was given as a path.

    Raises:
      JaxstyleError: It is neither a path nor a name, or the download failed.
    """
    path = Path(name_or_path).expanduser()
    if os.path.isfile(path) or _looks_like_path(name_or_path):
        return path
    if os.path.exists(path) and name_or_path not in ENTRIES:  # a folder, which the reader refuses
        return path
    return fetch(str(name_or_path), progress=progress)


def fetch(name: str, *, progress: bool = True) -> Path:
    """Downloads the registered network `name` if it is not in the cache, and returns its path.

    Raises:
      JaxstyleError: The name is unknown, the download failed, or the cached file has the wrong size.
    """
    target = cached_path(name)
    entry = ENTRIES[name]
    if entry.shipped and not target.exists():
        raise JaxstyleError(f"{target} is missing from the package; install jaxstyle anew")
    if not target.exists():
        download.fetch(entry.url, target, size=entry.size_bytes, hash=entry.hash, progress=progress)
    # A file put there by hand may be cut short. The hash is checked by `verify` alone.
    if entry.size_bytes not in (None, target.stat().st_size):
        again = "install jaxstyle anew" if entry.shipped else f"delete it and `jaxstyle features fetch {name}` again"
        raise JaxstyleError(f"{target} has {target.stat().st_size} bytes, not {entry.size_bytes}; {again}")
    return target


def _looks_like_path(name: str | os.PathLike[str]) -> bool:
    if not isinstance(name, str):
        return True
    return "/" in name or os.sep in name or name.startswith("~") or Path(name).suffix.lower() in FILE_SUFFIXES
