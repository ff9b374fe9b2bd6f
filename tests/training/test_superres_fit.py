import torch
from torch.nn import functional as F

from mien.generator.superres import SuperResolution, SuperResolutionConfig
from mien.training.superres_fit import Pairs, SuperResolutionFitConfig, fit_superres


def test_superres_learns_to_sharpen() -> None:
    """Discs with hard edges, seen small: the learned picture is nearer to the truth than the bilinear one."""
    random = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    large = []
    for _ in range(8):
        cx, cy = 20 + 24 * torch.rand(2, generator=random)
        alpha = ((x - cx) ** 2 + (y - cy) ** 2 < 225).float()
        colour = torch.rand(3, 1, 1, generator=random)
        large.append(torch.cat([colour * alpha, alpha[None]]))
    big = torch.stack(large)
    small = F.avg_pool2d(big, 2)
    torch.manual_seed(0)
    config = SuperResolutionFitConfig(check_pairs=2, patch_px=16, batch=2, steps=80, lr=8e-3)
    report = fit_superres(SuperResolution(SuperResolutionConfig(8)), Pairs(small, big), config)
    assert report.learned < 0.8 * report.bilinear
