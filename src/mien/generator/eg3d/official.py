"""From a published checkpoint's constructor arguments to the parts of an `Eg3dConfig`; unknown ones fail."""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Final, get_args

import numpy as np
import torch

from mien.core.errors import CheckpointError
from mien.generator.backbones.stylegan2 import StyleGan2Config
from mien.generator.eg3d.decoder import OsgDecoderConfig
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import OFFICIAL_NAMES, SUPERRES, HybridDeepFp32Config, SuperResConfig
from mien.generator.eg3d.training import RegType, TrainingRecord
from mien.generator.eg3d.triplanes import COORDINATES, PlaneAxes, axes_of_matrices
from mien.generator.stylegan2.layers import NoiseMode
from mien.generator.stylegan2.mapping import LabelMappingConfig

RELEASED: Final = "TriPlaneGenerator"
PRE_RELEASE: Final = "SRPosedGenerator"
PRE_RELEASE_DECODER_LR: Final = 0.3
"""Not among the arguments of pre-release files, but written into their class."""
HALF_CLAMP: Final = 256.0
LARGEST: Final = 1 << 53
_BOOLEANS: Final = (bool, np.bool_)


@dataclass
class _Options:
    """Named values that are taken one by one; what is left over at the end is unknown."""

    where: str
    left: dict[str, Any]

    def take(self, name: str, kind: Callable[[str, Any], Any], default: Any = None) -> Any:
        value = self.left.pop(name, default)
        return value if value is default else kind(f"{self.where}[{name!r}]", value)

    def need(self, name: str, kind: Callable[[str, Any], Any]) -> Any:
        if name not in self.left:
            raise _error(self.where, f"has no {name!r}", "it belongs to no EG3D generator")
        return self.take(name, kind)

    def ignore(self, *names: str) -> None:
        """Names without influence on what is computed here, such as half precision."""
        for name in names:
            self.left.pop(name, None)

    def fixed(self, name: str, *allowed: Any) -> None:
        """A name of which only some values are known."""
        value = self.left.pop(name, allowed[0])
        plain = value is None or isinstance(value, (str, bool, Real, list, tuple))
        if not plain or value not in allowed:
            raise _error(f"{self.where}[{name!r}]", f"is {_shown(value)}", f"mien knows {list(allowed)}")

    def finish(self) -> None:
        if self.left:
            raise _error(
                self.where,
                f"has unknown names: {', '.join(sorted(map(_shown, self.left))[:5])}",
                "mien knows no such option",
            )


