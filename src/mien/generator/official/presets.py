"""What a bare state dict does not say: sizes are read off its shapes, rendering options come from a preset.

Only options that are known for sure are presets. Others (cats, cars, models of one's own) are given one by
one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mien.core.errors import CheckpointError, InputError

Shapes = Mapping[str, tuple[int, ...]]

_FFHQ: Final[dict[str, Any]] = {
    "clamp_mode": "softplus",
    "disparity_space_sampling": False,
    "superresolution_noise_mode": "none",
    "c_gen_conditioning_zero": False,
    "c_scale": 1.0,
    "decoder_lr_mul": 1.0,
    "depth_resolution": 48,
    "depth_resolution_importance": 48,
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1.0,
    "avg_camera_radius": 2.7,
    "avg_camera_pivot": [0.0, 0.0, 0.2],
}
NEURAL_RESOLUTION: Final = "neural_rendering_resolution"


@dataclass(frozen=True)
class Preset:
    """What is to be known beside the tensors."""

    class_name: str
    neural_resolution: int
    rendering: Mapping[str, Any]
    """Official names of the rendering options."""


PRESETS: Final[dict[str, Preset]] = {
    "ffhq512-128": Preset("TriPlaneGenerator", 128, _FFHQ),
    "ffhq512-64": Preset("TriPlaneGenerator", 64, _FFHQ),
    "ffhq-prerelease": Preset(
        "SRPosedGenerator", 128, {k: v for k, v in _FFHQ.items() if k != "decoder_lr_mul"}
    ),
}


def described(
    shapes: Shapes, preset: str | None, options: Iterable[str] = ()
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Class name, constructor arguments and attributes for a bare state dict.

    `options` are "name=value" in the official names of rendering options, over the preset's. InputError
    without a preset, CheckpointError if the shapes are not those of an EG3D generator.
    """
    try:
        init, superres = _sizes(shapes)
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(
            f"The state dict is not that of an EG3D generator: {error} is missing or of another shape."
        ) from error
    if preset is None:
        raise InputError(
            "The file is a bare state dict, which does not say how it is to be rendered; name the model that "
            f"it was trained from with --config {'|'.join(PRESETS)}, and other options with "
            "--option NAME=VALUE."
        )
    chosen = PRESETS[preset]
    given = parse_options(options)
    resolution = given.pop(NEURAL_RESOLUTION, chosen.neural_resolution)
    side = init["img_resolution"]
    rendering = {**chosen.rendering, "image_resolution": side, "superresolution_module": superres, **given}
    return chosen.class_name, init, {"rendering_kwargs": rendering, NEURAL_RESOLUTION: resolution}


def parse_options(options: Iterable[str]) -> dict[str, Any]:
    """ "name=value" texts as a dict; values are JSON, or text where they are not."""
    given: dict[str, Any] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not (equals and name.isidentifier()):
            raise InputError(
                f"--option {option!r} is not NAME=VALUE; write for example --option ray_start=2.25."
            )
        try:
            given[name] = json.loads(text)
        except ValueError:
            given[name] = text
    return given


def _sizes(shapes: Shapes) -> tuple[dict[str, Any], str]:
    """Constructor arguments, and the class of the super-resolution, that give such shapes."""
    mapping, synthesis = "backbone.mapping.", "backbone.synthesis."
    w_dim, c_dim = shapes[f"{mapping}embed.weight"]
    layers = sum(1 for name in shapes if name.startswith(f"{mapping}fc") and name.endswith(".weight"))
    channels = {r: shapes[f"{synthesis}b{r}.conv1.weight"][0] for r in (4, 8, 16, 32, 64, 128, 256)}
    largest = max(channels.values())
    base = next(
        (b for b in (32768, 16384, 65536, 256 * channels[256]) if channels == _channels(b, largest)), None
    )
    if base is None:
        raise ValueError(f"{synthesis}b*.conv1.weight")
    side, superres = _superres(shapes)
    init = {
        "z_dim": shapes[f"{mapping}fc0.weight"][1] - w_dim,
        "c_dim": c_dim,
        "w_dim": w_dim,
        "img_resolution": side,
        "img_channels": 3,
        "mapping_kwargs": {"num_layers": layers},
        "channel_base": base,
        "channel_max": largest,
    }
    return init, superres


def _channels(base: int, largest: int) -> dict[int, int]:
    return {r: min(base // r, largest) for r in (4, 8, 16, 32, 64, 128, 256)}


def _superres(shapes: Shapes) -> tuple[int, str]:
    """Side of the image and class of the super-resolution; 4X and the old Deepfp32 look alike: the former."""
    first, last = "superresolution.block0.conv1.weight", "superresolution.block1.conv1.noise_const"
    side, channels = shapes[last][0], shapes[first][0]
    known = {(128, 128): "2X", (256, 128): "4X", (512, 128): "8X", (512, 256): "8XDC"}
    if (side, channels) not in known:
        raise ValueError(first)
    return side, f"SuperresolutionHybrid{known[side, channels]}"
