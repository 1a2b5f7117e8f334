"""A small config of every task, with everything on: ten steps, a checkpoint after five, every step logged.

Each function takes pytest's `request.getfixturevalue`, as folders of data are fixtures (`conftest.py`).
"""

from jaxstyle.tasks import any_style, classify, distill, fast_style, forecast, gan, segment, translate, vae, vqvae
from jaxstyle.training.config import as_config

STEPS = {"train_steps": 10, "eval_steps": 10, "checkpoint_steps": 5, "log_steps": 1, "progress": "off"}


def small(task, data_dir, size, batch_size=16, data="jaxstyle_shapes/tiny", **changes):
    """A task's config for a small dataset at a size in pixels."""
    config = as_config(task.Config())
    config.data.update(name=data, data_dir=data_dir, size=size)
    config.update(**STEPS, batch_size=batch_size, **changes)
    return config


def classify_config(get):
    config = small(classify, get("shapes_dir"), 16, label_smoothing=0.1, mixup=0.4)
    config.model.update(name="resnet", depth=8, width=4, dropout=0.25)
    config.augment.update(pad=2, flip=True)
    return config


def segment_config(get):
    config = small(segment, get("shapes_dir"), 8, ema_decay=0.9)
    config.model.update(width=4, levels=1)
    config.loss.focal = 0.5
    config.optimizer.learning_rate = 0.02
    config.data.update(mask_classes=("ground", "shape"), mask_objects=True)
    config.augment.update(crop=6, flip=True, turn=True, color=0.2)
    return config


def vae_config(get):
    config = small(vae, get("shapes_dir"), 8, free_bits=0.01, iwae_samples=3, kl_warmup_steps=4, ema_decay=0.9)
    config.model.update(latents=4, widths=(4, 8), hidden=8, blocks=1, conditional=True, binarize="dynamic")
    return config


def vqvae_config(get):
    config = small(vqvae, get("shapes_dir"), 8, ema_decay=0.9)
    config.model.update(codes=6, code_width=4, widths=(4, 8), blocks=1, prior_blocks=1)
    return config


def gan_config(get):
    config = small(gan, get("shapes_dir"), 16, ema_decay=0.9)
    config.model.update(generator_width=4, discriminator_width=4, latents=8)
    return config


def forecast_config(get):
    data_dir = get("films_dir")
    config = small(forecast, data_dir, 16, data="moving_shapes/tiny", classify=0.5, teacher_steps=20, ema_decay=0.9)
    config.model.update(inputs=2, outputs=2, widths=(4,), patch=8, tied=False)
    config.adversary.update(objective="hinge", width=2)
    return config


def distill_config(get):
    config, teachers = small(distill, get("shapes_dir"), 24, 8), get("teachers")
    config.model.update(teacher=str(teachers / "early.safetensors"), deep_teacher=str(teachers / "deep.npz"))
    config.model.update(widths=((4, 4), (6, 6), (6,)), layers=("relu1_1", "relu2_1", "relu3_1"))
    config.model.update(layer_weights=(1.0, 1.0, 1.0), moments=0.1, view=16)
    config.optimizer.learning_rate = 5e-3
    config.data.eval_split = "test[:40]"
    return config


def translate_config(get):
    config = small(translate, "", 16, data="shapes_outlined/filled", ema_decay=0.9)
    config.data.update(name_b="shapes_outlined/outlined", split="train[:1%]", eval_split="test[:40]", pairs="eval")
    config.model.update(generator_width=4, blocks=1, levels=1, discriminator_width=4, halvings=1, pool=20)
    config.augment.update(crop=12, flip=True)
    return config


def one_layer(task, get, styles):
    """A stylisation network's config whose loss compiles soon: of one layer's means and standard deviations."""
    layers = {"content_layers": ("relu1_1",), "style_layers": ("relu1_1",), "layer_weights": (1.0,)}
    config = small(task, get("shapes_dir"), 16, 8, features=str(get("tiny_features")), style_loss="mean-std", **layers)
    config.styles = styles
    config.data.eval_split = "test[:40]"
    config.augment.update(crop=12, flip=True)
    return config


def fast_style_config(get):
    pictures = get("pictures")
    config = one_layer(fast_style, get, (str(pictures / "painting.png"), str(pictures / "other.png")))
    config.model.update(width=4, blocks=0)
    config.ema_decay = 0.9
    return config


def any_style_config(get):
    config = one_layer(any_style, get, (str(get("pictures")),))
    config.model.update(network="transport", width=2, blocks=0, layer="relu2_1")
    return config


CONFIGS = {
    "any_style": any_style_config,
    "classify": classify_config,
    "distill": distill_config,
    "fast_style": fast_style_config,
    "forecast": forecast_config,
    "gan": gan_config,
    "segment": segment_config,
    "translate": translate_config,
    "vae": vae_config,
    "vqvae": vqvae_config,
}
