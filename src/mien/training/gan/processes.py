"""One process, or several started by torch's own launcher: `torchrun --nproc_per_node=N -m mien ...`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import torch
from torch import Tensor, distributed

from mien.core.device import DeviceChoice, resolve_device
from mien.core.errors import InputError

PATIENCE: Final = timedelta(hours=4)
"""The others wait while the first process measures."""


@dataclass(frozen=True)
class Processes:
    """This process among all."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes files."""
        return self.rank == 0

    def chunks(self, total: int) -> range:
        """Chunks of the batch that this process works on. InputError if they cannot be shared equally."""
        if total % self.count:
            raise InputError(
                f"{total} chunks of a batch cannot be shared by {self.count} processes; expected a batch "
                "that is a multiple of chunk size times processes. Change --batch or the number of processes."
            )
        share = total // self.count
        return range(self.rank * share, (self.rank + 1) * share)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([t.flatten() for t in tensors])
        distributed.all_reduce(flat)
        for tensor, summed in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: DeviceChoice = "auto") -> Iterator[tuple[Processes, torch.device]]:
    """Join the launcher's group, if there is one (gloo on CPUs, nccl on GPUs), and choose the device."""
    place = resolve_device(device)
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Processes(), place
        return
    if not distributed.is_torchelastic_launched():
        raise InputError(
            "WORLD_SIZE is set, but this process was not started by torch's launcher; start several with "
            "`torchrun --nproc_per_node=N -m mien ...`, or unset WORLD_SIZE."
        )
    if place.type == "cuda":
        place = _own_gpu(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size()), place
    finally:
        distributed.destroy_process_group()


def _own_gpu(number: int) -> torch.device:
    """One GPU for each process of this machine."""
    if number >= torch.cuda.device_count():
        raise InputError(
            f"There are {torch.cuda.device_count()} GPUs for at least {number + 1} processes; expected one "
            "each. Start fewer with --nproc_per_node, or use --device cpu."
        )
    place = torch.device("cuda", number)
    torch.cuda.set_device(place)
    return place
