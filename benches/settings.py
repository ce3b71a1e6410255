"""The project's settings with the benchmarks' paths beside its own."""

from __future__ import annotations

from gateway.settings import *  # noqa: F403

ROOT_URLCONF = "benches.urls"
