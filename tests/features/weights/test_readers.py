"""Every format gives its tensors, whatever the file is called; everything else is one clear sentence."""

import h5py
import numpy as np
import pytest
import safetensors.numpy
from torch_writer import contiguous, legacy_form, zip_form

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.readers import read_tensors, unwrapped

ARRAYS = {
    "a.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "half": np.linspace(-1, 1, 5).astype(np.float16),
}


def write_safetensors(path):
    safetensors.numpy.save_file(ARRAYS, path, {"origin": "a test"})


def write_npz(path):
    with open(path, "wb") as file:
        np.savez(file, **ARRAYS)


def write_compressed_npz(path):
    with open(path, "wb") as file:
        np.savez_compressed(file, **ARRAYS)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        for name, array in ARRAYS.items():
            file[name] = array


def write_zip(path):
    path.write_bytes(zip_form(*contiguous(ARRAYS)))


def write_legacy(path):
    path.write_bytes(legacy_form(*contiguous(ARRAYS)))


WRITERS = [write_safetensors, write_npz, write_compressed_npz, write_hdf5, write_zip, write_legacy]


@pytest.fixture(params=WRITERS, ids=lambda writer: writer.__name__.removeprefix("write_"))
def write(request):
    return request.param


@pytest.mark.parametrize("suffix", [".bin", ".h5", ".pth", ""])
def test_the_content_decides_not_the_suffix(tmp_path, write, suffix):
    path = tmp_path / f"weights{suffix}"
    write(path)
    tensors, metadata = read_tensors(path)
    assert sorted(tensors) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)
    assert metadata == ({"origin": "a test"} if write is write_safetensors else {})


def test_a_truncated_file_is_an_error_that_names_it_at_any_length(tmp_path, write):
    whole = tmp_path / "whole"
    write(whole)
    content = whole.read_bytes()
    cut = tmp_path / "cut"
    for length in {*range(1, 40), *range(40, len(content), 97), len(content) - 1}:
        cut.write_bytes(content[:length])
        with pytest.raises(JaxstyleError, match=f"^{cut}") as error:
            read_tensors(cut)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b"<html><body>404", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "a Git LFS pointer"),
        (b"some prose about weights", "in no format known here"),
        (b"PK\x05\x06" + bytes(18), "a zip archive, but neither"),
        (bytes(1000), "in no format known here"),
    ],
)
def test_what_is_not_weights_is_called_what_it_is(tmp_path, content, sentence):
    path = tmp_path / "vgg19.h5"
    path.write_bytes(content)
    with pytest.raises(JaxstyleError, match=sentence):
        read_tensors(path)


def test_missing_files_folders_and_unreadable_files_have_sentences_of_their_own(tmp_path):
    with pytest.raises(JaxstyleError, match="no such file"):
        read_tensors(tmp_path / "absent.npz")
    with pytest.raises(JaxstyleError, match="a folder"):
        read_tensors(tmp_path)
    with pytest.raises(JaxstyleError, match="cannot be read"):
        read_tensors(tmp_path / ("x" * 300))


def test_a_saved_keras_model_gives_its_weights_without_the_optimizer(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["model_weights/conv/conv/kernel:0"] = np.ones((3, 3, 1, 1), np.float32)
        file["optimizer_weights/m"] = np.ones(2, np.float32)
        file["model_weights/top_level_model_weights/name"] = "text is no weight"
    assert list(read_tensors(path)[0]) == ["conv/conv/kernel:0"]


def test_hdf5_must_not_lead_to_other_files_or_blow_up(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))
    for i, options in enumerate(
        [{"external": [(str(secret), 0, 64)], "shape": (16,)}, {"shape": (10**13,), "chunks": (1024,)}]
    ):
        path = tmp_path / f"{i}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("conv1/kernel", dtype="f4", **options)
        with pytest.raises(JaxstyleError, match=r"does not lie in this file|claims to unpack to"):
            read_tensors(path)


def test_an_npz_with_pickled_objects_is_refused(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, a=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(JaxstyleError, match="allow_pickle"):
        read_tensors(path)


def test_bfloat16_safetensors_become_float32(tmp_path):
    header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path = tmp_path / "brain.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f\x20\xc0")  # 0x3f80, 0xc020
    tensors, _ = read_tensors(path)
    assert tensors["a"].dtype == np.float32
    np.testing.assert_array_equal(tensors["a"], [1.0, -2.5])


def test_a_type_without_numpy_counterpart_is_named(tmp_path):
    header = b'{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    path = tmp_path / "eight.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x00\x00")
    with pytest.raises(JaxstyleError, match="'a' is F8_E4M3"):
        read_tensors(path)


NETWORK = {"conv.weight": np.ones((2, 3)), "norm.running_mean": np.zeros(2)}
STATE = {"optimizer.state.0.exp_avg": np.ones(6), "lr_scheduler.last_lr": np.ones(1), "loss": np.ones(()), "ema": 1}


@pytest.mark.parametrize("state", [{}, STATE], ids=["alone", "with_training_state"])
@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "state_dict.", "model.", "model_state_dict.", "model.module.", "state_dict._orig_mod.net."],
)
def test_networks_are_unwrapped(prefix, state):
    found = unwrapped({prefix + name: tensor for name, tensor in NETWORK.items()} | state)
    assert list(found) == list(NETWORK)


def test_names_that_only_some_tensors_share_stay():
    """`model` may be a submodule, and Caffe's `loss3/classifier` a layer."""
    names = ["model.0.weight", "head.weight", "loss3/classifier/weight", "loss3_classifier.bias", "emanate.bias"]
    assert list(unwrapped(dict.fromkeys(names, np.ones(1)))) == names
    assert list(unwrapped(STATE)) == list(STATE)  # nothing but training state


def test_a_wrapped_checkpoint_is_read_as_its_network(tmp_path):
    path = tmp_path / "checkpoint.pth"
    state = {"model": {f"module.{name}": a for name, a in ARRAYS.items()}, "optimizer": {"exp_avg": ARRAYS["half"]}}
    tree, storages = contiguous({f"{key}.{name}": a for key, part in state.items() for name, a in part.items()})
    path.write_bytes(zip_form(tree, storages))
    tensors, _ = read_tensors(path)
    assert sorted(tensors) == sorted(ARRAYS)
