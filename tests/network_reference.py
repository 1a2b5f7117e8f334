"""The feature extractors in float64 NumPy, written from the papers."""

import numpy as np


def convolve(x, kernel, bias, *, stride=1, padding=0, mode="constant"):
    """Cross-correlation of `[H, W, Cin]` with `[h, w, Cin, Cout]`, offset by offset."""
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)), mode=mode)
    size = kernel.shape[0]
    height, width = ((side - size) // stride + 1 for side in x.shape[:2])
    out = np.zeros((height, width, kernel.shape[3])) + bias
    for i, j in np.ndindex(size, size):
        window = x[i : i + (height - 1) * stride + 1 : stride, j : j + (width - 1) * stride + 1 : stride]
        out += window @ np.asarray(kernel[i, j], np.float64)
    return out


def pool(x, pooling, size, ceil=False):
    """Windows of `size` with stride 2, window by window; those that extend beyond the edge take the pixels inside."""
    sides = [(side - size + (1 if ceil else 0)) // 2 + 1 for side in x.shape[:2]]
    out = np.zeros((*sides, x.shape[2]))
    for i, j in np.ndindex(*sides):
        window = x[2 * i : 2 * i + size, 2 * j : 2 * j + size].reshape(-1, x.shape[2])
        if pooling == "max":
            out[i, j] = window.max(0)
        elif pooling == "average":
            out[i, j] = 2 * window.mean(0)  # crowsonkb's factor
        else:
            # crowsonkb's 0.78 is for the root of a sum of four squares, which is twice the root of their mean.
            out[i, j] = 0.78 * 2 * np.sqrt((window**2).mean(0))
    return out


def layer(tensors, name):
    """Kernel and bias of a convolution among canonical tensors."""
    return tensors[f"{name}/kernel"], tensors[f"{name}/bias"]


def color_mapped(tensors, image):
    """Applies the weights' affine colour map to a picture `[H, W, 3]`."""
    return np.asarray(image, np.float64) @ np.asarray(tensors["preprocess/kernel"], np.float64) + np.asarray(
        tensors["preprocess/bias"], np.float64
    )


def vgg(tensors, image, *, pooling="max", replicate=False):
    """Every activation of a VGG of any width (Simonyan & Zisserman 2014, table 1), pools between the blocks."""
    x, activations, block = color_mapped(tensors, image), {}, "1"
    for name in (key.removesuffix("/kernel") for key in tensors if key.startswith("conv") and key.endswith("/kernel")):
        if name[4] != block:
            activations[f"pool{block}"] = x = pool(x, pooling, 2)
            block = name[4]
        mode = "edge" if replicate and name == "conv1_1" else "constant"
        activations[name] = x = convolve(x, *layer(tensors, name), padding=1, mode=mode)
        activations[name.replace("conv", "relu")] = x = np.maximum(x, 0)
    activations[f"pool{block}"] = pool(x, pooling, 2)
    return activations


def squeezenet(tensors, image, *, pool_after, stages, pooling="max", ceil=False, replicate=False, classifier_pad=0):
    """Every activation of a SqueezeNet (Iandola et al. 2016, table 1 and figure 2) as far as fire module `stages`."""
    kernel, bias = layer(tensors, "conv1")
    margin = kernel.shape[0] // 2 if replicate else 0
    x, activations = color_mapped(tensors, image), {}
    activations["conv1"] = x = convolve(x, kernel, bias, stride=2, padding=margin, mode="edge")
    activations["relu1"] = x = np.maximum(x, 0)
    for i in range(1, min(stages, 9) + 1):
        if i > 1:
            parts = {}
            for part in ("squeeze1x1", "expand1x1", "expand3x3"):
                below = x if part == "squeeze1x1" else parts["squeeze1x1"]
                name = f"fire{i}/{part}"
                activations[name] = convolve(below, *layer(tensors, name), padding=1 if part == "expand3x3" else 0)
                activations[f"fire{i}/relu_{part}"] = parts[part] = np.maximum(activations[name], 0)
            activations[f"fire{i}"] = x = np.concatenate([parts["expand1x1"], parts["expand3x3"]], -1)
        if i in pool_after:
            activations[f"pool{i}"] = x = pool(x, pooling, 3, ceil)
    if stages == 10:
        activations["conv10"] = x = convolve(x, *layer(tensors, "conv10"), padding=classifier_pad)
        activations["relu10"] = x = np.maximum(x, 0)
        activations["logits"] = x.mean((0, 1))
    return activations


# Szegedy et al. 2014, table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def normalized(x):
    """Local response normalisation with Caffe's constants, channel by channel."""
    out = np.empty_like(x)
    for c in range(x.shape[-1]):
        near = x[..., max(0, c - 2) : c + 3]
        out[..., c] = x[..., c] / (1 + 1e-4 / 5 * np.sum(near**2, -1)) ** 0.75
    return out


def neighborhood_max(x):
    """The largest of each pixel and its neighbours inside the frame."""
    height, width = x.shape[:2]
    framed = np.pad(x, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    return np.max([framed[i : i + height, j : j + width] for i, j in np.ndindex(3, 3)], 0)


def googlenet(tensors, image, *, pooling="max", replicate=False):
    """Every activation of a GoogLeNet, as Caffe's deploy.prototxt of bvlc_googlenet wires it."""
    activations = {}

    def convolved(x, name, relu, **options):
        activations[name] = convolve(x, *layer(tensors, name), **options)
        activations[relu] = np.maximum(activations[name], 0)
        return activations[relu]

    x = color_mapped(tensors, image)
    mode = "edge" if replicate else "constant"
    x = convolved(x, "conv1/7x7_s2", "conv1/relu_7x7", stride=2, padding=3, mode=mode)
    activations["pool1/3x3_s2"] = x = pool(x, pooling, 3, ceil=True)
    activations["pool1/norm1"] = x = normalized(x)
    x = convolved(x, "conv2/3x3_reduce", "conv2/relu_3x3_reduce")
    x = convolved(x, "conv2/3x3", "conv2/relu_3x3", padding=1)
    activations["conv2/norm2"] = x = normalized(x)
    activations["pool2/3x3_s2"] = x = pool(x, pooling, 3, ceil=True)
    for number, widths in INCEPTION.items():
        module = f"inception_{number}"
        here = {part: (f"{module}/{part}", f"{module}/relu_{part}") for part in ("1x1", "3x3", "5x5", "pool_proj")}
        one = convolved(x, *here["1x1"])
        reduced = convolved(x, f"{module}/3x3_reduce", f"{module}/relu_3x3_reduce")
        three = convolved(reduced, *here["3x3"], padding=1)
        reduced = convolved(x, f"{module}/5x5_reduce", f"{module}/relu_5x5_reduce")
        five = convolved(reduced, *here["5x5"], padding=2)
        activations[f"{module}/pool"] = neighborhood_max(x)
        projected = convolved(activations[f"{module}/pool"], *here["pool_proj"])
        activations[f"{module}/output"] = x = np.concatenate([one, three, five, projected], -1)
        assert x.shape[-1] == widths[0] + widths[2] + widths[4] + widths[5]
        if number in ("3b", "4e"):
            activations[f"pool{number[0]}/3x3_s2"] = x = pool(x, pooling, 3, ceil=True)
    activations["pool5/7x7_s1"] = x = x.mean((0, 1))
    kernel, bias = layer(tensors, "loss3/classifier")
    activations["loss3/classifier"] = x @ kernel[0, 0] + bias
    return activations


def assert_taps(actual, expected, tolerance=1e-4):
    """Every tap `[1, h, w, C]` equals its reference, relative to the tap's largest entry."""
    assert set(actual) <= set(expected), sorted(set(actual) - set(expected))
    for name, activation in actual.items():
        reference = expected[name]
        assert activation.shape == (1, *reference.shape), name
        error = np.max(np.abs(np.asarray(activation[0], np.float64) - reference))
        assert error <= tolerance * np.max(np.abs(reference)), (name, error, np.max(np.abs(reference)))
