"""Teach a network to paint in any style: of the photo and of a painting that it has never seen, in a single pass.

    python train.py --config configs/any_style.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, every fifth of which is for testing; PAINTINGS are pictures or
folders, each drawn as often as any other, the more varied the better. `jaxstyle apply runs/any photo.jpg -o out.png
--style painting.jpg` uses the workdir as it is, `jaxstyle models convert runs/any models/any` makes a folder of its own
of it.

`--config configs/any_style.py:test` learns two example paintings from drawn shapes in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks import any_style


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = any_style.defaults()
    config.data.update(name="", size=256)
    config.styles = ("example:brushwork", "example:mosaic")
    config.batch_size = 4
    config.train_epochs = 38.0
    config.eval_epochs = config.checkpoint_epochs = 2.0
    config.ema_decay = 0.995
    config.content_weight = 0.03
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0)
    if variant == "test":
        config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", size=24)
        config.data.eval_split = "test[:16]"
        config.update(train_steps=4, eval_steps=4, checkpoint_steps=4, log_steps=2)
        config.update(content_layers=("relu2_1",), style_layers=("relu1_1", "relu2_1"), layer_weights=(4.0, 3.0))
        config.model.update(width=4, blocks=1)
        config.augment.crop = 16
        config.optimizer.warmup_steps = 0
    return config
