"""Films for the temporal term of style networks: pairs of frames, their flow, and that both are changed alike."""

import tarfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle.data import frame_pairs as module
from jaxstyle.data.config import DataConfig
from jaxstyle.data.frame_pairs import frame_pairs
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.optical_flow import Motion
from jaxstyle.ops.warping import warp_to_next
from jaxstyle.tasks import fast_style
from jaxstyle.training import loop
from jaxstyle.training.config import typed

RIGHT, DOWN = 3, 1  # pixels by which the film moves from frame to frame


@pytest.fixture
def films(tmp_path, monkeypatch):
    """Films of a picture that moves, whose flow is known."""

    def motion(number, before, after):
        forward = np.broadcast_to(np.float32([RIGHT, DOWN]), (*before.shape[:2], 2))
        return Motion(-forward, forward)

    monkeypatch.setattr(module, "opencv_flow", lambda: motion)
    for number in range(4):
        large = np.uint8(255 * tiny.picture(number, 60, 60))
        frames = [large[20 - DOWN * t :, 20 - RIGHT * t :][:24, :32] for t in range(4)]
        np.save(tmp_path / f"{number}.npy", np.stack(frames))
    return tmp_path


def pairs(films):
    return frame_pairs(open_dataset(DataConfig(clips=str(films), frames=2), "train"))


def test_the_flow_leads_from_frame_to_frame(films):
    dataset = pairs(films)
    example = dataset.read(1)
    assert dataset.count == 6 and sorted(example) == ["flow", "image", "later"]
    expected, valid = warp_to_next(example["image"] / 255, example["flow"][..., :2], example["flow"][..., 2:])
    inside = np.asarray(valid) > 0
    assert inside[DOWN:, RIGHT:].all() and not inside[:DOWN].any()
    np.testing.assert_allclose(expected[DOWN:, RIGHT:], example["later"][DOWN:, RIGHT:] / 255, atol=1e-5)


def test_frames_and_flow_are_cropped_and_mirrored_alike(films):
    dataset = pairs(films)
    batch = {name: np.stack([dataset.read(0)[name]] * 16) for name in ("image", "later", "flow")}
    keys = jax.random.split(jax.random.key(0), 16)
    photos, film = jax.jit(lambda batch: fast_style.photos_of(batch, keys, flip=True, crop=16))(batch)
    expected, valid = jax.vmap(warp_to_next)(photos, film.backward, film.forward)
    difference = jnp.abs(expected - film.later).max(-1) * valid
    assert photos.shape == (16, 16, 16, 3) and float(difference.max()) < 1e-5
    assert float(valid.mean()) > 0.6  # of 16 columns 3 come in, of 16 rows 1
    assert {float(x) for x in film.forward[:, 0, 0, 0]} == {RIGHT, -RIGHT}


def test_settings_of_films_for_style_networks(pictures):
    styles = (str(pictures / "painting.png"),)
    for changes in ({"temporal_weight": 0.0}, {"data": DataConfig(clips="x")}):
        config = {"styles": styles, "temporal_weight": 1.0, "data": DataConfig(clips="x", frames=2), **changes}
        with pytest.raises(JaxstyleError, match=r"set temporal_weight above 0, data\.frames=2 and data\.channels=3"):
            fast_style.check(fast_style.Config(**config))


@pytest.mark.slow
def test_a_style_network_learns_from_films(films, pictures, tiny_features, tmp_path):
    layers = {"content_layers": ("relu1_1",), "style_layers": ("relu1_1",), "layer_weights": (1.0,)}
    config = fast_style.Config(
        **layers,
        styles=(str(pictures / "painting.png"),),
        features=str(tiny_features),
        temporal_weight=1.0,
        data=DataConfig(clips=str(films), frames=2),
        model=fast_style.ModelConfig(width=4, blocks=0),
        train_steps=3,
        eval_steps=3,
        batch_size=4,
        devices=1,
        progress="off",
    )
    state = loop.run(typed(fast_style.Config, config), tmp_path / "run")
    assert int(state.step) == 3
    assert "temporal" in (tmp_path / "run" / "metrics.jsonl").read_text()


@pytest.mark.realdata
def test_the_flow_of_a_filmed_car(real_data, tmp_path):
    """Warped by OpenCV's flow a frame is much nearer to the next, where the flow is reliable, than as it is."""
    pytest.importorskip("cv2")
    with tarfile.open(next((real_data / "datasets" / "davis_car_shadow").glob("*.tar.xz"))) as tar:
        tar.extractall(tmp_path, filter="data")
    data = DataConfig(clips=str(tmp_path / "DAVIS" / "JPEGImages"), frames=2, stride=8, size="192x108")
    dataset = frame_pairs(open_dataset(data, "train", labels=False))
    still, moved = [], []
    for index in range(dataset.count):
        image, later, flow = (np.float32(dataset.read(index)[name]) for name in ("image", "later", "flow"))
        expected, valid = warp_to_next(image, flow[..., :2], flow[..., 2:])
        for found, frame in ((still, image), (moved, np.asarray(expected))):
            found.append(np.average(np.abs(frame - later).mean(-1), weights=np.asarray(valid)))
    assert dataset.count == 5 and np.mean(moved) < np.mean(still) / 2
