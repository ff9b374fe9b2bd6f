"""The still background behind the person: a plausible guess, made once per photo.

Only what comes free around a moving head is ever seen, so the picture must go on from the visible background
and carry its texture; far behind the person it may be vague.
"""

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from mien.tracking._patches import PatchConfig, PatchFiller
from mien.tracking._types import Alpha, Mask, OtherMask, OtherPicture, Picture, Rgb

VISIBLE_ALPHA = 0.02
"""From here on a pixel shows something of the person."""
BLUR = 0.04
"""Width of the blur that parts the background's low frequencies from its texture, in longer sides."""

BORDER: Final = 0.02
"""Width of the picture's border where nothing of the background is seen, in longer sides."""


@dataclass(frozen=True)
class InpaintConfig:
    """Sizes are shares of the picture's longer side unless they say pixels."""

    margin: float = 0.022
    """The person is widened by this much first, so that no person-coloured rim is spread."""
    margin_plain: float = 0.045
    """The same before a plain background."""
    plain: tuple[float, float] = (0.012, 0.035)
    """Texture of the visible background (RMS of its detail, colours in [0, 1]): below the first it counts as
    plain and is filled smoothly, above the second with patches, between them with a mixture."""
    working_px: int = 256
    """Longest side at which patches are searched and voted on."""
    coarsest_px: int = 32
    """The pyramid starts at most at this size."""
    sweeps: tuple[int, ...] = (2, 3, 5, 8)
    """Search and vote rounds per level, finest first; the last entry serves all coarser levels."""
    patches: PatchConfig = field(default_factory=PatchConfig)
    """How patches are compared and searched."""
    seed: int = 0
    """Of the random search and of the grain."""


def inpaint_background(rgb: Rgb, alpha: Alpha, *, config: InpaintConfig | None = None) -> Rgb:
    """The photo with the person of `alpha` replaced by what could be behind.

    Pixels outside the somewhat widened person stay as they are. A plain background is continued smoothly,
    with its grain; a textured one with patches of itself. If nothing of the background can be seen, what
    is at the picture's border is continued, blurred: a wall of another colour would be more surprising.
    """
    config = config or InpaintConfig()
    if not (alpha > VISIBLE_ALPHA).any():
        return rgb.copy()
    hidden = _widened(alpha, config.margin)
    if hidden.all():
        return _from_border(rgb, config.working_px)
    small, small_hidden = _shrink(rgb, hidden, config.working_px)
    plainness = _plainness(small, small_hidden, config)
    if plainness > 0:  # stray hair shows before a plain wall, and widening costs nothing there
        wider = _widened(alpha, config.margin + plainness * (config.margin_plain - config.margin))
        if not wider.all():
            hidden = wider
            small, small_hidden = _shrink(rgb, hidden, config.working_px)
    fill = _enlarge(_smooth_background(small, small_hidden), rgb.shape) * 255 + _grain(
        rgb, hidden, config.seed
    )
    if plainness < 1:
        textured = _carry_detail(rgb, hidden, *_fill_with_patches(small, small_hidden, config))
        fill = textured + np.float32(plainness) * (fill - textured)
    share = _share_of_fill(hidden, alpha, ramp=0.008 + 0.012 * plainness)[..., None]
    return np.round(rgb + share * (fill - rgb)).clip(0, 255).astype(np.uint8)


def _from_border(rgb: Rgb, working_px: int) -> Rgb:
    """The colours of a picture's border, spread over it."""
    hidden = np.zeros(rgb.shape[:2], bool)
    rim = max(round(BORDER * max(rgb.shape)), 1)
    hidden[rim:-rim, rim:-rim] = True
    small, small_hidden = _shrink(rgb, hidden, working_px)
    smooth = smooth_fill(small, small_hidden)
    smooth = cv2.GaussianBlur(smooth, (0, 0), BLUR * max(small_hidden.shape))
    return np.round(_enlarge(smooth, rgb.shape) * 255).clip(0, 255).astype(np.uint8)


