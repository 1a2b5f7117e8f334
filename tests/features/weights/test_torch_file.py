"""What torch reads is read; what is no tensor is refused; no code ever runs."""

import contextlib
import io
import struct
import zipfile

import numpy as np
import pytest
from torch_writer import (
    Global,
    Persistent,
    Reduce,
    contiguous,
    legacy_form,
    ordered,
    parameter,
    pickled,
    tensor,
    zip_form,
)

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.torch_file import read_torch
from jaxstyle.features.weights.torch_pickle import ALLOWED

FORMS = {"zip": zip_form, "legacy": legacy_form}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "checkpoint.pth"
        path.write_bytes(content)
        return read_torch(path)

    return read


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4"])
def test_every_type_comes_back_as_it_was(read, form, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    found = read(form(*contiguous({"a": array, "scalar": array[0, 0, 1]})))
    assert found["a"].dtype == array.dtype
    np.testing.assert_array_equal(found["a"], array)
    assert found["scalar"].shape == ()
    assert found["scalar"] == 1


def test_bfloat16_becomes_the_float32_of_the_same_value(read, form):
    values = np.array([1.0, -2.5, 3.140625, np.inf], np.float32)  # all exact in bfloat16
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    found = read(form({"a": tensor("0", 4, (4,), (1,), storage="BFloat16Storage")}, {"0": bits}))
    assert found["a"].dtype == np.float32
    np.testing.assert_array_equal(found["a"], values)


def test_strides_and_offsets_select_out_of_a_shared_storage(read, form):
    data = np.arange(12, dtype=np.float32)
    tree = {
        "transposed": tensor("7", 12, (4, 3), (1, 4)),
        "row": tensor("7", 12, (4,), (1,), offset=8),
        "every_other": tensor("7", 12, (3,), (2,), offset=1),
        "empty": tensor("7", 12, (0, 5), (5, 1)),
    }
    found = read(form(tree, {"7": data}))
    np.testing.assert_array_equal(found["transposed"], data.reshape(3, 4).T)
    np.testing.assert_array_equal(found["row"], data[8:])
    np.testing.assert_array_equal(found["every_other"], [1, 3, 5])
    assert found["empty"].shape == (0, 5)


def test_a_view_of_a_storage_starts_where_it_says(read):
    view = tensor("7", 12, (2,), (1,), offset=1, view=("view", 4, 3))  # as torch wrote before 0.4
    found = read(legacy_form({"a": view}, {"7": np.arange(12, dtype=np.float32)}))
    np.testing.assert_array_equal(found["a"], [5, 6])


def test_nested_dicts_are_joined_by_dots_and_other_leaves_left_out(read, form):
    leaves, storages = contiguous({"w": np.ones(2, np.float32), "b": np.zeros(1, np.float32)})
    tree = {
        "epoch": 20,
        "note": "x",
        "rate": 0.1,
        "model": ordered({"conv.weight": parameter(leaves["w"])}),
        "rest": {"list": [None, leaves["b"]]},
    }
    found = read(form(tree, storages))
    assert sorted(found) == ["model.conv.weight", "rest.list.1"]
    np.testing.assert_array_equal(found["model.conv.weight"], [1, 1])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("builtins", "eval"),
        ("torch.nn.modules.container", "Sequential"),
        ("torch", "load"),
    ],
)
def test_anything_but_tensors_is_refused_by_name_and_not_run(read, form, tmp_path, module, name):
    trace = tmp_path / "executed"
    tree = {"a": Reduce(Global(module, name), (f"touch {trace}",))}
    with pytest.raises(JaxstyleError, match=f"asks to run '{module}.{name}'"):
        read(form(tree, {}))
    assert not trace.exists()


def test_a_dotted_name_cannot_climb_out_of_an_allowed_one(read):
    # Protocol 4 resolves `a.b.c` by attributes: an allowed class must not lead to its base class's powers.
    attack = b"\x80\x04\x8c\x0bcollections\x8c\x1aOrderedDict.__subclasses__\x93)R."
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", attack)
    with pytest.raises(JaxstyleError, match=r"OrderedDict\.__subclasses__"):
        read(content.getvalue())


