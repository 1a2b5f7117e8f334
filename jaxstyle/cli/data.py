"""`jaxstyle data describe`: what a folder of pictures or a dataset holds, before a network is trained on it."""

from __future__ import annotations

import argparse
import os

from jaxstyle.errors import JaxstyleError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the action `describe`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "list classes, sizes, formats, duplicates, and pictures that cannot be read or are left out, split by split"
    describe = actions.add_parser("describe", help=text, description=text[0].upper() + text[1:] + ".")
    describe.add_argument("data", metavar="FOLDER|NAME", help="a folder or file of pictures, or a dataset's name")
    describe.add_argument("--clips", action="store_true", help="the folder holds films, as `data.clips` takes them")
    describe.add_argument("--data-dir", default="", metavar="DIR", help="folder of TFDS's datasets")
    describe.add_argument("--sheet", metavar="OUT", help="a picture file for samples of every split")
    most = "largest number of examples of a split to read (default: 100000)"
    describe.add_argument("--most", type=int, default=100_000, metavar="N", help=most)


def run(args: argparse.Namespace) -> int:
    """Prints the description; 0 when it is written."""
    from jaxstyle.data.config import DataConfig  # late: TFDS takes a second to import
    from jaxstyle.data.describing import describe, duplicates
    from jaxstyle.media.contact_sheet import contact_sheet
    from jaxstyle.media.image_writing import check_writable, write_picture

    if args.most < 1:
        raise JaxstyleError(f"--most is {args.most}; it must be at least 1")
    if args.sheet:
        check_writable(args.sheet)
    is_folder = os.path.exists(args.data)
    if args.clips:
        data = DataConfig(clips=args.data)
    else:
        data = DataConfig(folder=args.data) if is_folder else DataConfig(name=args.data, data_dir=args.data_dir)
    found = describe(data, args.most)
    for one in found:
        print("\n".join(one.lines()))
    for line in duplicates(found) or ["none"]:
        print(f"duplicates: {line}")
    if args.sheet:
        samples = [(f"{one.split}: {title}", picture) for one in found for title, picture in one.samples]
        write_picture(args.sheet, contact_sheet([picture for _, picture in samples], [t for t, _ in samples], cell=128))
        print(f"{args.sheet}: {len(samples)} samples")
    return 0
