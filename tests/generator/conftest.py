# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from demo_subject import DemoSubject, demo_subject


@pytest.fixture(scope="session")
def demo() -> DemoSubject:
    return demo_subject()
