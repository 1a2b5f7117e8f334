"""Uses of a trained workdir or model: sample, predict, segment, forecast, evaluate, apply, export."""
