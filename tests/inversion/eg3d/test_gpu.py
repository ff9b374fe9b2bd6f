"""On a GPU, EG3D gives what it gives on the processor; skipped where there is none."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.eg3d.checkpoint import load_eg3d, save_eg3d
from mien.generator.eg3d.fast import EXACT_STEP, FastRenderer, differentiable_render
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.inversion.eg3d.cost import Target
from mien.inversion.eg3d.invert import Eg3dInversionConfig, invert_eg3d
from mien.inversion.eg3d.latent import LatentConfig
from mien.inversion.eg3d.tuning import TuningConfig, Way

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")


@pytest.fixture(scope="module", autouse=True)
def full_floats() -> Iterator[None]:
    """Products of floats as on the processor, not rounded to TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.fixture(scope="module")
def on_gpu(generator: Eg3dGenerator) -> Eg3dGenerator:
    return copy.deepcopy(generator).cuda()


def latent(made: Eg3dGenerator, camera: Camera) -> Tensor:
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(5))
    device = next(made.parameters()).device
    return made.map_w(z.to(device), camera.to_label()[None].to(device))


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * torch.log10((one.cpu() - other.cpu()).square().mean() / 4).item()


def test_the_reference_path(generator: Eg3dGenerator, on_gpu: Eg3dGenerator, camera: Camera) -> None:
    images = []
    for made in (generator, on_gpu):
        w = latent(made, camera)
        with torch.no_grad():
            images.append(made.render(made.planes(w), w, camera).image)
    assert images[1].is_cuda
    assert psnr(*images) > 60


def test_the_fast_path(on_gpu: Eg3dGenerator, camera: Camera) -> None:
    w = latent(on_gpu, camera)
    with torch.no_grad():
        plain = on_gpu.render(on_gpu.planes(w), w, camera)
    fast = FastRenderer.of_latent(on_gpu, w).render(camera)
    assert fast.image.is_cuda
    assert psnr(plain.image_raw, fast.image_raw) > 35
    assert psnr(plain.image, fast.image) > 35


def test_gradients(generator: Eg3dGenerator, on_gpu: Eg3dGenerator, camera: Camera) -> None:
    found = []
    for made in (generator, on_gpu):
        w = latent(made, camera).requires_grad_()
        differentiable_render(made, w, camera, config=EXACT_STEP).image.square().mean().backward()
        assert w.grad is not None
        found.append(w.grad.cpu())
    assert torch.cosine_similarity(found[0], found[1]).item() > 0.99


@pytest.mark.parametrize("way", ["planes", "weights"])
def test_an_inversion(
    way: Way, generator: Eg3dGenerator, on_gpu: Eg3dGenerator, person: Target, camera: Camera
) -> None:
    config = Eg3dInversionConfig(
        LatentConfig(steps=30, rate=0.05, samples=(8, 8), mean_of=100),
        TuningConfig(way=way, steps=8, whole=1, side_px=32, samples=(8, 8)),
    )
    errors = [invert_eg3d(person, camera, made, config=config).error for made in (generator, on_gpu)]
    assert errors[1] == pytest.approx(errors[0], rel=0.1)


def test_files_are_read_onto_it(generator: Eg3dGenerator, tmp_path: Path) -> None:
    save_eg3d(tmp_path / "model.safetensors", generator)
    loaded = load_eg3d(tmp_path / "model.safetensors", device="cuda")
    assert all(p.is_cuda for p in loaded.parameters())