def parts_from_official(
    class_name: str, init_kwargs: Mapping[str, Any], attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments of `Eg3dConfig`; CheckpointError with the name of anything unknown."""
    short = class_name.rpartition(".")[2]
    if short not in (RELEASED, PRE_RELEASE):
        raise CheckpointError(
            f"The checkpoint's generator is of class {class_name!r}; expected {RELEASED} or {PRE_RELEASE}. "
            "Give an EG3D checkpoint."
        )
    init, given = _Options("init_kwargs", dict(init_kwargs)), _Options("attributes", dict(attributes))
    rendering = given.take("rendering_kwargs", _mapping, None)
    of_init = init.take("rendering_kwargs", _mapping, {})
    options = _Options("rendering_kwargs", dict(of_init if rendering is None else rendering))
    axes = given.take("plane_axes", _axes, "official")
    parts = {
        "neural_resolution": given.take("neural_rendering_resolution", _integer, 64),
        "rendering": _rendering(options, axes),
        "decoder": OsgDecoderConfig(lr_multiplier=_decoder_lr(options, short)),
        "superres": _superres(options, init, short),
        "c_scale": options.take("c_scale", _number, 1.0 if short == PRE_RELEASE else 0.0),
        "zero_conditioning": options.take("c_gen_conditioning_zero", _flag, False),
        "camera_pivot": options.take("avg_camera_pivot", _pivot, (0.0, 0.0, 0.2)),
        "camera_radius": options.take("avg_camera_radius", _number, 2.7),
        "training": _training(options),
        "backbone": _backbone(init),
    }
    for each in (options, given, init):
        each.finish()
    return parts


def _backbone(init: _Options) -> StyleGan2Config:
    layers = _Options("mapping_kwargs", dict(init.take("mapping_kwargs", _mapping, {})))
    mapping = LabelMappingConfig(
        z_dim=init.need("z_dim", _integer),
        label_dim=init.need("c_dim", _integer),
        w_dim=init.need("w_dim", _integer),
        layers=layers.take("num_layers", _integer, 8),
        lr_multiplier=layers.take("lr_multiplier", _number, 0.01),
        w_avg_beta=layers.take("w_avg_beta", _number, 0.998),
    )
    layers.fixed("activation", "lrelu")
    layers.fixed("embed_features", None, mapping.w_dim)
    layers.fixed("layer_features", None, mapping.w_dim)
    layers.finish()
    init.fixed("img_channels", 3)
    init.fixed("architecture", "skip")
    init.fixed("activation", "lrelu")
    init.fixed("use_noise", True)
    init.fixed("resample_filter", [1, 3, 3, 1], (1, 3, 3, 1))
    init.ignore("num_fp16_res", "fused_modconv_default", "sr_kwargs")
    return StyleGan2Config(
        mapping=mapping,
        channel_base=init.take("channel_base", _integer, 32768),
        channel_max=init.take("channel_max", _integer, 512),
        clamp=init.take("conv_clamp", _number, None),
    )


def _rendering(options: _Options, axes: PlaneAxes) -> RenderingConfig:
    options.fixed("clamp_mode", "softplus")
    return RenderingConfig(
        near=options.need("ray_start", _distance),
        far=options.need("ray_end", _distance),
        coarse=options.need("depth_resolution", _integer),
        fine=options.need("depth_resolution_importance", _integer),
        box_side=options.need("box_warp", _number),
        plane_axes=axes,
        white_back=options.take("white_back", _flag, False),
        in_disparity=options.take("disparity_space_sampling", _flag, False),
        density_noise=options.take("density_noise", _number, 0.0),
    )


def _decoder_lr(options: _Options, class_name: str) -> float:
    default = PRE_RELEASE_DECODER_LR if class_name == PRE_RELEASE else 1.0
    return options.take("decoder_lr_mul", _number, default)


def _superres(options: _Options, init: _Options, class_name: str) -> SuperResConfig:
    name = options.need("superresolution_module", _text)
    made = OFFICIAL_NAMES.get(name.rpartition(".")[2])
    if made is None:
        raise _error(
            "rendering_kwargs['superresolution_module']",
            f"is {name!r}",
            f"mien knows {sorted(OFFICIAL_NAMES)}",
        )
    antialias = options.take("sr_antialias", _flag, class_name != PRE_RELEASE)
    noise = options.take("superresolution_noise_mode", _noise, "none")
    clamp = HALF_CLAMP if init.take("sr_num_fp16_res", _integer, 4) > 0 else None
    side, found = SUPERRES[made].output_px, init.need("img_resolution", _integer)
    options.fixed("image_resolution", side)
    if found != side:
        raise _error("init_kwargs['img_resolution']", f"is {found}", f"{name} makes images of {side} px")
    return made(antialias=antialias and made is not HybridDeepFp32Config, clamp=clamp, noise=noise)


def _training(options: _Options) -> TrainingRecord:
    return TrainingRecord(
        pose_swap_probability=options.take("gpc_reg_prob", _number, None),
        density_reg=options.take("density_reg", _number, 0.25),
        density_reg_distance=options.take("density_reg_p_dist", _number, 0.004),
        reg_type=options.take("reg_type", _reg_type, "l1"),
    )


def _error(where: str, found: str, expected: str) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint's {where} {found}; {expected}. It is damaged, or of another model."
    )


def _shown(value: Any) -> str:
    """A value for an error's sentence: short, whatever a damaged file holds."""
    if isinstance(value, Integral) and not -LARGEST < int(value) < LARGEST:
        return "a number beyond all sizes"
    plain = value is None or isinstance(value, (str, bool, Real, list, tuple, dict))
    return reprlib.repr(value) if plain else f"a {type(value).__name__}"


def _integer(where: str, value: Any) -> int:
    whole = isinstance(value, Integral) and not isinstance(value, _BOOLEANS)
    if not whole or not -LARGEST < value < LARGEST:
        raise _error(where, f"is {_shown(value)}", "expected a whole number")
    return int(value)


def _number(where: str, value: Any) -> float:
    real = isinstance(value, Real) and not isinstance(value, _BOOLEANS)
    if not real or not -LARGEST < value < LARGEST:  # neither NaN nor infinity is
        raise _error(where, f"is {_shown(value)}", "expected a finite number")
    return float(value)


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, _BOOLEANS):
        raise _error(where, f"is {_shown(value)}", "expected true or false")
    return bool(value)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _error(where, f"is {_shown(value)}", "expected a text")
    return value


def _mapping(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _error(where, f"is {_shown(value)}", "expected names and values")
    return dict(value)


def _distance(where: str, value: Any) -> float | None:
    return None if isinstance(value, str) and value == "auto" else _number(where, value)


def _pivot(where: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise _error(where, f"is {_shown(value)}", "expected three numbers")
    return tuple(_number(where, v) for v in value)


def _noise(where: str, value: Any) -> str:
    return _choice(where, value, get_args(NoiseMode))


def _reg_type(where: str, value: Any) -> str:
    return _choice(where, value, get_args(RegType))


def _choice(where: str, value: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise _error(where, f"is {_shown(value)}", f"expected one of {list(allowed)}")
    return value


def _axes(where: str, value: Any) -> PlaneAxes:
    if isinstance(value, str):
        return _choice(where, value, tuple(COORDINATES))  # type: ignore[return-value]
    try:
        matrices = torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        matrices = torch.zeros(0)
    name = axes_of_matrices(matrices) if matrices.shape == (3, 3, 3) else None
    if name is None:
        raise _error(where, f"is {_shown(value)}", f"mien knows {list(COORDINATES)}")
    return name
