"""Rendered heads as photos: before random backgrounds, scaled, turned, recoloured, blurred, packed."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class PictureConfig:
    """How far a picture is from the clean render."""

    size_px: int = 320
    scale: tuple[float, float] = (0.75, 1.7)
    """Canvas pixels per pixel of a view of 256 px, log-uniform."""
    roll_deg: float = 10.0
    """Standard deviation."""
    shift: float = 0.07
    """Standard deviation, as a share of the canvas."""
    blur_px: float = 1.2
    noise: float = 0.03
    quality: tuple[int, int] = (35, 95)
    """Of JPEG."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture made of a view."""

    rgb: UInt8[np.ndarray, "height width 3"]
    to_view: Float[np.ndarray, "2 3"]
    """From the picture's pixels to those of the view: a similarity."""
    roll_rad: float
    """How far the head was turned in the picture, counter-clockwise as seen."""


def draw_picture(
    rgb: UInt8[np.ndarray, "side side 3"],
    alpha: UInt8[np.ndarray, "side side"],
    rng: np.random.Generator,
    config: PictureConfig | None = None,
) -> Picture:
    """A view (colours premultiplied) as a random photo."""
    config = config or PictureConfig()
    side, size = len(rgb), config.size_px
    scale = np.exp(rng.uniform(*np.log(config.scale))) * 256 / side
    roll = float(np.radians(np.clip(rng.normal(0, config.roll_deg), -30, 30)))
    centre = size * (0.5 + np.clip(rng.normal(0, config.shift, 2), -0.15, 0.15))
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    A = np.array([[cos, sin], [-sin, cos]])  # y points down
    forward = np.concatenate([A, (centre - A @ [side / 2, side / 2])[:, None]], 1)
    rgba = cv2.warpAffine(
        np.dstack([rgb, alpha]), _between_centres(forward), (size, size),
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    ).astype(np.float32) / 255  # fmt: skip
    image = rgba[..., :3] + (1 - rgba[..., 3:]) * draw_background(size, rng)
    return Picture(_as_photographed(image, rng, config), cv2.invertAffineTransform(forward), roll)


def draw_background(size: int, rng: np.random.Generator) -> Float[np.ndarray, "size size 3"]:
    """One colour, a gradient, smooth noise or clutter, in [0, 1]."""
    colour = rng.uniform(0, 1, 3) * 0.5 + rng.uniform(0, 0.5)
    image = np.broadcast_to(colour, (size, size, 3)).astype(np.float32).copy()
    kind = rng.integers(4)
    if kind == 1:
        along = rng.normal(0, 1, 2)
        y, x = np.mgrid[:size, :size] / size - 0.5
        image += (x * along[0] + y * along[1])[..., None] * rng.normal(0, 0.4, 3)
    if kind == 2:
        cells = int(rng.integers(3, 24))
        noise = rng.normal(0, 0.25, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    if kind == 3:
        for _ in range(int(rng.integers(4, 24))):
            a, b = (rng.uniform(-0.1, 1.1, 2) * size for _ in range(2))
            paint = tuple(float(c) for c in rng.uniform(0, 1, 3))
            if rng.uniform() < 0.5:
                cv2.rectangle(image, a.astype(int).tolist(), b.astype(int).tolist(), paint, -1)
            else:
                axes = (rng.uniform(0.02, 0.25, 2) * size).astype(int).tolist()
                cv2.ellipse(image, a.astype(int).tolist(), axes, rng.uniform(0, 180), 0, 360, paint, -1)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 6)), np.float32)
    return np.clip(image, 0, 1).astype(np.float32)


def _as_photographed(image: np.ndarray, rng: np.random.Generator, config: PictureConfig) -> np.ndarray:
    """White balance, contrast, curve, a share of grey, blur, noise, JPEG."""
    image = np.clip(image * np.exp(rng.normal(0, 0.15, 3)), 0, 1) ** np.exp(rng.normal(0, 0.25))
    image = (image - 0.5) * rng.uniform(0.7, 1.25) + 0.5 + rng.normal(0, 0.05)
    if rng.uniform() < 0.15:
        image = np.broadcast_to(image.mean(-1, keepdims=True), image.shape)
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.2 + rng.uniform(0, config.blur_px))
    noisy = image + rng.normal(0, rng.uniform(0, config.noise), image.shape)
    pixels = np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
    packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*config.quality))])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))


def _between_centres(similarity: np.ndarray) -> np.ndarray:
    """The map for pixel coordinates whose origin is the first pixel's centre, not its corner."""
    return np.concatenate(
        [similarity[:, :2], similarity[:, :2] @ [[0.5], [0.5]] + similarity[:, 2:] - 0.5], axis=1
    )
