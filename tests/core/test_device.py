import random

import numpy as np
import pytest
import torch

from mien.core.device import resolve_device, seed_everything
from mien.core.errors import InputError


def test_auto_takes_what_is_there() -> None:
    assert resolve_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == torch.device("cpu")


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no CUDA device here; use --device cpu"):
        resolve_device("cuda")


def test_the_same_seed_gives_the_same_numbers() -> None:
    def draw(seed: int) -> list[float]:
        generator = seed_everything(seed)
        legacy = np.random.rand()  # noqa: NPY002 - what other packages draw from
        return [random.random(), legacy, torch.rand(1).item(), torch.rand(1, generator=generator).item()]

    assert draw(5) == draw(5)
    assert all(a != b for a, b in zip(draw(5), draw(6), strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range(seed: int) -> None:
    with pytest.raises(InputError, match="expected a whole number from 0"):
        seed_everything(seed)
