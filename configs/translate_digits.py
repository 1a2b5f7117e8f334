"""Make coloured, striped digits plain, and plain ones coloured, without a pair to learn from: CycleGAN.

    python train.py --config configs/translate_digits.py --workdir runs/digits

22,500 steps of .07 s on one core: some 30 minutes. On 1,000 test pairs, labels and kernel distances by a classifier of
`digits_textured/both` that is right for 98.1 %:

                                             to plain              to textured
                                             8,250  22,500 steps   8,250  22,500 steps
    labels kept                              79.1   93.0 %         73.0   95.2 %
    kernel distance, of the untranslated's   0.29   0.087          0.18   0.026
    PSNR, of 5.7 dB untranslated             12.8   15.8 dB        9.8    9.8 dB

The left columns are of a run whose schedule ended there (`--config.train_epochs=1.1`). A plain digit says nothing of
colours, so that coloured ones do not come back as they were (`cycle_b` 0.26, `cycle_a` 0.04; 0.27 and 0.04 after 8 bits
and noise in between).

Without instance normalisation, at twice the learning rate and with the identity loss, all pictures to plain were black
after 800 steps and stayed so: nearly all pixels of plain digits are, and the generator's `tanh` has no gradient there.

MNIST is fetched and prepared on first use. `--config configs/translate_digits.py:test` translates shapes in seconds.
Run again with the same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.translate_config import Config, small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="digits_textured/plain", name_b="digits_textured/textured", pairs="eval")
    config.data.eval_split = "test[:1000]"
    config.update(batch_size=4, train_epochs=3.0, eval_epochs=0.5, checkpoint_epochs=0.1, ema_decay=0.995)
    config.model.update(generator_width=16, blocks=3, discriminator_width=24, halvings=2)
    config.loss.identity = 0.0
    return small(config) if variant == "test" else config
