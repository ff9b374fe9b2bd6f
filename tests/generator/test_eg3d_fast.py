"""The fast path of EG3D gives what the plain reference gives."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera, Rays
from mien.core.compiled import has_numba
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.fast import (
    CAREFUL,
    EXACT_STEP,
    FAST,
    QUICK_STEP,
    FastRenderer,
    differentiable_render,
)
from mien.generator.eg3d.fast.occupancy import empty_density, lattice_density
from mien.generator.eg3d.fast.rays import RAY_ENGINES, CompiledRays, TorchRays, choose_rays
from mien.generator.eg3d.fast.rays.base import occupied
from mien.generator.eg3d.fast.superres import SUPERRES_ENGINES, choose_superres
from mien.generator.eg3d.fast.superres.base import phase_weights
from mien.generator.eg3d.fast.superres.winograd import weight_transform
from mien.generator.eg3d.fast.tables import decoder_layers, hidden_tables, looked_up
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.march import SHIFT
from mien.generator.eg3d.rays import camera_rays
from mien.generator.eg3d.superres import Hybrid2XConfig, Hybrid8XConfig, HybridSuperRes
from mien.generator.eg3d.triplanes import PlaneAxes, sample_triplanes
from mien.generator.stylegan2.layers import FullyConnected, draw_weights
from mien.generator.stylegan2.resample import low_pass, smooth
from mien.morphable.bend import make_bend
from mien.morphable.carry import HeadMotion
from mien.morphable.model import load_head_model
from mien.morphable.warp import HeadWarp

compiled = pytest.param(
    "compiled", marks=pytest.mark.skipif(not has_numba(), reason="numba is not installed")
)
CAMERA = Camera.orbit(0.3, 0.1)
SIDE = 24


@pytest.fixture(scope="module")
def generator() -> Eg3dGenerator:
    """A small one with a decoder of the usual size."""
    backbone = StyleGan2Config(resolution=32, channel_base=256, channel_max=16)
    config = Eg3dConfig(backbone=backbone, superres=Hybrid2XConfig(), neural_resolution=SIDE)
    generator = Eg3dGenerator(config)
    draw_weights(generator, torch.Generator().manual_seed(0))
    return generator.eval().requires_grad_(False)


def ball(generator: Eg3dGenerator) -> Tensor:
    """Planes [1, 3, 32, 32, 32] of an opaque ball in empty space; the generator's decoder is set to suit.

    The density is linear in x^2 + y^2 + z^2, which the planes (x, y) and (x, z) can hold.
    """
    at = (torch.arange(32) + 0.5) / 32 - 0.5
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    planes = 0.3 * torch.randn((3, 32, 32, 32), generator=torch.Generator().manual_seed(1))
    planes[:, 0] = torch.stack([columns**2 + rows**2, rows**2, torch.zeros_like(rows)]) - 0.007
    layers = decoder_layers(generator.decoder)
    with torch.no_grad():
        first, last = generator.decoder.net[0], generator.decoder.net[2]
        assert isinstance(first, FullyConnected)
        assert isinstance(last, FullyConnected)
        first.weight[0], first.weight[0, 0], first.bias[0] = 0, 3 * 32**0.5 * 400, 0.0
        last.weight[0], last.weight[0, 0], last.bias[0] = 0, -8 * 8, 60.0
    assert layers.first.shape == (64, 32)
    return planes[None]


@pytest.fixture(scope="module")
def planes(generator: Eg3dGenerator) -> Tensor:
    """The ball's planes."""
    return ball(generator)


@pytest.fixture(scope="module")
def w() -> Tensor:
    """A latent."""
    return torch.randn((1, 512), generator=torch.Generator().manual_seed(2))


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * float(torch.log10((one - other).square().mean() / 4))


