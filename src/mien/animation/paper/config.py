"""How much work paper mode does: the paper's own schedule, and a short one."""

from dataclasses import dataclass, field
from typing import Final, Literal

from mien.inversion.eg3d.cost import CostConfig
from mien.inversion.eg3d.descent import DescentConfig

PresetName = Literal["fast", "paper"]
Start = Literal["mean", "avatar"]


@dataclass(frozen=True)
class PaperConfig:
    """Steps, weights and masks. Steps of descent are for EG3D models; in mien-base W is linear and found by a
    least-squares solve per key frame, and the tuning by rounds of back-projection."""

    keys: int | None = 12
    """Frames that are inverted and tuned to, as different as can be; None is every frame."""
    start: Start = "avatar"
    """First latent: the avatar's own, with its tuning, or the mean of W and an untuned generator."""
    first_steps: int = 10
    """Of the first key frame."""
    frame_steps: int = 8
    """Of each further one, from the one before."""
    tuning_steps: int = 96
    """Of the one tuning over all key frames."""
    rate: float = 0.025
    """Peak rate in W; rises over 5 % of the steps, falls over the last 25 %."""
    tuning_rate: float = 1e-3
    noise: float = 0.0
    """First noise on the first w, in deviations of W, until 75 % of its steps."""
    joint: bool = True
    """Smooth all latents together over time; else each only starts from the one before."""
    smooth_s: float = 0.4
    """Time in which a latent may move by its usual spread, for joint smoothing."""
    rounds: int = 2
    """Of back-projection over all key frames."""
    ridge: float = 3.0
    """Weight of the prior in the linear solve, as in the inversion of a photo."""
    effective_pixels: float = 400.0
    """Pixels are correlated: those of a frame together count as this many."""
    mouth_grow: float = 0.0
    """How far beyond its opening the mouth is the latent's own, as a share of the face's width."""
    keeps_seen_mouth: bool = True
    """Teeth that the photo shows are the photo's."""
    detail: bool = True
    """Carry along what the photo shows beyond the tuned generator's picture."""
    side_px: int = 64
    """EG3D: side of the rendered pictures that are compared."""
    samples: tuple[int, int] = (24, 24)
    """EG3D: samples along rays, coarse and fine."""
    weights: bool = False
    """EG3D: tune all weights, as the paper; else a residual of the planes."""
    cost: CostConfig = field(default_factory=CostConfig)

    def descent(self, steps: int, rate: float) -> DescentConfig:
        """The paper's ramps."""
        return DescentConfig(steps, rate, ramp_up=0.05, ramp_down=0.25)


FAST: Final = PaperConfig()
PAPER: Final = PaperConfig(
    keys=None, start="mean", first_steps=2000, frame_steps=100, tuning_steps=2000, noise=0.05, joint=False,
    rounds=2, mouth_grow=0.07, keeps_seen_mouth=False, detail=False, side_px=128, samples=(48, 48),
    weights=True,
)  # fmt: skip
"""As Lin et al. 2022: the hole of the mouth grown by 16 px of a crop of 512."""
PRESETS: Final[dict[PresetName, PaperConfig]] = {"fast": FAST, "paper": PAPER}


@dataclass
class Passes:
    """Evaluations of the generator, forwards or both ways; what the paper's schedule counts."""

    latent: int = 0
    tuning: int = 0
    mouth: int = 0
    """Renders of latents whose mouth fills the targets."""
    frames: int = 0
    """Final renders; not among the paper's count."""

    @property
    def inversion(self) -> int:
        """All but the final renders."""
        return self.latent + self.tuning + self.mouth


def paper_schedule(frames: int) -> int:
    """Passes of the authors' code for a clip: 2000 + 100 per further frame + 2000."""
    return PAPER.first_steps + PAPER.frame_steps * (frames - 1) + PAPER.tuning_steps


def described(passes: Passes, keys: int, frames: int) -> str:
    """The passes of a clip, in a line."""
    return (
        f"{keys} key frames of {frames}, {passes.inversion} passes of the generator (W {passes.latent}, "
        f"tuning {passes.tuning}, mouth {passes.mouth}; the paper's schedule takes {paper_schedule(frames)})"
    )
