"""Facts about avatars in words."""

from jaxtyping import Float
from torch import Tensor

from mien.core.arkit import ARKIT_NAMES
from mien.morphable.crop import CropRegion


def strongest(expression: Float[Tensor, "52"], count: int = 5) -> str:
    """The strongest coefficients by name."""
    strong = sorted(zip(expression.tolist(), ARKIT_NAMES, strict=True), reverse=True)[:count]
    return ", ".join(f"{name} {value:.2f}" for value, name in strong)


def described_crop(crop: CropRegion) -> str:
    """Side and centre."""
    return f"{crop.side_px:.0f} px around ({crop.centre_x_px:.0f}, {crop.centre_y_px:.0f})"
