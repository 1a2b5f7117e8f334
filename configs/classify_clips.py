"""Telling what moves: films of ten kinds of shapes, classified by what a ConvLSTM remembers of eighteen frames.

    python train.py --config configs/classify_clips.py --workdir runs/clips

The network also foresees frames, which teaches it to look (`--config.past=0 --config.future=0` leaves that out).
`--config configs/classify_clips.py:test` takes seconds.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks import forecast


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = forecast.defaults()
    config.data.update(name="moving_shapes", size=32)
    config.model.update(inputs=18, outputs=2, widths=(32, 32), patch=4)
    config.update(batch_size=8, train_epochs=10.0, ema_decay=0.99)
    config.loss.update(bce=0.0, mse=1.0)
    config.update(classify=100.0, best="accuracy", best_mode="max")  # beside squared errors of some hundred
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", clip_norm=10.0)
    if variant == "test":
        config.data.update(name="moving_shapes/tiny", data_dir="{workdir}/data")
        config.update(train_steps=4, eval_steps=2, checkpoint_steps=2, log_steps=1)
        config.model.update(inputs=3, outputs=2, widths=(8,), patch=8)
    return config
