"""Settings that a user can get wrong: one sentence that names the setting, exit code 2, nothing written."""

import re

import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.features import save_weights
from jaxstyle.media.image_reading import read_picture, read_settings

SMALL = tuple(tiny.options("net.safetensors"))  # what a command needs beside what is wrong with it
OUT = ("-o", "out/new.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        *(
            (f"--{name}={value}", f"--{name} {says}")
            for name in ("content-weight", "tv-weight", "style-scale", "learning-rate", "avg-decay", "style-weights")
            for value, says in (("-1", "is -1; it must be at least 0"), ("nan", "is nan; it must be a finite number"))
        ),
        ("--layer-weights=1,-1,1", "--layer-weights is -1; it must be at least 0"),
        ("--layer-weights=1,inf,1", "--layer-weights is inf; it must be a finite number"),
        ("--content-weight=much", "--content-weight 'much' is not a number"),
        ("--layer-weights=1,x,1", "--layer-weights '1,x,1' is not numbers, written a,b,c"),
        ("--layer-weights=1,1", "--layer-weights has 2 numbers for 3 style layers"),
        ("--layer-weights=0,0,0", "--layer-weights are all zero"),
        ("--style-weights=1,2", "--style-weights has 2 numbers for 1 styles"),
        ("--style-weights=0", "--style-weights are all zero"),
        ("--style-layers=", "--style-layers is empty"),
        ("--avg-decay=1", "--avg-decay is 1; it must be below 1"),
        ("--learning-rate=0", "--learning-rate is 0; it must be above 0"),
        ("--style-scale=0", "--style-scale is 0; it must be above 0"),
        ("--size=0", "--size is 0; it must be at least 16"),
        ("--size=-512", "--size is -512; it must be at least 16"),
        ("--size=12.5", "--size '12.5' is not a whole number"),
        ("--size=big", "--size 'big' is not a whole number"),
        ("--min-size=3", "--min-size is 3; it must be at least 16"),
        ("--style-size=8", "--style-size is 8; it must be at least 16"),
        ("--iterations=-1", "--iterations is -1; it must be at least 0"),
        ("--initial-iterations=0", "--initial-iterations is 0; it must be at least 1"),
        ("--seed=-3", "--seed is -3; it must be at least 0"),
        ("--save-every=-1", "--save-every is -1; it must be at least 0"),
        ("--size=200000", r"need some [\d.]+ GiB and [\d.]+ GiB are free: lower --size, or use --dtype bfloat16"),
        ("--size=9999999999999", r"need some [\d.e+]+ GiB and [\d.]+ GiB are free: lower --size"),
        ("--devices=0", "--devices is 0; it must be at least 1"),
        ("--devices=99", "99 devices asked for, and there are 8: choose 1 to 8"),
        ("--devices=all", "--devices 'all' is not a whole number"),
        ("--style-loss=wasserstain", "--style-loss 'wasserstain' is unknown; did you mean 'wasserstein'"),
        ("--optimizer=sgd", "--optimizer 'sgd' is unknown; known: 'adam', 'lbfgs'"),
        ("--pooling=avrage", "--pooling 'avrage' is unknown; did you mean 'average'"),
        ("--padding=zero", "--padding 'zero' is unknown; did you mean 'zeros'"),
        ("--preserve-color=luma", "--preserve-color 'luma' is unknown; did you mean 'luminance'"),
        ("--dtype=float16", "--dtype 'float16' is unknown; did you mean 'bfloat16'"),
        ("--content-layers=relu4_22", "unknown layer 'relu4_22' for features.*did you mean 'relu4_2'"),
        ("--style-layers=relu1_1,relu2_1,rely3_1", "unknown layer 'rely3_1'.*did you mean 'relu3_1'"),
        ("--content-layers=relu5_4", "unknown layer 'relu5_4' for features 'net.safetensors', which end at 'relu5_1'"),
        ("--sweep=content_weight", "--sweep 'content_weight' is not of the form content_weight=1,10,100"),
        ("--sweep=content_weight=a,b", "--sweep 'content_weight=a,b' is not of the form"),
        ("--sweep=content_weight=", "--sweep content_weight has no values"),
        ("--sweep=content_weight=1,1", "--sweep content_weight has a value twice"),
        ("--sweep=contentweight=1", "cannot sweep 'contentweight'; did you mean 'content_weight'"),
        ("--sweep=style_loss=1,2", "cannot sweep 'style_loss'"),
        ("--sweep=size=64,128", "cannot sweep 'size'; known: 'strength', 'content_weight'"),
        ("--sweep=content_weight=1,-1", "--content-weight is -1; it must be at least 0"),
        ("--sweep=tv_weight=1,nan", "--tv-weight is nan"),
        ("--sweep=tv_weight=1 --sweep=tv_weight=2", "--sweep tv_weight is given twice; write all its values into one"),
        ("--contant-weight=1", "unknown option --contant-weight; did you mean '--content-weight'"),
        ("--blur=1", "unknown option --blur"),
        ("--features=vgg91", "unknown features 'vgg91'; did you mean 'vgg19'"),
        ("--features=nowhere.safetensors", "nowhere.safetensors: no such file"),
        ("--features=out", "out: a folder, not a file of weights"),
        ("--features=page.pth", "page.pth: a web page, not weights"),
        ("--features=photo.png", "photo.png: in no format known here"),
        ("--features=zero.safetensors", "zero.safetensors: an empty file"),
        ("--features=cut.safetensors", "cut.safetensors: damaged or cut short"),
        ("--features=nan.npz", "conv2_1/kernel has NaN or infinite values"),
        ("--min-size=4.5", "--min-size '4.5' is not a whole number"),
    ],
)  # fmt: skip
def test_bad_settings(attempt, words, message):
    assert re.search(message, attempt("photo.png", "style.png", *OUT, *SMALL, *words.split(" ")))


def test_a_picture_too_narrow_for_the_layers(attempt):
    message = attempt("narrow.png", "style.png", *OUT, *SMALL, "--style-layers=relu1_1,relu2_1,relu5_1", "--size=100")
    assert re.search(r"at --size 100 a 500×16 picture is 3 px on its shorter side.*make --size at least 500", message)


@pytest.mark.parametrize(
    ("case", "more", "message"),
    [
        ("gain", ("--features=loud.safetensors",), r"iteration 1 at 24 px is not finite in .*style/relu3_1"),
        ("rate", ("--learning-rate=1e30",), r"iteration 1 at 24 px is not finite in update"),
    ],
)
def test_a_loss_that_is_not_finite_keeps_the_last_good_picture(here, monkeypatch, capsys, case, more, message):
    """Features of 1e30 have squares beyond float32."""
    monkeypatch.chdir(here)
    loud = tiny.weights()
    loud.tensors["conv3_1/kernel"] *= 1e30
    save_weights("loud.safetensors", loud)
    assert main(["stylize", "photo.png", "style.png", "-o", f"{case}.png", *SMALL, *more]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(rf"jaxstyle: {message}.*the last good picture is kept\)\n", error), error
    assert read_picture(f"{case}.png").rgb.shape == (18, 24, 3) and read_settings(f"{case}.png")["unfinished"] is True
