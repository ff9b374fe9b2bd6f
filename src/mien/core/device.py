"""Where tensors live, and seeds."""

import random
from typing import Literal

import numpy as np
import torch

from mien.core.errors import InputError

DeviceChoice = Literal["auto", "cpu", "cuda"]


def resolve_device(choice: DeviceChoice = "auto") -> torch.device:
    """The device for a user's choice; "auto" is the GPU if there is one.

    Raises InputError if CUDA is asked for and not available.
    """
    has_cuda = torch.cuda.is_available()
    if choice == "cuda" and not has_cuda:
        raise InputError(
            "--device cuda was asked for, but PyTorch finds no CUDA device here; use --device cpu or auto."
        )
    return torch.device("cuda" if has_cuda and choice != "cpu" else "cpu")


def fast_bfloat16(device: torch.device | None = None) -> bool:
    """Whether a device, None the processor, multiplies bfloat16 itself.

    Elsewhere that is emulated: convolutions take five times as long as in float32.
    """
    if device is not None and device.type != "cpu":
        return True
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return torch.backends.mkldnn.is_available() and supported is not None and bool(supported())


def seed_everything(seed: int) -> torch.Generator:
    """Seed all global random generators and give a CPU generator of its own for the caller.

    mien itself draws only from generators that it is handed; the global seeds are for other packages.
    Raises InputError unless 0 <= seed < 2^32.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed is {seed}; expected a whole number from 0 to {2**32 - 1}.")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - other packages draw from it
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)
