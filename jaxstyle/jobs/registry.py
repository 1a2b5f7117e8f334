"""The list of pixel jobs: command line, Python functions and recipes follow from it."""

from __future__ import annotations

from jaxstyle.jobs import project
from jaxstyle.pixels import dream, film, stylize, texture, visualize
from jaxstyle.pixels.job import PixelJob

JOBS: dict[str, PixelJob] = {job.name: job for job in (stylize.JOB, dream.JOB, texture.JOB, visualize.JOB, project.JOB)}
FILMS: dict[str, PixelJob] = {film.JOB.name: film.JOB}
"""Jobs that take the place of their namesakes where the content is a film; their settings are more."""
