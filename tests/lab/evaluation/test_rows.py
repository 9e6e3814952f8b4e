# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from reenact.lab.evaluation.metrics.base import Rows


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_rows_come_back_as_they_were_put_in(count: int) -> None:
    wanted = np.random.default_rng(0).normal(size=(count, 3, 2))
    wanted[::7] = np.nan
    rows = Rows(3, 2)
    for row in wanted:
        rows.append(None if np.isnan(row).all() else row)
    np.testing.assert_array_equal(rows.stack(), wanted)
