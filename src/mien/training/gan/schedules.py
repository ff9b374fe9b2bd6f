"""What changes over training: pure functions of the number of real images seen (Chan et al. 2022, suppl.)."""


def faded(images: int, *, first: float, last: float, over_kimg: float) -> float:
    """Linear from `first` at the start to `last` after `over_kimg` thousand images, `last` from then on."""
    part = 1.0 if over_kimg <= 0 else min(max(images / (over_kimg * 1000), 0.0), 1.0)
    return first + (last - first) * part


def swap_probability(images: int, *, last: float, over_kimg: float) -> float:
    """How often the generator is conditioned on another camera than the rendered one: from 1 to `last`."""
    return faded(images, first=1.0, last=last, over_kimg=over_kimg)


def neural_resolution(images: int, *, first: int, last: int, from_kimg: float, over_kimg: float) -> int:
    """Side of the volume-rendered image: `first` until `from_kimg`, then growing to `last`."""
    seen = images - round(from_kimg * 1000)
    return round(faded(seen, first=float(first), last=float(last), over_kimg=over_kimg))


def blur_deviation(images: int, *, first_px: float, over_kimg: float) -> float:
    """Deviation of the blur of what the discriminator sees, in pixels: from `first_px` to none."""
    return faded(images, first=first_px, last=0.0, over_kimg=over_kimg)


def ema_share(images: int, *, batch: int, half_life_kimg: float, ramp_up: float | None) -> float:
    """Share of the old average that is kept in a step.

    The half-life is `half_life_kimg` thousand images, but at most `ramp_up` times the images seen so far, so
    that the bad start is soon forgotten (Karras et al. 2020, NeurIPS).
    """
    half_life = half_life_kimg * 1000
    if ramp_up is not None:
        half_life = min(half_life, images * ramp_up)
    return 0.5 ** (batch / max(half_life, 1e-8))
