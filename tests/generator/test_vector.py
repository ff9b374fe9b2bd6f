"""Loops in vectors look up and write as plain ones do."""

import numpy as np
import pytest


@pytest.mark.parametrize("count", [0, 1, 37])
def test_a_loop_in_vectors_gives_what_indexing_gives(count: int) -> None:
    pytest.importorskip("numba")
    from numba import njit

    from mien.generator.kernels.vector import looked_up, put, taken

    @njit(error_model="numpy")
    def looked(table, places, out):  # type: ignore[no-untyped-def]
        for m in range(places.shape[0]):
            put(out, m, looked_up(table, np.int32(taken(places, m))) + np.float32(1))

    random = np.random.default_rng(0)
    table = random.normal(size=50).astype(np.float32)
    places, out = random.integers(0, 50, count).astype(np.float32), np.zeros(count + 1, np.float32)
    looked(table, places, out[:count])
    np.testing.assert_array_equal(out[:count], table[places.astype(int)] + 1)
    assert out[count] == 0
