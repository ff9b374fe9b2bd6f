from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.backbones import BoxBackbone
from mien.generator.eg3d.checkpoint import expected_shapes, generator_of
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.generator import Eg3dGenerator, Eg3dRender, signed_image, unit_image
from mien.generator.eg3d.rays import camera_rays
from mien.generator.stylegan2.layers import draw_weights

FRONT = Camera.orbit(0.0, 0.0)
SIDE = Camera.orbit(0.5, 0.2)


def latent(tiny: Eg3dGenerator, seed: int = 1, count: int = 1) -> Tensor:
    z = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed))
    return tiny.mapping(z, FRONT.to_label().expand(count, -1))


def picture(tiny: Eg3dGenerator, camera: Camera = FRONT, **options: Any) -> Eg3dRender:
    w = latent(tiny)
    return tiny.render(tiny.planes(w), w, camera, **options)


def test_the_full_size_has_as_many_parameters_as_the_published_one() -> None:
    with torch.device("meta"):
        full = Eg3dGenerator(Eg3dConfig())
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in full.named_children()}
    mapping = sum(p.numel() for p in full.backbone.mapping.parameters())
    assert mapping == 800_768
    assert counts == {"backbone": 28_207_533 + mapping, "decoder": 4_257, "superresolution": 1_649_578}
    assert sum(counts.values()) == 30_662_136
    assert len(expected_shapes(Eg3dConfig())) == 176


def test_its_backbone_is_one_of_the_family(tiny: Eg3dGenerator) -> None:
    assert isinstance(tiny.backbone, BoxBackbone)


def test_sizes_and_ranges(tiny: Eg3dGenerator) -> None:
    found = picture(tiny)
    assert found.image.shape == (1, 3, 128, 128)
    assert found.image_raw.shape == (1, 3, 8, 8)
    assert found.features.shape == (1, 32, 8, 8)
    torch.testing.assert_close(found.image_raw, found.features[:, :3])
    assert (found.features.abs() < 1.01).all()
    assert ((found.alpha >= 0) & (found.alpha <= 1 + 1e-5)).all()
    assert found.alpha.max() > 0.5
    assert ((found.depth >= 2.25) & (found.depth <= 3.5)).all()
    assert picture(tiny, neural_resolution=12).depth.shape == (1, 1, 12, 12)


def test_the_same_every_time_and_without_the_global_generators(tiny: Eg3dGenerator) -> None:
    state = torch.get_rng_state()
    first, second = picture(tiny), picture(tiny)
    torch.testing.assert_close(first.image, second.image, rtol=0, atol=0)
    drawn = [picture(tiny, random=torch.Generator().manual_seed(s)).image for s in (5, 5, 6)]
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=0)
    assert not torch.equal(drawn[0], drawn[2])
    noisy = tiny.planes(latent(tiny), noise="random", random=torch.Generator().manual_seed(5))
    assert torch.isfinite(noisy).all()
    draw_weights(Eg3dGenerator(tiny.config), torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), state)


def test_random_noise_needs_a_generator(tiny: Eg3dGenerator) -> None:
    with pytest.raises(ValueError, match="Random noise needs a generator"):
        tiny.planes(latent(tiny), noise="random")


def test_several_cameras_of_one_latent_are_its_single_images(tiny: Eg3dGenerator) -> None:
    w = latent(tiny)
    planes = tiny.planes(w)
    both = tiny.render(planes, w, [FRONT, SIDE])
    for k, camera in enumerate((FRONT, SIDE)):
        alone = tiny.render(planes, w, camera)
        torch.testing.assert_close(both.image[k : k + 1], alone.image, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(both.alpha[k : k + 1], alone.alpha, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="There are 2 latents or planes for 3 cameras"):
        tiny.render(planes.expand(2, -1, -1, -1, -1), w, [FRONT, SIDE, FRONT])


def test_one_latent_serves_all_layers(tiny: Eg3dGenerator) -> None:
    w = latent(tiny)
    torch.testing.assert_close(tiny.planes(w[:, 0]), tiny.planes(w))
    with pytest.raises(ValueError, match=r"latents have shape \(1, 3, 512\)"):
        tiny.planes(w[:, :3])


def test_training_mode_computes_the_same(tiny: Eg3dGenerator) -> None:
    expected = picture(tiny).image
    tiny.train()
    torch.testing.assert_close(picture(tiny).image, expected, atol=1e-4, rtol=1e-4)


def test_truncation_goes_from_the_mean_to_w(tiny: Eg3dGenerator) -> None:
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(3))
    label = torch.stack([FRONT.to_label(), SIDE.to_label()])
    mapping = tiny.backbone.mapping
    mapping.update_w_avg(torch.ones(4, 512))
    torch.testing.assert_close(mapping.w_avg, torch.full((512,), 0.002))
    w = tiny.mapping(z, label)
    torch.testing.assert_close(tiny.mapping(z, label, truncation=0.0), mapping.w_avg.expand_as(w))
    half = tiny.mapping(z, label, truncation=0.5, cutoff=2)
    torch.testing.assert_close(half[:, :2], (w[:, :2] + mapping.w_avg) / 2)
    torch.testing.assert_close(half[:, 2:], w[:, 2:])


