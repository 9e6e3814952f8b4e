# SPDX-License-Identifier: Apache-2.0
"""One thread: on a busy machine torch's threads wait for one another longer than they work."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
