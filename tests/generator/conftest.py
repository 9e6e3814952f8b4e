# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from portraits import Portrait, demo_portrait


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    return demo_portrait()
