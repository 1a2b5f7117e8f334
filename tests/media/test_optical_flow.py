"""Optical flow: where it is trusted, its files, its sizes, and OpenCV's estimate of a known motion."""

import importlib.util
import sys

import jax
import numpy as np
import pytest
import tiny

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.optical_flow import FLO, Motion, folder_flow, opencv_flow, read_flow, resize_motion
from jaxstyle.ops.warping import consistency_mask, warp_to_next

needs_opencv = pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="OpenCV is not installed")


def motion_of(seed=0, height=14, width=18):
    """Smooth random flows, some of which agree with one another and some do not."""
    rng = np.random.default_rng(seed)

    def smooth():
        start = rng.uniform(-2, 2, (1, 2))
        rows = np.linspace(start, start + rng.uniform(-0.4, 0.4, (1, 2)), height)
        return np.broadcast_to(rows, (height, width, 2)) + 0.002 * rng.standard_normal((height, width, 2))

    backward = smooth()
    forward = np.where(rng.random((height, width, 1)) < 0.7, -backward, 1.5 - backward)
    backward[:, width // 2 :] += 2  # an edge of motion
    return Motion(backward.astype(np.float32), forward.astype(np.float32))


def reference(backward, forward):
    """Eq. 5 and 6, pixel by pixel, in float64."""
    backward, forward = np.float64(backward), np.float64(forward)
    height, width, _ = backward.shape
    good = np.ones((height, width))
    gradient = [np.gradient(backward[..., c], axis=axis) for c in (0, 1) for axis in (0, 1)]
    for y in range(height):
        for x in range(width):
            w = backward[y, x]
            px, py = x + w[0], y + w[1]
            if not (0 <= px <= width - 1 and 0 <= py <= height - 1):
                good[y, x] = 0
                continue
            left, top = min(int(px), width - 2), min(int(py), height - 2)
            a, b = px - left, py - top
            corners = forward[top : top + 2, left : left + 2]
            ahead = (1 - b) * ((1 - a) * corners[0, 0] + a * corners[0, 1])
            ahead = ahead + b * ((1 - a) * corners[1, 0] + a * corners[1, 1])
            occluded = np.sum((ahead + w) ** 2) > 0.01 * (np.sum(ahead**2) + np.sum(w**2)) + 0.5
            edge = sum(part[y, x] ** 2 for part in gradient) > 0.01 * np.sum(w**2) + 0.002
            good[y, x] = not (occluded or edge)
    return good


@pytest.mark.parametrize("seed", [0, 1])
def test_where_flow_is_trusted(seed):
    motion = motion_of(seed)
    found, wanted = jax.jit(consistency_mask)(*motion), reference(*motion)
    assert 0.1 < wanted.mean() < 0.9
    np.testing.assert_array_equal(found, wanted)  # no value is so near its threshold that float32 tells otherwise


def test_without_forward_flow_only_edges_and_the_frame_count():
    backward = np.zeros((8, 10, 2), np.float32)
    backward[..., 0] = -3
    wanted = np.ones((8, 10))
    wanted[:, :3] = 0
    np.testing.assert_array_equal(jax.jit(consistency_mask)(backward), wanted)


def test_a_picture_follows_its_motion():
    picture = tiny.picture(0, 12, 16)
    backward = np.full((12, 16, 2), (-2.0, 1.0), np.float32)
    expected, trust = warp_to_next(picture, backward, -backward)
    np.testing.assert_allclose(expected[:11, 2:], picture[1:, :14], atol=1e-6)
    assert trust[:11, 2:].all() and trust.sum() == 11 * 14


def test_motion_of_another_size():
    backward = np.full((10, 20, 2), (4.0, 2.0), np.float32)
    small = resize_motion(Motion(backward), 5, 10)
    np.testing.assert_allclose(small.backward, np.full((5, 10, 2), (2.0, 1.0)), rtol=1e-6)
    assert small.forward is None


def write_flo(path, flow):
    """As Middlebury's `flowIO.cpp` does."""
    height, width, _ = flow.shape
    sizes = np.array([width, height], "<i4").tobytes()
    path.write_bytes(np.array([FLO], "<f4").tobytes() + sizes + flow.astype("<f4").tobytes())


def test_files_of_both_formats(tmp_path):
    flow = motion_of().backward
    write_flo(tmp_path / "backward_2_1.flo", flow)
    np.save(tmp_path / "backward_3_2.npy", flow.astype(np.float64))
    np.save(tmp_path / "forward_2_3.npy", -flow)
    assert (tmp_path / "backward_2_1.flo").read_bytes()[:4] == b"PIEH"
    source = folder_flow(tmp_path, 3)
    first, second = (source(number, flow, flow) for number in (1, 2))
    np.testing.assert_array_equal(first.backward, flow)
    np.testing.assert_array_equal(second.backward, flow)
    np.testing.assert_array_equal(second.forward, -flow)
    assert first.forward is None and second.backward.dtype == np.float32
    with pytest.raises(JaxstyleError, match="has no backward_4_3; it must hold"):
        folder_flow(tmp_path, 4)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.flo", b"PIEH", "cannot be read"),
        ("a.flo", b"", "cannot be read"),
        ("a.flo", b"HEIP" + bytes(20), "is no flow"),
        ("a.npy", b"nothing", "cannot be read"),
        ("a.npy", np.zeros((3, 4)), "is no flow"),
        ("a.npy", np.full((3, 4, 2), np.nan), "is no flow"),
    ],
)
def test_what_is_no_flow_is_told(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with pytest.raises(JaxstyleError, match=sentence):
        read_flow(path)


def test_a_missing_folder_and_a_missing_library_are_told(tmp_path, monkeypatch):
    with pytest.raises(JaxstyleError, match=r"the folder of flow '.*none' does not exist"):
        folder_flow(tmp_path / "none", 2)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(JaxstyleError, match=r"needs OpenCV, which is not installed: pip install 'jaxstyle\[video\]'"):
        opencv_flow()


@needs_opencv
def test_opencv_finds_a_known_motion():
    wide = tiny.picture(3, 72, 112)
    before, after = wide[2:66, 4:100], wide[4:68, 1:97]  # what is seen moves 3 to the right and 2 up
    motion = opencv_flow()(1, before, after)
    np.testing.assert_allclose(np.median(motion.backward, (0, 1)), [-3, 2], atol=0.1)
    np.testing.assert_allclose(np.median(motion.forward, (0, 1)), [3, -2], atol=0.1)
