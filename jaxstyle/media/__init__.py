"""Reads and writes pictures and films, and draws charts, contact sheets and overlays."""
