"""Everything that makes one EG3D generator differ from another."""

from dataclasses import dataclass, field
from typing import Any, Final

from mien.core.camera import ORBIT_RADIUS
from mien.core.errors import CheckpointError
from mien.generator.backbones import BoxBackboneConfig, StyleGan2Config
from mien.generator.eg3d.decoder import OsgDecoderConfig
from mien.generator.eg3d.official import parts_from_official
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import SUPERRES, Hybrid8XDCConfig, SuperResConfig
from mien.generator.eg3d.superres.base import FEATURES, W_DIM
from mien.generator.eg3d.training import TrainingRecord

LABEL_DIM: Final = 25


@dataclass(frozen=True)
class Eg3dConfig:
    """Sizes and options; the defaults are those of the published FFHQ checkpoint of 512 px."""

    backbone: BoxBackboneConfig = field(default_factory=StyleGan2Config)
    decoder: OsgDecoderConfig = field(default_factory=OsgDecoderConfig)
    rendering: RenderingConfig = field(default_factory=RenderingConfig)
    superres: SuperResConfig = field(default_factory=Hybrid8XDCConfig)
    neural_resolution: int = 128
    """Side of the volume-rendered image, unless another is asked for."""
    c_scale: float = 1.0
    """The mapping network's label is multiplied by this."""
    zero_conditioning: bool = False
    """The mapping network sees no camera: its label is all zeros."""
    camera_pivot: tuple[float, float, float] = (0.0, 0.0, 0.2)
    """Point that cameras look at (EG3D units)."""
    camera_radius: float = ORBIT_RADIUS
    training: TrainingRecord = field(default_factory=TrainingRecord)

    @property
    def image_px(self) -> int:
        """Side of the final image."""
        return SUPERRES[type(self.superres)].output_px

    @classmethod
    def from_official(
        cls, class_name: str, init_kwargs: dict[str, Any], attributes: dict[str, Any]
    ) -> "Eg3dConfig":
        """From what a published checkpoint says of itself.

        `class_name` with or without its module; `init_kwargs` are the constructor's arguments; `attributes`
        may have `neural_rendering_resolution`, `rendering_kwargs` (which then replace the constructor's) and
        `plane_axes` ("official", "corrected" or three 3 x 3 matrices). Raises CheckpointError with the name
        of anything unknown or impossible.
        """
        return checked(cls(**parts_from_official(class_name, init_kwargs, attributes)))


def checked(config: Eg3dConfig) -> Eg3dConfig:
    """The config itself; CheckpointError if no generator can be built from it."""
    _check_network(config)
    _check_rendering(config)
    return config


def _check_network(config: Eg3dConfig) -> None:
    backbone, mapping = config.backbone, config.backbone.mapping
    _require(backbone.resolution in (4 << k for k in range(9)), "plane resolution", backbone.resolution,
             "a power of two from 4 to 1024")  # fmt: skip
    _require(mapping.label_dim == LABEL_DIM, "label size", mapping.label_dim, f"{LABEL_DIM}, a camera")
    _require(mapping.w_dim == W_DIM, "w size", mapping.w_dim, f"{W_DIM}, for super-resolution")
    _require(1 <= mapping.z_dim <= 8192, "z size", mapping.z_dim, "1 to 8192")
    _require(1 <= mapping.layers <= 64, "number of mapping layers", mapping.layers, "1 to 64")
    _require(mapping.lr_multiplier > 0, "mapping lr multiplier", mapping.lr_multiplier, "above 0")
    _require(1 <= backbone.plane_channels <= 8192, "plane channels", backbone.plane_channels, "1 to 8192")
    largest = 1 << 20
    _require(backbone.resolution <= backbone.channel_base <= largest, "channel base", backbone.channel_base,
             f"the plane resolution to {largest}")  # fmt: skip
    _require(
        1 <= backbone.channel_max <= 8192, "largest number of channels", backbone.channel_max, "1 to 8192"
    )
    for what, clamp in (("backbone's", backbone.clamp), ("super-resolution's", config.superres.clamp)):
        _require(clamp is None or clamp > 0, f"{what} clamp", clamp, "above 0, or none")
    decoder = config.decoder
    sizes = (decoder.inputs, decoder.outputs)
    _require(sizes == (backbone.plane_channels, FEATURES), "decoder's size", sizes,
             f"({backbone.plane_channels}, {FEATURES})")  # fmt: skip
    _require(1 <= decoder.hidden <= 8192, "decoder's hidden size", decoder.hidden, "1 to 8192")
    _require(decoder.lr_multiplier > 0, "decoder lr multiplier", decoder.lr_multiplier, "above 0")


def _check_rendering(config: Eg3dConfig) -> None:
    r = config.rendering
    if r.near is not None and r.far is not None:
        _require(0 < r.near < r.far < 1e4, "ray range", (r.near, r.far), "0 < near < far")
    else:
        both = r.near is r.far is None
        _require(both, "ray range", (r.near, r.far), "two distances, or automatic for both")
        _require(
            not r.in_disparity, "spacing of samples", "by disparity", "even, with an automatic ray range"
        )
    _require(0 < r.box_side < 1e4, "box side", r.box_side, "above 0")
    _require(4 <= r.coarse <= 4096, "number of coarse samples", r.coarse, "4 to 4096")
    _require(0 <= r.fine <= 4096, "number of fine samples", r.fine, "0 to 4096")
    _require(0 <= r.density_noise < 1e4, "density noise", r.density_noise, "0 or more")
    _require(
        2 <= config.neural_resolution <= 1024, "neural resolution", config.neural_resolution, "2 to 1024"
    )
    _require(config.camera_radius > 0, "camera radius", config.camera_radius, "above 0")


def _require(fine: bool, what: str, found: object, expected: str) -> None:
    if not fine:
        raise CheckpointError(
            f"The EG3D generator's {what} is {found}; expected {expected}. "
            "The file is damaged, or of a model that mien does not know."
        )