@pytest.mark.parametrize("axes", ["official", "corrected"])
def test_tables_are_lookup_and_first_layer(generator: Eg3dGenerator, planes: Tensor, axes: PlaneAxes) -> None:
    random = torch.Generator().manual_seed(3)
    points = torch.rand((500, 3), generator=random) * 1.2 - 0.6  # some outside the box
    layers = decoder_layers(generator.decoder)
    tables = hidden_tables(planes[0], layers, box_side=1.0, axes=axes)
    assert len(tables.pairs) == (2 if axes == "official" else 3)
    plain = sample_triplanes(planes, points[None], box_side=1.0, axes=axes)[0] @ layers.first.T
    torch.testing.assert_close(looked_up(tables, points), plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("engine", ["torch", compiled])
@pytest.mark.parametrize("axes", ["official", "corrected"])
def test_careful_rays_are_the_reference(
    generator: Eg3dGenerator, planes: Tensor, w: Tensor, engine: str, axes: PlaneAxes
) -> None:
    generator = copy.copy(generator)  # shares the weights
    generator.config = replace(
        generator.config, rendering=replace(generator.config.rendering, plane_axes=axes)
    )
    fast = FastRenderer(generator, planes, w, config=replace(CAREFUL, rays=engine, grid=64))  # type: ignore[arg-type]
    features, depth, alpha = fast.render_raw(CAMERA)
    plain = generator.render_raw(planes, CAMERA)
    assert 0.1 < float((plain.alpha > 0.5).float().mean()) < 0.9  # there is something, and not everywhere
    assert psnr(features, plain.features) > 65
    assert float((alpha - plain.alpha).abs().max()) < 2e-3
    assert float((depth - plain.depth).abs()[plain.alpha > 0.5].max()) < 2e-3
    assert fast.last_cast is not None
    assert fast.last_cast.densities < 0.6 * SIDE**2 * 96  # space was skipped


@pytest.mark.parametrize("engine", ["torch", compiled])
def test_fast_rays_are_close(generator: Eg3dGenerator, planes: Tensor, w: Tensor, engine: str) -> None:
    fast = FastRenderer(generator, planes, w, config=replace(FAST, rays=engine))  # type: ignore[arg-type]
    features, _, alpha = fast.render_raw(CAMERA)
    plain = generator.render_raw(planes, CAMERA)
    assert psnr(features, plain.features) > 42
    assert float((alpha - plain.alpha).abs().mean()) < 2e-3


def test_bent_rays_are_close(generator: Eg3dGenerator, planes: Tensor, w: Tensor) -> None:
    def bend(points: Tensor) -> Tensor:
        return points * torch.tensor([1.0, 1.3, 1.0]) + 0.05 * torch.sin(9 * points[..., :1])

    fast = FastRenderer(generator, planes, w)
    straight, _, _ = fast.render_raw(CAMERA)
    features, _, alpha = fast.render_raw(CAMERA, warp=bend)
    plain = generator.render_raw(planes, CAMERA, warp=bend)
    assert psnr(features, plain.features) > 42
    assert float((alpha - plain.alpha).abs().mean()) < 2e-3
    assert psnr(features, straight) < 30  # it is bent indeed
    careful = FastRenderer(generator, planes, w, config=replace(CAREFUL, grid=64))
    assert psnr(careful.render_raw(CAMERA, warp=bend)[0], plain.features) > 65


def head_warp(*, moved: bool, bent: bool) -> HeadWarp:
    """An open mouth and a turn of the neck, in a world of another scale, with the lips at the ball."""
    model, open_ = load_head_model(), torch.zeros(52)
    open_[ARKIT_INDEX["jawOpen"]] = 0.8
    before = model.vertices(torch.zeros(model.component_count), open_)
    R = axis_angle_to_matrix(torch.tensor([0.15, 0.5, 0.1]))
    motion = HeadMotion(R, torch.tensor([0.01, 0.02, 0.0]), model.neck_joint, model.chin_y(model.mean))
    bend = make_bend(model, before, model.mean)
    shift = torch.tensor([0.0, 0.0, 0.2]) - 0.7 * model.landmarks(model.mean)[13]
    return HeadWarp(0.7, shift, motion if moved else None, bend if bent else None)


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
@pytest.mark.parametrize(("moved", "bent"), [(True, False), (False, True), (True, True)])
def test_compiled_warps_are_the_plain_ones(moved: bool, bent: bool) -> None:
    from mien.generator.eg3d.fast.kernels.carry import carry_all, described

    warp = head_warp(moved=moved, bent=bent)
    points = (torch.rand((20_000, 3), generator=torch.Generator().manual_seed(8)) - 0.5) * 0.9
    found = points.numpy().copy()
    carry_all(found, described(warp))
    plain = warp(points)
    assert float((plain - points).norm(dim=1).max()) > 0.02
    torch.testing.assert_close(torch.from_numpy(found), plain, rtol=0, atol=2e-6)


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
@pytest.mark.parametrize(("moved", "bent"), [(True, False), (False, True), (True, True)])
def test_compiled_bent_rays_are_those_of_torch(
    generator: Eg3dGenerator, planes: Tensor, w: Tensor, moved: bool, bent: bool
) -> None:
    warp = head_warp(moved=moved, bent=bent)
    found = {}
    for engine in ("torch", "compiled"):
        fast = FastRenderer(generator, planes, w, config=replace(CAREFUL, rays=engine, grid=64))
        found[engine] = fast.render_raw(CAMERA, warp=warp)
    straight = fast.render_raw(CAMERA)
    plain = generator.render_raw(planes, CAMERA, warp=warp)
    assert float((straight[1] - plain.depth).abs().max()) > 0.01  # it is bent indeed
    for features, depth, alpha in found.values():
        assert psnr(features, plain.features) > 65
        assert float((features - plain.features).abs().max()) < 0.05
        assert float((alpha - plain.alpha).abs().max()) < 5e-3
        assert float((depth - plain.depth).abs()[plain.alpha > 0.5].max()) < 5e-3
    usual = FastRenderer(generator, planes, w, config=replace(FAST, rays="compiled"))
    features, _, alpha = usual.render_raw(CAMERA, warp=warp)
    assert psnr(features, plain.features) > 42
    assert float((alpha - plain.alpha).abs().mean()) < 2e-3


@pytest.mark.parametrize("engine", ["torch", compiled])
def test_the_grid_misses_nothing(generator: Eg3dGenerator, planes: Tensor, engine: str) -> None:
    rendering, config = generator.config.rendering, replace(FAST, grid=48)
    layers = decoder_layers(generator.decoder)
    tables = hidden_tables(planes[0], layers, box_side=1.0, axes=rendering.plane_axes)
    field = RAY_ENGINES[engine]().prepare(tables, layers, rendering, config)  # type: ignore[index]
    points = torch.rand((200_000, 3), generator=torch.Generator().manual_seed(4)) * 1.1 - 0.55
    sigma = generator.field(planes, points[None]).sigma[0, :, 0]
    length = 3.3 - 2.25
    seen = 1 - torch.exp(-F.softplus(sigma - SHIFT) * length) > config.empty_opacity
    assert 0.01 < float(seen.float().mean()) < 0.5
    assert bool(field.occupancy.at(points)[seen].all())
    assert float(field.occupancy.cells.float().mean()) < 0.5


def test_empty_density_is_what_adds_the_opacity() -> None:
    thick = F.softplus(torch.tensor(empty_density(0.01, 1.05), dtype=torch.float64) - SHIFT)
    assert float(1 - torch.exp(-thick * 1.05)) == pytest.approx(0.01)


@pytest.mark.parametrize("axes", ["official", "corrected"])
def test_lattice_is_the_field(generator: Eg3dGenerator, planes: Tensor, axes: PlaneAxes) -> None:
    layers = decoder_layers(generator.decoder)
    tables = hidden_tables(planes[0], layers, box_side=1.0, axes=axes)
    at = torch.linspace(-tables.limit, tables.limit, 9)
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    points = torch.stack([x, y, z], -1).reshape(1, -1, 3)
    plain = generator.decoder(sample_triplanes(planes, points, box_side=1.0, axes=axes)).sigma
    torch.testing.assert_close(
        lattice_density(tables, layers, 8).flatten(), plain.flatten(), rtol=1e-3, atol=1e-2
    )
    if has_numba():
        field = CompiledRays().prepare(tables, layers, generator.config.rendering, replace(FAST, grid=8))
        plain_cells = occupied(
            lattice_density(tables, layers, 8), tables.limit, generator.config.rendering, FAST
        )
        assert torch.equal(field.occupancy.cells, plain_cells.cells)


@pytest.mark.parametrize("engine", ["torch", compiled])
def test_nothing_at_all(generator: Eg3dGenerator, planes: Tensor, w: Tensor, engine: str) -> None:
    empty = copy.deepcopy(generator)
    last = empty.decoder.net[2]
    assert isinstance(last, FullyConnected)
    last.bias.data[0] = -60.0  # the ball's density is at most this
    fast = FastRenderer(empty, planes, w, config=replace(FAST, rays=engine))  # type: ignore[arg-type]
    features, depth, alpha = fast.render_raw(CAMERA)
    assert torch.equal(alpha, torch.zeros_like(alpha))
    assert torch.equal(features, torch.full_like(features, -1.0))
    assert torch.equal(depth, torch.full_like(depth, float(depth.max())))
    assert fast.last_cast is not None
    assert fast.last_cast.densities == 0


def test_changed_planes_and_weights_are_noticed(generator: Eg3dGenerator, planes: Tensor, w: Tensor) -> None:
    mine, style = planes.clone(), w.clone()
    fast = FastRenderer(generator, mine, style, config=replace(FAST, rays="torch", superres="cached"))
    before = fast.render(CAMERA).image
    assert torch.equal(fast.render(CAMERA).image, before)  # deterministic
    mine.add_(0.05)
    moved = fast.render(CAMERA).image
    assert not torch.equal(moved, before)
    fresh = FastRenderer(generator, mine, style, config=fast.config).render(CAMERA).image
    assert torch.equal(moved, fresh)
    style.add_(0.5)
    assert not torch.equal(fast.render(CAMERA).image, moved)
    fast.planes = planes
    style.copy_(w)
    assert torch.equal(fast.render(CAMERA).image, before)


def test_several_cameras(generator: Eg3dGenerator, planes: Tensor, w: Tensor) -> None:
    fast = FastRenderer(generator, planes, w, config=replace(FAST, rays="torch", superres="cached"))
    both = fast.render((CAMERA, Camera.orbit(-0.2, 0.0)), neural_resolution=8)
    assert both.image.shape == (2, 3, 128, 128)
    torch.testing.assert_close(both.image[:1], fast.render(CAMERA, neural_resolution=8).image)


@pytest.fixture(scope="module")
def network() -> HybridSuperRes:
    """A super-resolution whose first block enlarges too, with biases."""
    network = Eg3dGenerator(Eg3dConfig(superres=Hybrid8XConfig())).superresolution
    random = torch.Generator().manual_seed(5)
    draw_weights(network, random)
    for name, parameter in network.named_parameters():
        if name.endswith(("conv0.bias", "conv1.bias", "torgb.bias")):
            parameter.data.normal_(0, 0.3, generator=random)
    monkey = {"input_px": 16, "output_px": 64}  # the blocks do not mind the size
    network.__dict__ |= monkey
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("plain", 200.0),
        ("cached", 110.0),
        ("half", 40.0),
        pytest.param("winograd", 38.0, marks=compiled.marks),
        pytest.param("winograd32", 48.0, marks=compiled.marks),
    ],
)
def test_superres_engines_are_the_network(
    network: HybridSuperRes, w: Tensor, name: str, least: float
) -> None:
    features = torch.rand((1, 32, 16, 16), generator=torch.Generator().manual_seed(6)) * 2 - 1
    plain = network(features[:, :3], features, w)
    found = SUPERRES_ENGINES[name](network, w)(features)  # type: ignore[index]
    scaled = (found - plain) / plain.std()
    assert found.shape == (1, 3, 64, 64)
    error_db = -10 * float(torch.log10(scaled.square().mean() / 4 + 1e-30))
    assert error_db > least


