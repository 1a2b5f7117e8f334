"""`jaxstyle evaluate`: score a trained network, and the pictures it draws."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from jaxstyle.errors import JaxstyleError

TITLES = {
    "kid": "kernel distance (KID's)",
    "precision": "precision (k = 3)",
    "recall": "recall (k = 3)",
    "density": "density (k = 5)",
    "coverage": "coverage (k = 5)",
    "inception_score": "Inception Score (of these probabilities)",
    "confidence": "mean confidence",
    "variation": "labels' variation from uniform",
    "modes": "classes that are drawn",
    "reverse_kl": "labels' reverse KL from uniform",
    "histogram": "labels",
    "kid_a": "kernel distance to a",
    "kid_b": "kernel distance to b",
    "kid_untranslated": "kernel distance of the domains",
    "label_a": "label kept, to a",
    "label_b": "label kept, to b",
    "kept_a": "drawn label kept, to a",
    "kept_b": "drawn label kept, to b",
    "label": "label asked for is seen",
    "label_by_class": "asked for is seen",
    "recall_by_class": "recall (k = 3)",
}

MOST = 100
"""Classes of which a table tells each."""
OPTIONS = ("features", "count", "seed", "checkpoint", "split", "data", "iwae_samples", "labels")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: the workdir to score, and the metrics."""
    parser.add_argument("workdir", metavar="WORKDIR", help="workdir of a training, finished or still running")
    names = "metrics, such as loss,frechet,kid,recall (default: all that the task has)"
    parser.add_argument("--metrics", default="", metavar="A,B", help=names)
    space = "feature extractor: a classifier's workdir, digits (in the package), or Inception-v3 by name or file"
    parser.add_argument("--features", metavar="WORKDIR|digits|NAME|PATH", help=space)
    parser.add_argument(
        "-n", "--count", type=int, default=10_000, metavar="N", help="pictures to generate (default: 10000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the generated pictures (default: 0)")
    which = "checkpoint of the training (default: newest)"
    parser.add_argument("--checkpoint", default="newest", metavar="newest|best|STEP", help=which)
    data = "split to evaluate on, such as test[:1000] (default: the recipe's evaluation split)"
    parser.add_argument("--split", default="", metavar="SPLIT", help=data)
    place = "folder of the pictures, or of TFDS's datasets (default: where the run found them)"
    parser.add_argument("--data", metavar="FOLDER", help=place)
    bound = "samples of a VAE's importance weighted bound, iwae (default: as the recipe has it)"
    parser.add_argument("--iwae-samples", type=int, default=0, metavar="K", help=bound)
    shares = "how often a conditional model is asked for each class: as the split has them (default), or equally often"
    parser.add_argument("--labels", default="shares", metavar="shares|even", help=shares)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Scores and prints; 0 when all is done."""
    from jaxstyle.inference import evaluate  # late: stylising does not need what training imports

    if args.count < 2:
        raise JaxstyleError(f"-n is {args.count}; at least 2 samples are needed")
    metrics = [name.strip() for name in args.metrics.split(",") if name.strip()]
    options = {name: getattr(args, name) for name in OPTIONS}
    report = evaluate.evaluate(args.workdir, metrics, **options)
    print(json.dumps(finite(report._asdict()), indent=2, allow_nan=False) if args.json else table(report))
    return 0


def finite(value: Any) -> Any:
    """A report as JSON can have it: null in the place of numbers that are not finite."""
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(report: Any) -> str:
    """A report as lines of text; what there is one of for each class is a table at the end."""
    rows = [(f"{report.workdir}, step {report.step}", "")]
    each: dict[str, list[float]] = {}
    for name, value in report.own.items():
        add(rows, each, report.classes, name, value)
    if report.generative:
        rows.append((f"{report.drawn} samples against {report.real} pictures", ""))
        rows += [(f"features: {report.features}", "")] if report.features else []
    for name, value in report.generative.items():
        if name == "kid":
            value = f"{number(value)} ± {number(report.generative['kid_deviation'])}"
        if name != "kid_deviation":
            title = ("FID" if report.fid else "Fréchet distance") if name == "frechet" else TITLES[name]
            add(rows, each, report.classes, title, value)
    width = max(len(name) for name, value in rows if value) if any(value for _, value in rows) else 0
    return "\n".join([f"{name:<{width}}  {value}".rstrip() for name, value in rows] + by_class(report.classes, each))


def add(rows: list[tuple[str, str]], each: dict[str, list[float]], classes: Any, name: str, value: Any) -> None:
    """Puts a value where it belongs: a number into the rows, one for each class into its table, others nowhere.

    What is named `frame_…` has one for each frame, of which there may be as many as of classes.
    """
    if isinstance(value, list) and value and (isinstance(value[0], list) or len(value) > MOST):
        return
    if isinstance(value, list) and len(value) == len(classes) and not name.startswith("frame_"):
        each[name] = value
    else:
        rows.append((name, value if isinstance(value, str) else number(value)))


def by_class(classes: Any, each: dict[str, list[float]]) -> list[str]:
    """The lines of a table, a class a line."""
    if not each:
        return []
    width = max(map(len, classes))
    lines = ["  ".join([" " * width, *each])]
    for i, name in enumerate(classes):
        cells = [f"{number(values[i]):>{len(title)}}" for title, values in each.items()]
        lines.append("  ".join([f"{name:<{width}}", *cells]))
    return lines


def number(value: Any) -> str:
    """A number with four digits, or several."""
    return " ".join(map(number, value)) if isinstance(value, list) else f"{value:.4g}"
