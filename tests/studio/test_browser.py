"""The page in a real browser, from drop to download; nothing leaves the machine, and axe finds no serious fault."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from studio.conftest import until
from tiny import picture

import jaxstyle

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
AXE = pathlib.Path(os.environ.get("JAXSTYLE_TEST_AXE", "node_modules/axe-core/axe.min.js"))
WIDTHS = [(360, 780), (1280, 900), (2560, 1300)]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium():
    """A headless chromium that is on the machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    named = [os.environ.get("JAXSTYLE_TEST_BROWSER", ""), *BROWSERS]
    path = next(filter(None, map(shutil.which, filter(None, named))), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed; JAXSTYLE_TEST_BROWSER names another")
    with playwright.sync_playwright() as tool:
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = tool.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address that `jaxstyle studio` prints, as users start it."""
    kept = str(tmp_path_factory.mktemp("kept"))
    command = [sys.executable, "-m", "jaxstyle.cli", "studio", "--no-browser", "-o", kept]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield re.search(r"http://\S+/", process.stdout.readline())[0]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.fixture
def page(chromium, address):
    """A page of the studio, which fails the test for an error of its scripts and a request that leaves the machine."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page, wrong, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    context.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.locator(".slot img").first.wait_for()
    yield page
    context.close()
    assert not wrong
    assert asked
    assert [url for url in asked if not url.startswith((address, "blob:" + address.rpartition("/")[0]))] == []


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "holiday.png"
    jaxstyle.write_picture(path, picture(3, 96, 128))
    return path


def drop(page, slot, path):
    """Drops a file on a slot, as a hand does."""
    data = page.evaluate_handle(
        "([bytes, name]) => { const data = new DataTransfer(); "
        "data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'})); return data; }",
        [list(path.read_bytes()), path.name],
    )
    page.locator(f"[data-slot={slot}] .drop").dispatch_event("drop", {"dataTransfer": data})


def turn(page, name, value):
    """Sets a dial as a hand does."""
    dial = page.locator(f"#dial-{name}")
    if not dial.is_visible():
        page.locator("#more > summary").click()
    if dial.get_attribute("type") == "range":
        dial.evaluate(
            "(dial, value) => { dial.value = value; dial.dispatchEvent(new Event('input')); "
            "dial.dispatchEvent(new Event('change')); }",
            value,
        )
    else:
        dial.fill(str(value))
        dial.press("Tab")


def quick(page, steps=30):
    """Dials for a run of some seconds at 128 px."""
    turn(page, "size", 128)
    turn(page, "initial_iterations", steps)


def reaches(page, words, seconds=60):
    page.locator("#status").filter(has_text=re.compile(words)).wait_for(timeout=1000 * seconds)


@pytest.mark.slow
def test_from_drop_to_download(page, photo, tmp_path):
    drop(page, "contents", photo)
    page.locator("[data-slot=contents] h2 small", has_text="holiday.png").wait_for()
    page.locator(".canvas img[alt^='At once: ']").wait_for(timeout=60_000)  # by itself
    quick(page)
    page.locator("#recipe > summary").click()
    page.locator("#recipe pre", has_text="--initial-iterations 30").first.wait_for()
    page.locator("#make").click()
    reaches(page, "Preparing|Painting")
    reaches(page, "Done")
    assert page.locator(".curves polyline").count() > 2
    with page.expect_download() as saved:
        page.locator("#save").click()
    saved.value.save_as(tmp_path / "saved.png")
    settings = jaxstyle.read_settings(tmp_path / "saved.png")
    assert (settings["contents"], settings["size"], settings["initial_iterations"]) == (["holiday.png"], 128, 30)
    assert jaxstyle.read_picture(tmp_path / "saved.png").rgb.shape == (96, 128, 3)


@pytest.mark.slow
def test_a_preview_is_there_within_ten_seconds_and_a_reload_finds_the_run(page):
    quick(page)
    page.locator("#make").click()
    reaches(page, "Done")  # so that its program is compiled, as on every day but the first
    page.locator("#history .remove").first.click()
    quick(page, 2000)
    page.locator("#make").click()
    began = time.monotonic()
    page.locator(".canvas img[alt$='so far']").wait_for(timeout=10_000)
    assert time.monotonic() - began < 10
    page.reload()
    page.locator("#status", has_text="Painting").wait_for(timeout=10_000)
    page.locator("#stop").click()
    reaches(page, "Stopped")
    page.locator(".canvas img[alt$='.png']").wait_for()  # the picture so far, as a file
    page.locator("#go-on").click()
    reaches(page, "Waiting|Preparing|Painting")
    page.locator("#stop").click()
    reaches(page, "Stopped")


@pytest.mark.slow
def test_two_tabs_see_the_same_and_a_closed_one_ends_nothing(page, address):
    other = page.context.new_page()
    other.goto(address)
    quick(other, 2000)
    other.locator("#make").click()
    run = page.locator("#history .card").first
    page.locator("#history .note.running").wait_for(timeout=20_000)
    other.close()
    run.click()
    reaches(page, "Painting|Preparing")
    page.locator("#stop").click()
    reaches(page, "Stopped")


def test_files_that_cannot_be_are_told(page, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("These are words.")
    drop(page, "contents", text)
    page.locator("#wrong", has_text="'notes.png' is not a picture").wait_for()
    large = tmp_path / "large.png"
    Image.fromarray(np.zeros((6000, 10_000), np.uint8)).save(large)
    page.locator("[data-slot=contents] input[type=file]").set_input_files(large)
    page.locator("#wrong", has_text="60 megapixels").wait_for()


@pytest.mark.slow
def test_ctrl_c_closes_it_though_a_page_is_open(chromium, tmp_path):
    for ending in (signal.SIGINT, signal.SIGTERM):
        command = [sys.executable, "-m", "jaxstyle.cli", "studio", "--no-browser"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        context = chromium.new_context()
        page = context.new_page()
        page.goto(re.search(r"http://\S+/", process.stdout.readline())[0])
        page.locator(".slot img").first.wait_for()
        seen = "all => all.every((one) => one.naturalWidth > 0)"
        until(lambda page=page, seen=seen: page.eval_on_selector_all(".slot img", seen))
        process.send_signal(ending)
        _, errors = process.communicate(timeout=60)
        context.close()
        assert (process.returncode, errors) == (0, "")


def test_settings_that_cannot_be_are_told_before_the_run(page):
    turn(page, "style_layers", "relu1_1")
    turn(page, "layer_weights", "1,2")
    page.locator("#wrong", has_text="layer_weights has 2 numbers for 1 style layers").wait_for()
    assert page.locator("#make").is_disabled()


def test_the_keyboard_is_enough(page):
    page.locator("[role=tab]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "Texture"
    page.keyboard.press("ArrowLeft")
    dial = page.locator("#dial-strength")
    dial.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("output[for=dial-strength]").inner_text() == "0.55"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"dial-size", "make"} <= reached


@pytest.mark.parametrize("width, height", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_axe_finds_no_serious_fault(page, width, height, scheme):
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.locator("#more > summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if not AXE.is_file():
        pytest.skip(f"no {AXE}: npm install axe-core, or name the file by JAXSTYLE_TEST_AXE")
    page.evaluate(AXE.read_text())
    found = json.loads(page.evaluate("async () => JSON.stringify((await axe.run()).violations)"))
    serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []
