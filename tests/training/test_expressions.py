from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from mien.core.arkit import ARKIT_INDEX
from mien.generator.backbones.blocks import BlocksBackbone, BlocksConfig, wrinkle_zone
from mien.training.expressions import ExpressionConfig, actions, build_expressions, fit_expressions

SIZE = 64
BACKBONE = BlocksConfig(
    appearance=2,
    hair=2,
    clothes=2,
    expression_codes=3,
    mean_size=SIZE,
    basis_size=32,
    height_bins=8,
    side_size=16,
)


def known_changes(folder: Path) -> tuple[list[Path], torch.Tensor]:
    """Twelve people whose colours change linearly, by three patterns, and a little at random."""
    random = np.random.default_rng(0)
    rows, columns = wrinkle_zone(SIZE)
    shape = (3, rows.stop - rows.start, columns.stop - columns.start)
    patterns = random.normal(size=(3, *shape))
    patterns = patterns + patterns[..., ::-1]  # a face's own mirror image
    actions_of = [[ARKIT_INDEX[n] for n in names] for names in (
        ("browInnerUp",), ("jawOpen",), ("mouthSmileLeft", "mouthSmileRight"),
    )]  # fmt: skip
    slope = np.zeros((52, *shape))
    for index, pattern in zip(actions_of, patterns, strict=True):
        slope[index] = pattern / len(index)
    paths = []
    for k in range(12):
        e = np.zeros((6, 52), np.float32)
        for index in actions_of:
            e[:, index] = random.uniform(0, 1, (6, 1))
        change = np.tensordot(e, slope, 1) + 0.05 * random.normal(size=(6, *shape))
        paths.append(folder / f"{k}.safetensors")
        save_file({"expression": e, "change": change.astype(np.float16)}, paths[-1])
    return paths, torch.from_numpy(slope).float()


def test_planes_change_as_faces_do(tmp_path: Path) -> None:
    paths, slope = known_changes(tmp_path)
    backbone = BlocksBackbone(BACKBONE).requires_grad_(False)
    report = fit_expressions(backbone, paths, 0.5)
    assert report.explained > 0.95
    assert report.most >= report.explained - 1e-3
    e = torch.zeros(2, 52)
    e[1, [ARKIT_INDEX["browInnerUp"], ARKIT_INDEX["jawOpen"]]] = torch.tensor([1.0, 0.5])
    rest, moved = backbone.planes(torch.zeros(2, BACKBONE.latent), e).uv
    rows, columns = wrinkle_zone(SIZE)
    true = torch.tensordot(e[1], slope, 1)
    found = (moved - rest)[:3, rows, columns]
    assert (found - true).square().mean() < 0.05 * true.square().mean()
    outside = (moved - rest).clone()
    outside[:3, rows, columns] = 0
    assert outside.abs().max() == 0


def test_actions_are_whole() -> None:
    index = [k for group in actions() for k in group]
    assert len(index) == len(set(index))
    assert [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]] in actions()
    assert ARKIT_INDEX["eyeLookUpLeft"] not in index


def test_painted_expressions(tmp_path: Path) -> None:
    config = ExpressionConfig(people=1, each=2, size=SIZE, seed=2)
    (path,) = build_expressions(tmp_path, config)
    first, bytes_ = load_file(path), path.read_bytes()
    rows, columns = wrinkle_zone(SIZE)
    assert first["change"].shape == (2, 3, rows.stop - rows.start, columns.stop - columns.start)
    assert 1e-3 < float(np.abs(first["change"].astype(np.float32)).mean()) < 0.5
    assert (np.abs(first["expression"]).max(1) > 0.05).all()
    stamp = path.stat().st_mtime_ns
    assert build_expressions(tmp_path, config) == [path]
    assert path.stat().st_mtime_ns == stamp  # what is there stays
    path.unlink()
    build_expressions(tmp_path, config)
    assert path.read_bytes() == bytes_