def test_phases_are_the_transposed_convolution() -> None:
    random = torch.Generator().manual_seed(7)
    x = torch.randn((1, 3, 5, 6), generator=random, dtype=torch.float64)
    weight = torch.randn((2, 3, 3, 3), generator=random, dtype=torch.float64)
    kernel = low_pass().double()
    plain = smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 4 * kernel, padding=1)
    phases = F.conv2d(x, phase_weights(weight, kernel), padding=1).unflatten(1, (2, 2, 2))
    found = phases.permute(0, 3, 4, 1, 5, 2).reshape(plain.shape)
    torch.testing.assert_close(found, plain)


def test_winograd_weights_evaluate_the_kernel() -> None:
    transform, points = weight_transform(), (0.0, 2 / 3, -2 / 3, 1.5, -1.5)
    kernel = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    norms = np.array([np.prod([p - q for q in points if q != p]) for p in points])
    values = np.array([0.3 - 1.2 * p + 0.7 * p * p for p in points]) / norms
    np.testing.assert_allclose((transform @ kernel).numpy(), [*values, 0.7])


def test_engines_are_chosen_by_what_can_be(
    generator: Eg3dGenerator, planes: Tensor, network: HybridSuperRes, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = decoder_layers(generator.decoder)
    tables = hidden_tables(planes[0], layers, box_side=1.0, axes="official")
    assert choose_rays("auto", tables, layers) == ("compiled" if has_numba() else "torch")
    narrow = replace(layers, rgb=layers.rgb[:5], rgb_bias=layers.rgb_bias[:5])
    assert choose_rays("auto", tables, narrow) == "torch"
    huge = replace(tables, values=tables.values + 1e5)
    assert choose_rays("auto", huge, layers) == "torch"
    monkeypatch.setattr("mien.generator.eg3d.fast.superres.fast_bfloat16", lambda device=None: False)
    assert choose_superres("auto", network) == ("winograd32" if has_numba() else "cached")
    monkeypatch.setattr("mien.generator.eg3d.fast.superres.winograd.has_numba", lambda: False)
    assert choose_superres("auto", network) == "cached"
    monkeypatch.setattr(network, "config", replace(network.config, noise="random"))
    assert choose_superres("auto", network) == "plain"
    assert choose_superres("half", network) == "half"


@pytest.mark.parametrize("noise", ["none", "const"])
def test_cached_engine_has_the_noise(network: HybridSuperRes, w: Tensor, noise: str) -> None:
    features = torch.rand((1, 32, 128, 128), generator=torch.Generator().manual_seed(8)) * 2 - 1
    full = Eg3dGenerator(Eg3dConfig(superres=Hybrid2XConfig(noise=noise))).superresolution  # type: ignore[arg-type]
    draw_weights(full, torch.Generator().manual_seed(9))
    for name, parameter in full.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.5)
    full = full.eval().requires_grad_(False)
    found = SUPERRES_ENGINES["cached"](full, w)(features)
    torch.testing.assert_close(found, full(features[:, :3], features, w), rtol=1e-3, atol=1e-3)


