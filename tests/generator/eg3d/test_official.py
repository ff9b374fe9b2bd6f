"""From a checkpoint's own words to a configuration."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien.core.errors import CheckpointError
from mien.generator.eg3d.checkpoint import config_from_json, config_to_json, expected_shapes
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.superres import Hybrid8XDCConfig, HybridDeepFp32Config

RENDERING: dict[str, Any] = {
    "image_resolution": 512,
    "disparity_space_sampling": False,
    "clamp_mode": "softplus",
    "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
    "c_gen_conditioning_zero": False,
    "gpc_reg_prob": 0.5,
    "c_scale": 1.0,
    "superresolution_noise_mode": "none",
    "density_reg": 0.25,
    "density_reg_p_dist": 0.004,
    "reg_type": "l1",
    "decoder_lr_mul": 1.0,
    "sr_antialias": True,
    "depth_resolution": 48,
    "depth_resolution_importance": 48,
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1,
    "avg_camera_radius": 2.7,
    "avg_camera_pivot": [0, 0, 0.2],
}
INIT: dict[str, Any] = {
    "z_dim": 512,
    "c_dim": 25,
    "w_dim": 512,
    "img_resolution": 512,
    "img_channels": 3,
    "mapping_kwargs": {"num_layers": 2},
    "channel_base": 32768,
    "channel_max": 512,
    "fused_modconv_default": "inference_only",
    "num_fp16_res": 0,
    "conv_clamp": None,
    "sr_num_fp16_res": 4,
    "sr_kwargs": {"channel_base": 32768, "channel_max": 512, "fused_modconv_default": "inference_only"},
}
ATTRIBUTES: dict[str, Any] = {"neural_rendering_resolution": 128, "rendering_kwargs": RENDERING}


def config(
    name: str = "training.triplane.TriPlaneGenerator",
    init: dict[str, Any] | None = None,
    rendering: dict[str, Any] | None = None,
    drop: tuple[str, ...] = (),
    **attributes: Any,
) -> Eg3dConfig:
    """That of FFHQ at 512 px, with changes."""
    options = {k: v for k, v in {**RENDERING, **(rendering or {})}.items() if k not in drop}
    return Eg3dConfig.from_official(
        name, {**INIT, **(init or {})}, {**ATTRIBUTES, "rendering_kwargs": options, **attributes}
    )


def test_the_published_face_model_is_the_default() -> None:
    assert config() == Eg3dConfig()


def test_numpy_numbers_are_numbers() -> None:
    assert config(rendering={"box_warp": np.float64(1), "depth_resolution": np.int64(48)}) == Eg3dConfig()


def test_attributes_go_before_the_constructor() -> None:
    init = {"rendering_kwargs": {**RENDERING, "depth_resolution": 12}}
    assert config(init=init, rendering={"depth_resolution": 96}).rendering.coarse == 96
    only = Eg3dConfig.from_official("TriPlaneGenerator", {**INIT, **init}, {})
    assert (only.rendering.coarse, only.neural_resolution) == (12, 64)


def test_other_data_sets() -> None:
    found = config(
        rendering={"ray_start": "auto", "ray_end": "auto", "white_back": True, "box_warp": 1.6}
    ).rendering
    assert (found.near, found.far, found.white_back, found.box_side) == (None, None, True, 1.6)


def test_missing_options_have_the_official_defaults() -> None:
    found = config(drop=("decoder_lr_mul", "sr_antialias", "c_scale", "gpc_reg_prob"))
    assert found.decoder.lr_multiplier == 1
    assert found.superres == Hybrid8XDCConfig()
    assert found.c_scale == 0  # so says the released code
    assert found.training.pose_swap_probability is None


def test_the_pre_release_class() -> None:
    axes = [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    ]
    found = config(
        "SRPosedGenerator",
        drop=("decoder_lr_mul", "sr_antialias", "c_scale"),
        plane_axes=torch.tensor(axes).float(),
    )
    assert found.decoder.lr_multiplier == 0.3
    assert found.c_scale == 1
    assert not found.superres.antialias
    assert found.rendering.plane_axes == "official"
    axes[2] = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert config(plane_axes=axes).rendering.plane_axes == "corrected"


def test_old_super_resolution() -> None:
    name = "training.superresolution.SuperresolutionHybridDeepfp32"
    change = {"superresolution_module": name, "image_resolution": 256}
    found = config(init={"img_resolution": 256, "sr_num_fp16_res": 0}, rendering=change)
    assert found.superres == HybridDeepFp32Config(clamp=None)
    assert found.image_px == 256


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"name": "training.networks_stylegan2.Generator"},
            "'training.networks_stylegan2.Generator'; expected",
        ),
        ({"init": {"w_dims": 512}}, r"init_kwargs has unknown names: 'w_dims'"),
        ({"rendering": {"volume": 1}}, r"rendering_kwargs has unknown names: 'volume'"),
        ({"mood": 1}, r"attributes has unknown names: 'mood'"),
        ({"init": {"mapping_kwargs": {"depth": 2}}}, r"mapping_kwargs has unknown names: 'depth'"),
        ({"init": {"mapping_kwargs": 3}}, r"init_kwargs\['mapping_kwargs'\] is 3; expected names and values"),
        ({"init": {"z_dim": "many"}}, r"init_kwargs\['z_dim'\] is 'many'; expected a whole number"),
        ({"init": {"w_dim": 256}}, "w size is 256; expected 512"),
        ({"init": {"c_dim": 0}}, "label size is 0; expected 25"),
        ({"init": {"img_resolution": 1024}}, "makes images of 512 px"),
        ({"init": {"img_channels": 1}}, r"init_kwargs\['img_channels'\] is 1; mien knows \[3\]"),
        ({"init": {"channel_max": 10**9}}, "largest number of channels is 1000000000"),
        ({"init": {"mapping_kwargs": {"num_layers": 10**9}}}, "mapping layers is 1000000000"),
        ({"rendering": {"superresolution_module": "os.system"}}, "is 'os.system'; mien knows"),
        ({"rendering": {"clamp_mode": "relu"}}, r"\['clamp_mode'\] is 'relu'"),
        ({"rendering": {"ray_start": float("nan")}}, r"\['ray_start'\] is nan; expected a finite number"),
        ({"rendering": {"ray_start": 4.0}}, r"ray range is \(4.0, 3.3\)"),
        ({"rendering": {"ray_start": "auto"}}, r"ray range is \(None, 3.3\)"),
        ({"rendering": {"depth_resolution": True}}, "is True; expected a whole number"),
        ({"rendering": {"white_back": "yes"}}, "is 'yes'; expected true or false"),
        ({"rendering": {"superresolution_noise_mode": "loud"}}, "is 'loud'; expected one of"),
        ({"rendering": {"avg_camera_pivot": [0, 0]}}, "expected three numbers"),
        ({"plane_axes": "yz"}, "is 'yz'; expected one of"),
        ({"plane_axes": [[1, 2], [3]]}, "mien knows"),
        ({"plane_axes": np.zeros((3, 3, 3))}, "mien knows"),
        ({"init": {"z_dim": 10**5000}}, r"z_dim'\] is a number beyond all sizes"),
        ({"rendering": {"box_warp": 10**400}}, r"box_warp'\] is a number beyond all sizes"),
        ({"rendering": {"c_scale": torch.zeros(2)}}, r"c_scale'\] is a Tensor; expected a finite number"),
        ({"rendering": {"ray_start": np.zeros(2)}}, r"ray_start'\] is a ndarray; expected"),
        ({"rendering": {"white_back": np.zeros(2)}}, r"white_back'\] is a ndarray; expected"),
        ({"rendering": {"clamp_mode": np.zeros(2)}}, r"clamp_mode'\] is a ndarray; mien knows"),
        ({"init": {"architecture": "x" * 10**6}}, r"architecture'\] is 'xxx"),
        ({"drop": ("ray_end",)}, "rendering_kwargs has no 'ray_end'"),
    ],
)
def test_anything_odd_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        config(**change)


def test_the_reference_has_the_expected_shapes(reference: Path) -> None:
    from safetensors import safe_open

    data = json.loads((reference / "small_config.json").read_text(encoding="utf-8"))
    found = Eg3dConfig.from_official(data["class_name"], data["init_kwargs"], data["attributes"])
    with safe_open(reference / "small_state.safetensors", framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    assert expected_shapes(found) == shapes


def test_a_config_survives_json() -> None:
    for made in (Eg3dConfig(), config(rendering={"ray_start": "auto", "ray_end": "auto"})):
        assert config_from_json(json.loads(json.dumps(config_to_json(made)))) == made


def test_expected_shapes_of_something_huge_cost_nothing() -> None:
    huge = config(init={"channel_max": 8192, "channel_base": 1 << 20})
    shape = expected_shapes(huge)["backbone.synthesis.b64.conv1.weight"]
    assert shape == (8192, 8192, 3, 3)
