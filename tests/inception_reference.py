"""Inception-v3 in float64 NumPy, written from the paper's figures and pytorch-fid's notes."""

import numpy as np
from network_reference import color_mapped, layer


def convolve(x, kernel, bias, stride=1, valid=False):
    """`[H, W, Cin]` with `[h, w, Cin, Cout]`, odd h and w; zeros around, or nothing where `valid`. With its ReLU."""
    high, wide = kernel.shape[:2]
    if not valid:
        x = np.pad(x, ((high // 2, high // 2), (wide // 2, wide // 2), (0, 0)))
    height, width = (x.shape[0] - high) // stride + 1, (x.shape[1] - wide) // stride + 1
    out = np.zeros((height, width, kernel.shape[3])) + bias
    for i, j in np.ndindex(high, wide):
        window = x[i : i + (height - 1) * stride + 1 : stride, j : j + (width - 1) * stride + 1 : stride]
        out += window @ np.asarray(kernel[i, j], np.float64)
    return np.maximum(out, 0)


def around(x, reduce, stride=1):
    """Windows of 3 x 3, with stride 2 and no padding, or around every pixel and cut at the edge."""
    if stride == 2:
        rows, columns = ((side - 3) // 2 + 1 for side in x.shape[:2])
        windows = [[x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] for j in range(columns)] for i in range(rows)]
    else:
        rows, columns = range(x.shape[0]), range(x.shape[1])
        windows = [[x[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2] for j in columns] for i in rows]
    return np.array([[reduce(window, (0, 1)) for window in row] for row in windows])


def inception(tensors, image, last_pool=np.max):
    """Every block's output (and the stem's) for a picture `[H, W, 3]`, as far as the tensors go."""
    activations = {}

    def conv(name, x, **options):
        return convolve(x, *layer(tensors, name), **options)

    def chain(block, tower, count, x, **last):
        """`count` convolutions of a tower in a row; options are the last one's."""
        for i in range(count):
            name = f"{block}/{tower}conv" + (f"_{i}" if i else "")
            x = conv(name, x, **(last if i == count - 1 else {}))
        return x

    def both(block, tower, x):
        return [conv(f"{block}/{tower}mixed_{name}", x) for name in ("conv", "conv_1")]

    activations["conv"] = x = conv("conv", color_mapped(tensors, image), stride=2, valid=True)
    activations["conv_1"] = x = conv("conv_1", x, valid=True)
    activations["conv_2"] = x = conv("conv_2", x)
    activations["pool"] = x = around(x, np.max, 2)
    activations["conv_3"] = x = conv("conv_3", x)
    activations["conv_4"] = x = conv("conv_4", x, valid=True)
    activations["pool_1"] = x = around(x, np.max, 2)
    halving = {"stride": 2, "valid": True}
    for number in range(11):
        name = f"mixed_{number}" if number else "mixed"
        if not any(key.startswith(f"{name}/") for key in tensors):
            return activations
        if number in (3, 8):  # the grid is halved; in mixed_8 even the single convolution has a 1 x 1 before it
            first = chain(name, "", 1, x, **halving) if number == 3 else chain(name, "tower_", 2, x, **halving)
            second = chain(name, *(("tower_", 3) if number == 3 else ("tower_1_", 4)), x, **halving)
            parts = [first, second, around(x, np.max, 2)]
        elif number < 8:
            short, long = (2, 3) if number < 3 else (3, 5)
            parts = [conv(f"{name}/conv", x), chain(name, "tower_", short, x), chain(name, "tower_1_", long, x)]
            parts.append(conv(f"{name}/tower_2_conv", around(x, np.mean)))
        else:
            parts = [conv(f"{name}/conv", x), *both(name, "tower_", chain(name, "tower_", 1, x))]
            parts += both(name, "tower_1_", chain(name, "tower_1_", 2, x))
            parts.append(conv(f"{name}/tower_2_conv", around(x, last_pool if number == 10 else np.mean)))
        activations[name] = x = np.concatenate(parts, -1)
    activations["pool_3"] = x.mean((0, 1))
    if "logits/kernel" in tensors:
        kernel, bias = layer(tensors, "logits")
        activations["logits"] = activations["pool_3"] @ np.asarray(kernel[0, 0], np.float64) + bias
    return activations
