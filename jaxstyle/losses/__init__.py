"""Losses: pure functions of arrays, knowing nothing of files, devices or loops."""
