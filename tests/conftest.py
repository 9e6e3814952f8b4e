# SPDX-License-Identifier: Apache-2.0
"""What makes the tests come out alike on every machine: one thread, the same examples, no clock that decides."""

from __future__ import annotations

import os

# Before torch, numpy and OpenCV start their threads. Several processes run tests at a time, and threads that wait for
# one another take longer than the work; sums split among threads also round differently.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from hypothesis import HealthCheck, settings

# Left alone, hypothesis fails an example that takes 200 ms or is made slowly, and tries others each time.
settings.register_profile(
    "alike", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)
settings.load_profile("alike")


def pytest_runtest_setup() -> None:
    """Seed torch, so that what a test draws does not depend on which tests ran before it in the same process."""
    torch.manual_seed(0)
