"""Teach the slim VGG-19 that the package ships (`--features bundled`), from random initialisation.

    python train.py --config configs/distill_features.py --workdir runs/distill --config.data.folder=PHOTOS

PHOTOS is a folder of pictures, or of folders of pictures; a fifth is held out. The teacher is VGG-19, whole, by
name (it is downloaded) or as a file. A file that ends early will do with a distilled network for the other layers,
as the shipped weights were trained:

    --config.model.teacher=vgg19_to_relu3_1.safetensors --config.model.deep_teacher=encoder_relu5_1.pth

Half an hour on two cores. The cosine of the student's features, through one linear map a position and ReLU, to the
teachers', mean over held-out photos (then one in ten): relu1_1 0.9998, relu2_1 0.991, relu3_1 0.959 (the real
VGG-19), relu4_1 0.944, relu5_1 0.855 (the distilled one). The shipped weights are of one such run that was stopped
and continued twice: its first 434 steps had a schedule of 100 epochs, and until step 2387 the teacher saw zeros
beyond the frame. They were then pruned of the channels that see nothing (`--prune PHOTOS`), after which the cosines
were not taken again.

The student becomes a file for `--features` by

    jaxstyle features convert runs/distill student.safetensors --dtype float16

`--config configs/distill_features.py:test` teaches a yet smaller network from the shipped one, in seconds.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.distill import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.batch_size = 16
    config.train_epochs = 64.0
    config.eval_epochs = 32.0
    config.checkpoint_epochs = 4.0
    config.ema_decay = 0.998
    config.data.size = 224
    config.optimizer.update(name="muon", learning_rate=5e-3, schedule="cosine", warmup_epochs=1.5, clip_norm=5.0)
    if variant == "test":
        config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", size=32)
        config.data.eval_split = "test[:16]"
        config.model.update(teacher="bundled", widths=((4, 4), (8,)), layers=("relu1_1", "relu2_1"))
        config.model.update(layer_weights=(1.0, 1.0), view=24)
        config.update(train_steps=4, eval_steps=4, checkpoint_steps=4, log_steps=2)
        config.optimizer.warmup_epochs = 0.0
    return config
