"""Single modules of the reference: super-resolution, resize, discriminator."""

import json
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mien.evaluation.parity.differences import Difference, difference, normal
from mien.generator.eg3d.superres import OFFICIAL_NAMES, SUPERRES, HybridSuperRes
from mien.training.discriminator import DiscriminatorConfig, DualDiscriminator, r1_penalty, resized

SIDES: Final = (48, 64, 128)
"""Input sizes of the super-resolution modules in the reference."""


def compare_superres(folder: Path, official_name: str, sides: tuple[int, ...] = SIDES) -> list[Difference]:
    """One super-resolution module at some input sizes."""
    reference = np.load(folder / "superres_reference.npz", allow_pickle=False)
    network = _superres(folder, official_name)
    w, step = torch.from_numpy(reference["ws_last"]), network.output_px // 64
    prefix = f"{official_name}_in"
    out = []
    for side in sides:
        features = normal(side, (1, 32, side, side)) * 0.5
        image = network(features[:, :3], features, w)
        spread = torch.stack([image.mean(), image.std()])
        for what, ours in ((f"out_sub{step}", image[..., ::step, ::step]), ("meanstd", spread)):
            name = f"{prefix}{side}_{what}"
            out.append(difference(name, ours, reference[name]))
    return out


def _superres(folder: Path, official_name: str) -> HybridSuperRes:
    """A module with the weights of the reference, which are drawn by their names."""
    data = _json(folder / "superres_config.json")
    entry, kind = data["classes"][official_name], OFFICIAL_NAMES[official_name]
    network = SUPERRES[kind](kind(antialias=entry["kwargs"].get("sr_antialias", False)))
    network.eval().requires_grad_(False)
    state = network.state_dict()
    found, expected = ({name: list(t.shape) for name, t in state.items()}, entry["keys"])
    if found != expected:
        raise ValueError(f"{official_name} has other tensors than the reference.")
    prefix = data["prefix"].replace("<ClassName>", official_name)
    for name, tensor in state.items():
        _fill(tensor, name, f"{prefix}{name}", data["seed"])
    return network


def compare_resize(folder: Path) -> list[Difference]:
    """Antialiased bilinear resize."""
    reference = np.load(folder / "superres_reference.npz", allow_pickle=False)
    out = []
    for source, target, step in ((48, 128, 4), (128, 48, 1)):
        image = resized((normal(source, (1, 32, source, source)) * 0.5)[:, :3], target)[..., ::step, ::step]
        name = f"aa_{source}_to_{target}"
        out.append(difference(name, image, reference[name]))
    return out


def compare_discriminator(folder: Path) -> list[Difference]:
    """Logits of a batch and of its images alone, and the R1 penalty."""
    data = _json(folder / "small_D_config.json")["init_kwargs"]
    network = DualDiscriminator(
        DiscriminatorConfig(
            image_px=data["img_resolution"],
            channel_base=data["channel_base"],
            channel_max=data["channel_max"],
            clamp=float(data["conv_clamp"]),
            group_size=data["epilogue_kwargs"]["mbstd_group_size"],
        )
    )
    network.load_state_dict(load_file(folder / "small_D_state.safetensors"), strict=True)
    network.eval()
    reference = np.load(folder / "small_D_reference.npz", allow_pickle=False)
    label = torch.from_numpy(reference["c"])
    image, raw = ((normal(seed, (4, 3, px, px)) * 0.5).requires_grad_() for seed, px in ((11, 128), (12, 32)))
    logits = network(image, raw, label)
    alone = [network(image[k, None], raw[k, None], label[k, None]) for k in range(4)]
    ours = {
        "logits": logits,
        "logits_batch1": torch.cat(alone),
        "r1_penalty": r1_penalty(logits, [image, raw]),
    }
    return [difference(name, tensor, reference[name]) for name, tensor in ours.items()]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _fill(tensor: Tensor, name: str, key: str, seed: int) -> None:
    """Weights of a module of the reference: one seeded stream per tensor, by its name."""
    random = np.random.RandomState((zlib.crc32(key.encode()) ^ seed) & 0xFFFFFFFF)
    if name.endswith("resample_filter"):
        return
    if name.endswith("noise_strength"):
        values = random.uniform(0.05, 0.15, tuple(tensor.shape))
    else:
        values = random.standard_normal(tuple(tensor.shape))
        if name.endswith("affine.bias"):
            values = 1 + 0.2 * values
        elif name.endswith("bias"):
            values = 0.2 * values
    tensor.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))