def _widened(alpha: Alpha, margin: float) -> Mask:
    radius_px = max(margin * max(alpha.shape), 2.0)
    distance_px = cv2.distanceTransform((alpha <= VISIBLE_ALPHA).astype(np.uint8), cv2.DIST_L2, 5)
    return distance_px <= radius_px


def _share_of_fill(hidden: Mask, alpha: Alpha, *, ramp: float) -> Alpha:
    """0 outside the widened person, 1 deeper in its margin and wherever the person is, soft between."""
    depth_px = cv2.distanceTransform(hidden.astype(np.uint8), cv2.DIST_L2, 3)
    ramp_px = max(ramp * max(hidden.shape), 1.0)
    share = np.clip(depth_px / ramp_px, 0, 1)
    return np.where(alpha > VISIBLE_ALPHA, 1, share).astype(np.float32)


def _shrink(rgb: Rgb, hidden: Mask, longest_px: int) -> tuple[OtherPicture, OtherMask]:
    """The visible pixels averaged to the working size, and which small pixels see little of them."""
    scale = min(1.0, longest_px / max(hidden.shape))
    picture = rgb.astype(np.float32) / 255
    if scale == 1:
        return picture, hidden
    size = (max(round(hidden.shape[1] * scale), 1), max(round(hidden.shape[0] * scale), 1))
    return _smaller(picture, hidden, size)


def _smaller(picture: Picture, hidden: Mask, size: tuple[int, int]) -> tuple[OtherPicture, OtherMask]:
    """A smaller copy in which only visible pixels count."""
    seen = (~hidden).astype(np.float32)
    weight = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(picture * seen[..., None], size, interpolation=cv2.INTER_AREA)
    return mean / np.maximum(weight, 1e-6)[..., None], weight < 0.5


def _blurred_background(picture: Picture, hidden: Mask) -> Picture:
    """The visible background's low frequencies, also a little way into the hole."""
    seen = (~hidden).astype(np.float32)
    sigma = BLUR * max(hidden.shape)
    weight = np.maximum(cv2.GaussianBlur(seen, (0, 0), sigma), 1e-6)[..., None]
    return cv2.GaussianBlur(picture * seen[..., None], (0, 0), sigma) / weight


def _plainness(picture: Picture, hidden: Mask, config: InpaintConfig) -> float:
    """1 for a plain visible background, 0 for a textured one."""
    if hidden.all():
        return 1.0
    detail = (picture - _blurred_background(picture, hidden))[~hidden]
    texture = float(np.sqrt(np.mean(np.square(detail))))
    plain, textured = config.plain
    return float(np.clip((textured - texture) / (textured - plain), 0, 1))


def _smooth_background(picture: Picture, hidden: Mask) -> Picture:
    """The hole filled with the background's low frequencies; the picture itself around it."""
    if hidden.all() or not hidden.any():
        return picture
    smooth = smooth_fill(_blurred_background(picture, hidden), hidden)
    smooth = cv2.GaussianBlur(smooth, (0, 0), BLUR * max(hidden.shape))
    return np.where(hidden[..., None], smooth, picture).astype(np.float32)


