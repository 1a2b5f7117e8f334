"""Settings of a dataset, `config.data` of every training recipe; their defaults stand here alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.channels import WHITE
from jaxstyle.media.image_resizing import FITS
from jaxstyle.runtime.settings import named, parse_size

BAD_PICTURES = ("stop", "check", "skip")
PAIRS = ("none", "eval", "all")
HELD_OUT = 0.2
MOST_CHANNELS = 16


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Settings of a dataset: which one, which splits, and how its pictures and masks are read.

    Attributes:
      name: TFDS dataset, `name/config`; unused where `folder` is given.
      split: Split to train on, maybe a slice of it: `train[:50%]`.
      eval_split: Split to evaluate on, likewise.
      folder: Folder of pictures in place of a TFDS dataset; "" for none.
      name_b: TFDS dataset of a second domain, into which and from which pictures are translated; "" for none.
      folder_b: Folder of pictures of a second domain, in place of `name_b`.
      pairs: Splits in which picture i of the second domain is the true translation of picture i of the first: `none`,
        `eval` (the evaluation split, and slices of it) or `all`. Pictures of folders are paired by their names.
      data_dir: Folder of TFDS's datasets; "" is TFDS's default, `{workdir}` stands for the workdir.
      size: Side in pixels of the squares to which pictures are brought, or `WIDTHxHEIGHT`; 0 leaves them as they are.
      fit: How they are brought there: `crop`, `pad` or `stretch`; see `jaxstyle.media.image_resizing.fitted`.
      clips: Folder of films in place of a TFDS dataset or a folder of pictures; "" for none.
      frames: Frames in a clip that is cut out of such a film.
      stride: Frames from the start of a clip to that of the next; 0 is `frames`, so that clips do not overlap.
      channels: Of pictures of a folder and of clips: 1 (grey) or 3; of pictures also 4 (with their alpha), and 2 to
        16 of TIFFs with as many.
      white: Value of 16 bits that becomes white; lower it for numbers that are all small, such as those of a radar.
      held_out: Share of a folder without a `test/` or `val/` that is held out for evaluation, between 0 and 1.
      bad_pictures: Treatment of pictures in a folder that cannot be read. `stop` ends the run at the first and names
        all; `check` reads all of them before the run starts, and ends it likewise; `skip` reads all of them and leaves
        the bad ones out.
      masks: Folder of masks, laid out and named as the pictures; "" where masks are a field of the dataset, or lie
        beside the pictures.
      mask_suffix: Ending of the masks' names before the file's suffix: `_mask` for `a.jpg` and `a_mask.png`.
      mask_field: Name of the field with a TFDS dataset's masks.
      mask_classes: Names of the classes of pixels; empty where there are no masks.
      mask_objects: Whether masks number objects, so that every value above 0 is class 1.
      mask_values: Value of every class in the masks, a number or a colour such as `#ff0000`; empty where the values are
        the numbers of the classes, from 0.
      mask_tolerance: Largest distance of a pixel (of each of its channels) from a named value.
      mask_ignore: Values whose pixels have no class: losses and metrics leave them out.
      resident_megabytes: Size up to which a dataset is kept on the devices.

    Raises:
      JaxstyleError: A setting that cannot be, alone or with others.
    """

    name: str = "jaxstyle_shapes"
    split: str = "train"
    eval_split: str = "test"
    folder: str = ""
    name_b: str = ""
    folder_b: str = ""
    clips: str = ""
    frames: int = 20
    stride: int = 0
    channels: int = 3
    white: int = WHITE
    pairs: str = "none"
    data_dir: str = ""
    size: int | str = 0
    fit: str = "crop"
    held_out: float = HELD_OUT
    bad_pictures: str = "stop"
    masks: str = ""
    mask_suffix: str = ""
    mask_field: str = "mask"
    mask_classes: tuple[str, ...] = ()
    mask_objects: bool = False
    mask_values: tuple[int | str, ...] = ()
    mask_tolerance: int = 0
    mask_ignore: tuple[int | str, ...] = ()
    resident_megabytes: float = 1024.0

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise JaxstyleError(f"{named('data.held_out')} is {self.held_out:g}; it must be between 0 and 1")
        if self.shape is None and self.fit != DEFAULTS["fit"]:
            raise JaxstyleError(f"{named('data.fit')} is {self.fit!r}, but {named('data.size')} names no size")
        for name, known in (("bad_pictures", BAD_PICTURES), ("pairs", PAIRS), ("fit", FITS)):
            if (given := getattr(self, name)) not in known:
                raise JaxstyleError(f"{named(f'data.{name}')} {given!r} is unknown; {did_you_mean(given, known)}")
        if self.pairs != "none" and not self.two_domains:
            raise JaxstyleError(
                f"{named('data.pairs')} is {self.pairs!r}, but there is one domain only: set {named('data.folder_b')}"
            )
        self.check_clips()
        for name in ("held_out", "bad_pictures", "mask_suffix", "channels", "white"):
            of_films = self.clips and name not in ("bad_pictures", "mask_suffix")
            if not self.folder and not of_films and getattr(self, name) != DEFAULTS[name]:
                raise JaxstyleError(
                    f"{named(f'data.{name}')} is for folders of pictures; leave it out, or set data.folder"
                )
        for name in ("masks", "mask_suffix", "mask_objects", "mask_values", "mask_ignore"):
            if not self.mask_classes and getattr(self, name) != DEFAULTS[name]:
                raise JaxstyleError(
                    f"{named(f'data.{name}')} is set, but {named('data.mask_classes')} names no classes"
                )

    def check_clips(self) -> None:
        """Raises `JaxstyleError` for settings of clips and channels that cannot be, alone or with others."""
        for name, least in (("frames", 1), ("stride", 0)):
            given = getattr(self, name)
            if not self.clips and given != DEFAULTS[name]:
                raise JaxstyleError(f"{named(f'data.{name}')} is for folders of films; leave it out, or set data.clips")
            if given < least:
                raise JaxstyleError(f"{named(f'data.{name}')} is {given}; it must be at least {least}")
        if self.channels not in ((1, 3) if self.clips else range(1, MOST_CHANNELS + 1)):
            wanted = "1 or 3" if self.clips else f"1, 3 or 4, or up to {MOST_CHANNELS} of TIFFs"
            raise JaxstyleError(f"{named('data.channels')} is {self.channels}; it must be {wanted}")
        if not 1 <= self.white <= WHITE:
            raise JaxstyleError(f"{named('data.white')} is {self.white}; it must be from 1 to {WHITE}")
        if self.clips and (self.folder or self.two_domains or self.mask_classes):
            raise JaxstyleError(
                f"{named('data.clips')} names films, and other settings of data name pictures; give one"
            )

    @property
    def shape(self) -> tuple[int, int] | None:
        """Height and width to which pictures are brought; None for their own."""
        height, width = parse_size(str(self.size), named("data.size"))
        if bool(height) != bool(width):
            raise JaxstyleError(f"{named('data.size')} is {self.size}; a side has at least 1 pixel")
        return (height, width) if height else None

    @property
    def two_domains(self) -> bool:
        """True where a second domain is named."""
        return bool(self.name_b or self.folder_b)

    def paired(self, split: str) -> bool:
        """True where the pictures of the two domains are paired in a split, such as `test[:50%]`."""
        whole, evaluated = (name.partition("[")[0].strip() for name in (split, self.eval_split))
        return self.pairs == "all" or (self.pairs == "eval" and whole == evaluated)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Makes settings of a recipe's `config.data`, whose tuples may have become lists.

        Raises:
          JaxstyleError: A name that is no setting, or see the class.
        """
        for name in values:
            if name not in DEFAULTS:
                raise JaxstyleError(f"there is no setting {named(f'data.{name}')}; {did_you_mean(name, DEFAULTS)}")
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**given)


DEFAULTS = {field.name: field.default for field in dataclasses.fields(DataConfig)}