def gradients(
    generator: Eg3dGenerator, planes: Tensor, w: Tensor, **options: object
) -> tuple[Tensor, Tensor]:
    """Of a picture's brightness pattern with respect to w: plain and fast."""

    def planes_of(latent: Tensor) -> Tensor:
        return planes + 0.02 * generator.planes(latent)

    pattern = torch.linspace(-1, 1, 64)

    def gradient(render: object) -> Tensor:
        latent = w.clone().requires_grad_()
        image = render(latent)  # type: ignore[operator]
        (F.interpolate(image, size=64, mode="area") * pattern).square().mean().backward()
        assert latent.grad is not None
        return latent.grad

    plain = gradient(lambda v: generator.render(planes_of(v), v, CAMERA, neural_resolution=64).image)
    fast = gradient(
        lambda v: differentiable_render(generator, v, CAMERA, planes_of=planes_of, **options).image  # type: ignore[arg-type]
    )
    return plain, fast


def test_gradients_are_the_reference_s(generator: Eg3dGenerator, planes: Tensor, w: Tensor) -> None:
    careful = replace(EXACT_STEP, neural_resolution=64, half=False, rays=replace(CAREFUL, grid=64))
    plain, fast = gradients(generator, planes, w, config=careful)
    torch.testing.assert_close(fast, plain, rtol=0.02, atol=float(plain.abs().max()) * 0.02)
    assert float(torch.cosine_similarity(plain, fast)) > 0.9999