def _grain(rgb: Rgb, hidden: Mask, seed: int) -> Picture:
    """Noise as strong as the visible background's, in 0..255; a robust estimate, so that edges do not
    count."""
    step = max(max(hidden.shape) // 1024, 1)
    image = rgb[::step, ::step].astype(np.float32)
    fine = np.abs(image - cv2.GaussianBlur(image, (0, 0), 1.0))[~hidden[::step, ::step]]
    strength = 1.48 * float(np.median(fine)) if fine.size else 0.0
    noise = np.random.default_rng(seed).standard_normal(hidden.shape, dtype=np.float32)
    return np.repeat((np.float32(strength) * noise)[..., None], 3, axis=2)


def _fill_with_patches(
    picture: Picture, hidden: Mask, config: InpaintConfig
) -> tuple[Picture, np.ndarray | None]:
    """Coarse to fine; returns the picture and, per pixel, the row and column its best patch comes from."""
    if hidden.all() or not hidden.any():
        return picture, None
    pyramid = [(picture, hidden)]
    while max(pyramid[-1][1].shape) > config.coarsest_px and min(pyramid[-1][1].shape) >= 16:
        finer, finer_hidden = pyramid[-1]
        size = ((finer_hidden.shape[1] + 1) // 2, (finer_hidden.shape[0] + 1) // 2)
        pyramid.append(_smaller(finer, finer_hidden, size))
    random = np.random.default_rng(config.seed)
    matches: np.ndarray | None = None
    current: Picture | None = None
    for level in range(len(pyramid) - 1, -1, -1):
        known, level_hidden = pyramid[level]
        guess = smooth_fill(known, level_hidden) if current is None else _enlarge(current, known.shape)
        current = np.where(level_hidden[..., None], guess, known).astype(np.float32)
        filler = PatchFiller(current, level_hidden, config=config.patches, random=random)
        if not filler.possible:
            continue
        filler.start(matches)
        for _ in range(config.sweeps[min(level, len(config.sweeps) - 1)]):
            filler.sweep(propagate=(4, 1) if matches is None else (1,))
            filler.vote()
        current, matches = filler.picture, filler.matches()
    assert current is not None  # there is at least one level
    return current, matches


def smooth_fill(picture: Picture, hidden: Mask) -> Picture:
    """The hole filled from its rim by averaging up a pyramid and coming down again (push and pull)."""
    weight = (~hidden).astype(np.float32)
    if min(hidden.shape) <= 2 or not hidden.any():
        mean = (picture * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        return np.where(hidden[..., None], mean, picture).astype(np.float32)
    size = ((hidden.shape[1] + 1) // 2, (hidden.shape[0] + 1) // 2)
    blurred_weight = cv2.GaussianBlur(weight, (5, 5), 1.2)
    blurred = cv2.GaussianBlur(picture * weight[..., None], (5, 5), 1.2)
    small_weight = cv2.resize(blurred_weight, size, interpolation=cv2.INTER_AREA)
    small = (
        cv2.resize(blurred, size, interpolation=cv2.INTER_AREA) / np.maximum(small_weight, 1e-6)[..., None]
    )
    coarse = smooth_fill(small, small_weight < 1e-3)
    return np.where(hidden[..., None], _enlarge(coarse, picture.shape), picture).astype(np.float32)


def _enlarge(picture: Picture, shape: tuple[int, ...]) -> OtherPicture:
    return cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _carry_detail(rgb: Rgb, hidden: Mask, filled: OtherPicture, matches: np.ndarray | None) -> Picture:
    """The fill at the photo's resolution, in 0..255: the small fill enlarged, plus the fine detail of the
    places that its patches come from."""
    base = _enlarge(filled, rgb.shape) * 255
    if matches is None or filled.shape == rgb.shape:
        return base
    height, width = hidden.shape
    visible = np.where(hidden[..., None], base, rgb).astype(np.float32)
    sigma = 0.6 * max(height / filled.shape[0], 1)
    detail = visible - cv2.GaussianBlur(visible, (0, 0), sigma)
    ratio_y, ratio_x = height / matches.shape[0], width / matches.shape[1]
    own = np.moveaxis(np.indices(matches.shape[:2]), 0, -1)
    offset = (matches - own).astype(np.float32)
    far = cv2.resize(offset, (width, height), interpolation=cv2.INTER_NEAREST)
    map_y = np.arange(height, dtype=np.float32)[:, None] + far[..., 0] * np.float32(ratio_y)
    map_x = np.arange(width, dtype=np.float32)[None] + far[..., 1] * np.float32(ratio_x)
    fetched = cv2.remap(detail, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    return base + fetched
