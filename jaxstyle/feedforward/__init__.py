"""Stylising in one pass of a trained network: models saved, converted and applied."""