@pytest.mark.parametrize("name", ["torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "collections.OrderedDict"])
@pytest.mark.parametrize("state", [{"call": 1, "name": 1}, ({}, {"call": 1, "__setstate__": 1})])
def test_a_pickle_cannot_change_the_stand_ins(read, name, state):
    before = dict(vars(type(ALLOWED[name]))), ALLOWED[name]
    module, _, leaf = name.rpartition(".")
    build = pickled(Global(module, leaf))[:-1] + pickled(state)[2:-1] + b"b."
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", build)
    with pytest.raises(JaxstyleError):
        read(content.getvalue())
    assert (dict(vars(type(ALLOWED[name]))), ALLOWED[name]) == before


DATA = np.arange(6, dtype=np.float32)
WRONG_TENSORS = {
    "beyond": tensor("0", 6, (7,), (1,)),
    "beyond by offset": tensor("0", 6, (2,), (1,), offset=5),
    "beyond by stride": tensor("0", 6, (2, 2), (5, 1)),
    "negative stride": tensor("0", 6, (2,), (-1,), offset=3),
    "negative offset": tensor("0", 6, (2,), (1,), offset=-1),
    "stride of nothing": tensor("0", 6, (7,), (0,)),
    "size that wraps around": tensor("0", 6, (2**33, 2**33), (0, 0)),
    "sizes without strides": tensor("0", 6, (2, 3), (1,)),
    "size of text": tensor("0", 6, ("2",), (1,)),
    "storage that lies about its length": tensor("0", 9, (2,), (1,)),
    "storage of another type": tensor("0", 6, (2,), (1,), storage="DoubleStorage"),
    "view beyond": tensor("0", 6, (2,), (1,), view=("v", 5, 3)),
    "no storage": Reduce(Global("torch._utils", "_rebuild_tensor_v2"), (3, 0, (1,), (1,))),
    "persistent id of no storage": Persistent(("module", 1, "x", "cpu", 2)),
    "parameter of nothing": Reduce(Global("torch._utils", "_rebuild_parameter"), (3, True, None)),
}


@pytest.mark.parametrize("wrong", WRONG_TENSORS)
def test_a_tensor_that_does_not_fit_its_storage_is_an_error(read, form, wrong):
    with pytest.raises(JaxstyleError, match="not a whole torch checkpoint"):
        read(form({"a": WRONG_TENSORS[wrong]}, {"0": DATA}))


def test_storages_that_disagree_are_an_error(read, form):
    tree = {"a": tensor("0", 6, (2,), (1,)), "b": tensor("0", 3, (2,), (1,), storage="DoubleStorage")}
    with pytest.raises(JaxstyleError, match="two ways"):
        read(form(tree, {"0": DATA}))


def test_a_compressed_archive_is_refused(read):
    with pytest.raises(JaxstyleError, match="compressed"):
        read(zip_form(*contiguous({"a": np.zeros(100_000, np.float32)}), compression=zipfile.ZIP_DEFLATED))


def test_a_pickle_that_contains_itself_or_asks_for_a_huge_memo_is_an_error(read):
    # A dict stored in the memo, then set as its own item; and one byte put into memo slot 2**32 - 1.
    for attack in (
        b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
        b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".",
    ):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("archive/data.pkl", attack)
        with pytest.raises(JaxstyleError, match=r"contains itself|a pickle with more than"):
            read(content.getvalue())


def test_no_tensors_at_all_is_an_error(read, form):
    with pytest.raises(JaxstyleError, match="no named tensors"):
        read(form({"epoch": 3}, {}))


def test_a_file_cut_anywhere_or_with_any_byte_changed_is_read_or_refused_but_never_crashes(read, form):
    whole = form(*contiguous({"a": np.arange(4, dtype=np.float32), "b": np.ones((2, 2), np.float16)}))
    for length in range(1, len(whole)):
        with pytest.raises(JaxstyleError):
            read(whole[:length])
    for i in range(0, len(whole), 2):
        changed = bytearray(whole)
        changed[i] ^= 0x41
        with contextlib.suppress(JaxstyleError):
            read(bytes(changed))


@pytest.mark.parity
@pytest.mark.parametrize("modern", [True, False])
def test_what_torch_writes_is_read_as_torch_reads_it(tmp_path, modern):
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'jaxstyle[parity]'")
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tree = {
        "epoch": 3,
        "model": torch.nn.Conv2d(3, 4, 3).state_dict(),
        "view": base.T[1:, ::2],
        "parameter": torch.nn.Parameter(base[1]),
        "half": base.half(),
        "bfloat16": (base / 3).bfloat16(),
        "long": base.long(),
    }
    path = tmp_path / "checkpoint.pt"
    torch.save(tree, path, _use_new_zipfile_serialization=modern)
    expected = {f"model.{k}": v for k, v in tree.pop("model").items()} | {k: v for k, v in tree.items() if k != "epoch"}
    found = read_torch(path)
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], (value.float() if name == "bfloat16" else value).detach().numpy())


@pytest.mark.realdata
@pytest.mark.parity
def test_a_published_checkpoint_equals_what_torch_reads(real_data):
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'jaxstyle[parity]'")
    path = real_data / "features" / "vgg19_distilled_16x" / "encoder_relu5_1.pth"
    expected = torch.load(path, map_location="cpu", weights_only=True)["model"]
    found = read_torch(path)
    assert sorted(found) == sorted(f"model.{name}" for name in expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[f"model.{name}"], value.numpy())