@pytest.mark.parametrize("side", [64, 32])
def test_quick_gradients_point_the_same_way(
    generator: Eg3dGenerator, planes: Tensor, w: Tensor, side: int
) -> None:
    plain, fast = gradients(generator, planes, w, config=replace(QUICK_STEP, neural_resolution=side))
    assert float(torch.cosine_similarity(plain, fast)) > 0.95


def test_steps_leave_the_generator_as_it_was(generator: Eg3dGenerator, planes: Tensor, w: Tensor) -> None:
    differentiable_render(generator, w, CAMERA, config=replace(QUICK_STEP, neural_resolution=16))
    assert not any(module.training for module in generator.modules())


def test_torch_rays_carry_gradients_to_the_planes(generator: Eg3dGenerator, planes: Tensor) -> None:
    rays = camera_rays((CAMERA,), 12, planes)
    flat, layers = Rays(rays.origins[0], rays.directions[0]), decoder_layers(generator.decoder)
    config = replace(CAREFUL, grid=64, stop_transmittance=1e-7, least_share=0.0, empty_opacity=1e-6)
    results = []
    for fast in (False, True):
        mine = planes.clone().requires_grad_()
        if fast:
            tables = hidden_tables(mine[0], layers, box_side=1.0, axes=generator.config.rendering.plane_axes)
            engine = TorchRays()
            field = engine.prepare(tables, layers, generator.config.rendering, config)
            features = engine.cast(field, flat, generator.config.rendering, config).features
        else:
            features = generator.march(mine, rays).features[0]
        features[:, :3].sin().sum().backward()
        assert mine.grad is not None
        results.append(mine.grad)
    plain, fast_one = results
    assert float((plain - fast_one).norm() / plain.norm()) < 0.01