@pytest.mark.parametrize(
    ("change", "sees_camera"),
    [({}, True), ({"c_scale": 0.0}, False), ({"zero_conditioning": True}, False)],
)
def test_conditioning(tiny: Eg3dGenerator, change: dict[str, Any], sees_camera: bool) -> None:
    network = generator_of(replace(tiny.config, **change), tiny.state_dict())
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(3))
    a, b = (network.map_w(z, camera.to_label()[None]) for camera in (FRONT, SIDE))
    assert torch.equal(a, b) != sees_camera


def test_marching_any_rays_is_rendering(tiny: Eg3dGenerator) -> None:
    planes = tiny.planes(latent(tiny))
    rays = camera_rays([SIDE], 8, planes)
    marched = tiny.march(planes, rays)
    expected = tiny.render_raw(planes, SIDE)
    torch.testing.assert_close(marched.features.transpose(1, 2).unflatten(2, (8, 8)), expected.features)
    one = tiny.march(
        planes, replace(rays, origins=rays.origins[:, 9:10], directions=rays.directions[:, 9:10])
    )
    torch.testing.assert_close(one.alpha, marched.alpha[:, 9:10])


def test_rays_are_the_cameras(tiny: Eg3dGenerator) -> None:
    skewed = replace(SIDE, intrinsics=torch.tensor([[4.0, 0.2, 0.45], [0.0, 4.3, 0.52], [0.0, 0.0, 1.0]]))
    found = camera_rays([skewed], 6, torch.zeros(()))
    expected = skewed.rays(6, 6)
    torch.testing.assert_close(found.directions[0], expected.directions.flatten(0, 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.origins[0], expected.origins.flatten(0, 1))


def test_gradients_reach_latent_and_camera(tiny: Eg3dGenerator) -> None:
    """Against finite differences, in float64; without the second pass, which carries no gradient."""
    network = tiny.double()
    w = latent_of(network)
    label = SIDE.to(dtype=torch.float64).to_label()

    def value(w: Tensor, label: Tensor) -> Tensor:
        found = network.render(network.planes(w), w, Camera.from_label(label), samples=(12, 0))
        return found.image.mean() + found.image_raw.square().mean() + found.depth.mean()

    for k, start in enumerate((w, label)):
        inputs = [w, label]
        inputs[k] = start.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(value(*inputs), [inputs[k]])
        direction = gradient / gradient.norm()
        if k == 1:
            direction = direction * (torch.arange(25) == 11)  # the camera steps back; it stays a rigid motion
        ends = [[w, label], [w, label]]
        for sign, end in zip((1e-6, -1e-6), ends, strict=True):
            end[k] = start + sign * direction
        measured = (value(*ends[0]) - value(*ends[1])) / 2e-6
        assert float((gradient * direction).sum()) == pytest.approx(float(measured), rel=1e-3)


def latent_of(network: Eg3dGenerator) -> Tensor:
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return network.mapping(z, FRONT.to(dtype=torch.float64).to_label()[None])


def test_image_ranges_round_trip() -> None:
    image = torch.linspace(-1, 1, 12).view(1, 3, 2, 2)
    torch.testing.assert_close(signed_image(unit_image(image)), image)
    assert unit_image(image * 3).max() == 1
