from pathlib import Path

import numpy as np
import torch

from mien.generator.backbones.blocks import BlocksConfig
from mien.morphable.model import load_head_model
from mien.training.basis import chart_harmonics, codes_of, generator_config, load_maps, start_generator
from mien.training.procedural.shards import read_shard

CONFIG = generator_config(
    BlocksConfig(appearance=4, hair=4, clothes=2, expression_codes=2, mean_size=128, basis_size=64)
)


def test_the_basis_holds_its_heads(shard_files: list[Path]) -> None:
    generator, start = start_generator(shard_files, load_head_model(), CONFIG)
    planes = generator.planes(start.codes, torch.zeros(5, 52)).uv
    small = torch.nn.functional.avg_pool2d(planes[:, :3], 2)
    maps = load_maps(shard_files, 64)
    error = (torch.sigmoid(small) - maps.body).abs().mean()
    alone = (maps.body.mean(0) - maps.body).abs().mean()
    assert error < 0.35 * alone


def test_codes_are_found_from_maps(shard_files: list[Path]) -> None:
    generator, start = start_generator(shard_files, load_head_model(), CONFIG)
    spread, average = start.codes.std(0).clamp(min=1e-3), start.codes.mean(0)
    maps = load_maps(shard_files[:2], 64)
    found = codes_of(generator, maps, spread, average)
    zero = torch.zeros(2, 52)
    near, true = (generator.planes(w, zero).uv[:, :3] for w in (found, start.codes[:2]))
    far = generator.planes(average.expand(2, -1), zero).uv[:, :3]
    assert (near - true).abs().mean() < 0.3 * (far - true).abs().mean()


def test_harmonics_are_those_of_the_front(shard_files: list[Path]) -> None:
    """Harmonic (1, 0) is largest at the nose and least at the back."""
    del shard_files
    body, hair = chart_harmonics(load_head_model(), 64).numpy()
    z = 0.48860251
    row = 40
    for image in (body, hair):
        assert image[2, row, 32] > 0.8 * z
        assert min(image[2, row, 0], image[2, row, -1]) < -0.8 * z
        np.testing.assert_allclose(image[0][row], 0.28209479, rtol=1e-4)


def test_maps_are_those_of_the_files(shard_files: list[Path]) -> None:
    maps = load_maps(shard_files[:1], 32)
    body = read_shard(shard_files[0]).arrays["body"].astype(np.float32) / 255
    np.testing.assert_allclose(
        maps.body[0].permute(1, 2, 0).numpy().mean((0, 1)), body.mean((0, 1)), atol=2e-3
    )
    assert maps.height.shape == (1, 1, 32, 32)
