import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.haircolours import tabulate_hair
from mien.generator.hairtables import CELL, make_hair_tables, make_rest_grid
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.posed import mouth_retreat, tuck_mouth
from mien.generator.render import (
    EDGE_ALPHA,
    EDGE_BODY,
    HairShell,
    PosedHead,
    RenderOutput,
    edges_of,
    fast_edges,
    hair_field,
    make_hair_shell,
    outer_height,
    over_background,
    pose_head,
    render,
    trace_hair,
)
from mien.generator.samples import StillHead, still_head
from mien.generator.volume import MarchConfig, march
from mien.morphable.carry import HeadMotion, make_carrier
from mien.morphable.chart import height_coordinate
from mien.morphable.model import CHIN_LANDMARK, PARTS, MorphableModel
from mien.morphable.raster import RayScene

SIZE = 48
SLOW = MarchConfig(40, 40)


@pytest.fixture(scope="session")
def head(known, model: MorphableModel) -> StillHead:  # type: ignore[no-untyped-def]
    return still_head(known.generator, model, known.identities[1], known.codes[1])


def camera(yaw_deg: float = 25.0) -> Camera:
    return Camera.orbit(math.radians(yaw_deg), 0.1)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


def test_the_heads_have_hair(head: StillHead) -> None:
    assert head.shell is not None
    assert head.view(camera(), SIZE).hair_alpha.mean() > 0.02


@pytest.mark.parametrize("yaw_deg", [0, 60, 180])
def test_fast_path_agrees_with_the_reference(head: StillHead, yaw_deg: float) -> None:
    fast = head.view(camera(yaw_deg), SIZE)
    slow = render(
        head.generator, head.planes, head.posed, camera(yaw_deg), SIZE, SIZE, path="reference",
        march_config=SLOW,
    )  # fmt: skip
    assert psnr(fast.rgb, slow.rgb) > 30
    assert psnr(fast.alpha, slow.alpha) > 30
    both = (fast.alpha > 0.99) & (slow.alpha > 0.99)
    assert (fast.depth - slow.depth)[both].abs().median() < 0.005


@pytest.mark.parametrize("yaw_deg", [0, 60])
def test_both_paths_draw_hair_of_a_tuned_density(head: StillHead, yaw_deg: float) -> None:
    height = outer_height(head.generator, head.planes, 128)[None, None]
    thin = torch.linspace(0.0, 0.1, 128).expand(1, 1, 128, 128).contiguous()
    drawn = []
    for density in (thin, torch.ones_like(thin), None):
        planes = replace(head.planes, hair_height=height, hair_density=density)
        shell = make_hair_shell(head.generator, planes, head.posed.model, head.posed.carrier)
        drawn.append(render(head.generator, planes, head.posed, camera(yaw_deg), SIZE, SIZE, shell=shell))
        if density is thin:
            slow = render(
                head.generator, planes, head.posed, camera(yaw_deg), SIZE, SIZE, path="reference",
                march_config=SLOW,
            )  # fmt: skip
            assert psnr(drawn[0].rgb, slow.rgb) > 30
            assert psnr(drawn[0].hair_alpha, slow.hair_alpha) > 28
    torch.testing.assert_close(drawn[1].hair_alpha, drawn[2].hair_alpha)
    assert drawn[0].hair_alpha.sum() < 0.9 * drawn[1].hair_alpha.sum()


def test_edges_take_several_rays_and_the_rest_stays(head: StillHead) -> None:
    def draw(size: int, antialias: bool) -> RenderOutput:
        return render(
            head.generator,
            head.planes,
            head.posed,
            camera(),
            size,
            size,
            shell=head.shell,
            antialias=antialias,
        )

    plain, smooth, fine = draw(SIZE, False), draw(SIZE, True), draw(4 * SIZE, False)
    edges = edges_of(plain)
    assert 0.02 < edges.float().mean() < 0.5
    for name in ("rgb", "alpha", "depth", "planes", "hair_alpha"):
        assert torch.equal(getattr(plain, name)[~edges], getattr(smooth, name)[~edges]), name
    truth = torch.nn.functional.avg_pool2d(fine.rgb.permute(2, 0, 1), 4).permute(1, 2, 0)
    errors = [(out.rgb - truth)[edges].square().mean() for out in (plain, smooth)]
    assert errors[1] < 0.6 * errors[0]
    assert (smooth.depth[smooth.alpha > 0.01] > 2).all()


def test_hair_alone_needs_one_ray(head: StillHead) -> None:
    """Its volume thins out over more than a pixel."""

    def draw(size: int) -> RenderOutput:
        return render(
            head.generator, head.planes, head.posed, camera(150), size, size, shell=head.shell, antialias=True
        )

    out, fine = draw(4 * SIZE), draw(16 * SIZE)
    body = (out.alpha - out.hair_alpha > EDGE_BODY).float()
    alone = torch.nn.functional.max_pool2d(body[None], 3, 1, 1)[0] == 0
    assert not edges_of(out)[alone].any()
    steep = (out.alpha[:, 1:] - out.alpha[:, :-1]).abs() > EDGE_ALPHA
    outline = alone & torch.nn.functional.pad(steep, (1, 0))
    assert outline.sum() > 50
    truth = torch.nn.functional.avg_pool2d(fine.rgb.permute(2, 0, 1), 4).permute(1, 2, 0)
    assert (out.rgb - truth)[outline].square().mean().sqrt() < 0.03


def test_some_pixels_are_drawn_as_among_all(head: StillHead) -> None:
    mask = np.random.default_rng(0).uniform(size=(SIZE, SIZE)) < 0.4
    whole, part = (
        render(
            head.generator, head.planes, head.posed, camera(), SIZE, SIZE, shell=head.shell, mask=m,
            antialias=True,
        )
        for m in (None, mask)
    )  # fmt: skip
    seen = torch.from_numpy(mask)
    assert (part.alpha[~seen] == 0).all()
    inner = seen & ~edges_of(whole)
    torch.testing.assert_close(part.rgb[inner], whole.rgb[inner])


def test_moving_the_head_moves_both_paths(head: StillHead, model: MorphableModel) -> None:
    chin_y = float(model.landmarks(model.mean)[CHIN_LANDMARK, 1])
    R = axis_angle_to_matrix(torch.tensor([0.0, 0.4, 0.0]))
    motion = HeadMotion(R, torch.tensor([0.02, 0.0, 0.0]), model.neck_joint, chin_y)
    vertices = motion.apply(torch.from_numpy(head.posed.vertices)).numpy()
    posed = PosedHead(model, vertices, head.posed.carrier, motion)
    fast = render(head.generator, head.planes, posed, camera(0), SIZE, SIZE, shell=head.shell)
    slow = render(
        head.generator, head.planes, posed, camera(0), SIZE, SIZE, path="reference",
        march_config=SLOW,
    )  # fmt: skip
    assert psnr(fast.rgb, slow.rgb) > 28
    assert psnr(fast.rgb, head.view(camera(0), SIZE).rgb) < 28


def test_the_table_of_colours_agrees_with_the_decoder(head: StillHead) -> None:
    assert head.shell is not None
    height = generator_height(head)
    tuned = replace(head.planes, hair_height=height)
    shell = make_hair_shell(head.generator, tuned, head.posed.model, head.posed.carrier)
    assert shell is not None
    tabled = replace(shell, colours=tabulate_hair(head.generator, tuned))
    plain, quick = (
        render(head.generator, tuned, head.posed, camera(30), SIZE, SIZE, shell=s) for s in (shell, tabled)
    )
    assert plain.hair_alpha.mean() > 0.02
    assert psnr(plain.rgb, quick.rgb) > 45
    assert torch.equal(plain.alpha, quick.alpha)


@pytest.mark.parametrize("yaw_deg", [0, 60, 180])
@pytest.mark.parametrize("turn", [None, (0.1, 0.4, -0.05)])
def test_the_compiled_march_agrees_with_the_plain_one(
    head: StillHead, model: MorphableModel, yaw_deg: float, turn: tuple[float, float, float] | None
) -> None:
    height = generator_height(head)
    thin = torch.linspace(0.3, 1.0, 64).expand(1, 1, 64, 64).contiguous()
    tuned = replace(head.planes, hair_height=height, hair_density=thin)
    carrier, posed = head.posed.carrier, head.posed
    shell = make_hair_shell(head.generator, tuned, model, carrier)
    assert shell is not None
    if turn is not None:
        chin_y = float(model.landmarks(model.mean)[CHIN_LANDMARK, 1])
        R = axis_angle_to_matrix(torch.tensor(turn))
        motion = HeadMotion(R, torch.tensor([0.02, -0.01, 0.03]), model.neck_joint, chin_y)
        vertices = motion.apply(torch.from_numpy(posed.vertices)).numpy()
        posed = PosedHead(model, vertices, carrier, motion)
    plain = replace(shell, colours=tabulate_hair(head.generator, tuned))
    compiled = replace(plain, tables=make_hair_tables(tuned, plain.colours, carrier, shell.vertices_head))
    assert compiled.tables is not None
    view = partial(render, head.generator, tuned, posed, camera(yaw_deg), SIZE, SIZE)
    one, other = (view(shell=s, antialias=True) for s in (plain, compiled))
    assert psnr(other.rgb, one.rgb) > 50  # root of the mean square: 0.8 grey levels
    one, other = (view(shell=s) for s in (plain, compiled))  # every pixel for itself: no edges to be found
    assert one.hair_alpha.mean() > 0.02
    torch.testing.assert_close(other.rgb, one.rgb, atol=0.05, rtol=0)
    torch.testing.assert_close(other.hair_alpha, one.hair_alpha, atol=0.03, rtol=0)
    assert (other.hair_alpha - one.hair_alpha).abs().mean() < 1e-3
    assert (other.depth - one.depth).abs().mean() < 1e-3


@pytest.mark.parametrize("with_residual", [False, True])
def test_compiled_rays_agree_with_the_plain_ones(
    head: StillHead, monkeypatch: pytest.MonkeyPatch, model: MorphableModel, with_residual: bool
) -> None:
    torch.manual_seed(0)
    residual = 0.5 * torch.randn(1, 7, 64, 64) if with_residual else None
    tuned = replace(head.planes, hair_height=generator_height(head), residual=residual)
    carrier = head.posed.carrier
    shell = make_hair_shell(head.generator, tuned, model, carrier)
    assert shell is not None
    colours = tabulate_hair(head.generator, tuned)
    tables = make_hair_tables(tuned, colours, carrier, shell.vertices_head)
    assert tables is not None
    carrying = replace(head.posed, carried=head.posed.vertices.copy())
    shell = replace(shell, colours=colours, tables=tables)
    mask = np.random.default_rng(1).uniform(size=(SIZE, SIZE)) < 0.8
    view = partial(render, head.generator, tuned, carrying, camera(30), SIZE, SIZE, shell=shell, mask=mask)
    one = view(antialias=True)
    monkeypatch.setattr("mien.generator.render.can_be_fast", lambda planes, shell: False)
    other = view(antialias=True)
    assert one.alpha.mean() > 0.2
    torch.testing.assert_close(one.rgb, other.rgb, atol=1e-3, rtol=0)  # a quarter of a grey level
    for name in ("alpha", "depth", "planes", "hair_alpha", "carried"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=1e-4, rtol=0)


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_compiled_loops_find_the_edges(head: StillHead, share: float) -> None:
    out = head.view(camera(40), SIZE)
    mask = np.random.default_rng(2).uniform(size=(SIZE, SIZE)) < share
    columns = (out.rgb, out.alpha[..., None], out.depth[..., None], out.planes, out.hair_alpha[..., None])
    expected = edges_of(out, torch.from_numpy(mask)).flatten()
    assert 0.02 < expected.float().mean() < 0.5
    assert torch.equal(fast_edges(torch.cat(columns, -1).flatten(0, 1), SIZE, mask), expected)


def test_coordinates_are_looked_up_as_they_are_computed(head: StillHead, model: MorphableModel) -> None:
    from mien.generator.kernels.restgrid import look_up

    tuned = replace(head.planes, hair_height=generator_height(head))
    carrier = head.posed.carrier
    shell = make_hair_shell(head.generator, tuned, model, carrier)
    assert shell is not None
    tables = make_hair_tables(tuned, tabulate_hair(head.generator, tuned), carrier, shell.vertices_head)
    assert tables is not None
    grid, (displacement, radius) = tables.grid, tables.images[:2]
    assert 0.005 < grid.is_exact.mean() < 0.2
    far = make_rest_grid(displacement, torch.tensor([[-1e6, 0.0, -0.2], [1e6, 0.1, math.nan]]))
    assert far.nodes.size < 3 * 170**3  # of no use, but no great size either
    random = np.random.default_rng(0)
    low, high = shell.vertices_head.amin(0).numpy() - 0.1, shell.vertices_head.amax(0).numpy() + 0.1
    points = random.uniform(low, high, (4000, 3))
    places = np.empty((4000, 3), np.float32)
    look_up(points, grid.nodes, grid.is_exact, grid.low, CELL, displacement, radius, 2, places)
    found = torch.from_numpy(places)
    found[:, 2] = height_coordinate(found[:, 2])
    off = (found - carrier.to_planes(torch.from_numpy(points).float())).abs()
    off[:, 0] = torch.minimum(off[:, 0], 2 - off[:, 0])  # u wraps
    assert (off.quantile(0.99, 0) < torch.tensor([4e-3, 3e-3, 3e-3])).all()
    assert (off.mean(0) < 5e-4).all()


def generator_height(head: StillHead) -> Tensor:
    return outer_height(head.generator, head.planes, 64)[None, None]


def test_rendering_is_deterministic_and_premultiplied(head: StillHead) -> None:
    first, second = head.view(camera(), SIZE), head.view(camera(), SIZE)
    assert torch.equal(first.rgb, second.rgb)
    assert torch.equal(first.depth, second.depth)
    assert ((first.alpha >= 0) & (first.alpha <= 1 + 1e-5)).all()
    assert (first.rgb <= first.alpha[..., None] + 1e-5).all()
    assert (first.depth[first.alpha < 1e-3] == 0).all()
    background = torch.rand(SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    shown = over_background(first, background)
    assert torch.equal(shown[first.alpha == 0], background[first.alpha == 0])


def test_a_mask_only_leaves_rays_out(head: StillHead) -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[10:40, 20:50] = True
    args = (head.generator, head.planes, head.posed, camera(), SIZE, SIZE)
    part, whole = render(*args, shell=head.shell, mask=mask), render(*args, shell=head.shell)
    torch.testing.assert_close(part.rgb[mask], whole.rgb[mask])
    assert (part.alpha[~mask] == 0).all()


def test_without_hair_there_is_no_shell(head: StillHead, model: MorphableModel) -> None:
    bald = Planes(head.planes.uv, head.planes.uh, head.planes.vh, torch.full((1, 1, 64, 64), -0.1))
    assert make_hair_shell(head.generator, bald, model, head.posed.carrier) is None
    out = render(head.generator, bald, head.posed, camera(), SIZE, SIZE)
    assert (out.hair_alpha == 0).all()
    assert set(out.alpha.unique().tolist()) == {0.0, 1.0}


def rays(count: int = 300) -> tuple[Tensor, Tensor]:
    r = camera().rays(SIZE, SIZE)
    pick = torch.randperm(SIZE * SIZE, generator=torch.Generator().manual_seed(0))[:count]
    return r.origins.reshape(-1, 3)[pick], r.directions.reshape(-1, 3)[pick]


def test_traced_weights_are_the_rendered_hair(head: StillHead) -> None:
    r = camera().rays(SIZE, SIZE)
    origins, directions = r.origins.reshape(-1, 3), r.directions.reshape(-1, 3)
    nothing_behind = torch.full((SIZE * SIZE,), 3.3)
    shell: HairShell | None = head.shell
    trace = trace_hair(head.generator, head.planes, head.posed, origins, directions, nothing_behind, shell)
    assert ((trace.alpha >= 0) & (trace.alpha <= 1 + 1e-5)).all()
    hair = head.view(camera(), SIZE).hair_alpha.flatten()
    assert (trace.alpha[hair > 0.95] > 0.6).float().mean() > 0.95
    hair_rgb = head.generator.decode(head.planes, trace.planes.reshape(1, -1, 3)).hair_rgb
    mixed = (trace.weight[..., None] * hair_rgb.view(*trace.weight.shape, 3)).sum(1)
    seen = (trace.alpha > 0.99) & (hair > 0.99)
    difference = (mixed - head.view(camera(), SIZE).rgb.reshape(-1, 3))[seen].abs()
    assert difference.mean() < 0.005
    assert difference.max() < 0.1


def test_gradients_through_the_reference_are_finite(head: StillHead, known) -> None:  # type: ignore[no-untyped-def]
    origins, directions = rays()
    w = known.codes[:1].clone().requires_grad_()
    planes = known.generator.planes(w, torch.zeros(1, 52))
    far = torch.full((1, len(origins)), 3.2)
    field = hair_field(known.generator, planes, head.posed)
    out = march(field, origins[None], directions[None], torch.full_like(far, 2.15), far, MarchConfig(16, 12))
    (out.rgb.sum() + out.alpha.sum() + out.depth.sum()).backward()
    assert w.grad is not None
    assert torch.isfinite(w.grad).all()
    assert w.grad.abs().max() > 0


def test_expression_moves_the_mesh(known, model: MorphableModel, head: StillHead) -> None:  # type: ignore[no-untyped-def]
    generator: Generator = known.generator
    smile = torch.zeros(52).index_fill(0, torch.tensor([23, 24]), 1.0)
    posed = pose_head(model, known.identities[0], smile, head.posed.carrier)
    plain = pose_head(model, known.identities[0], torch.zeros(52), head.posed.carrier)
    assert np.abs(posed.vertices - plain.vertices).max() > 1e-3
    assert posed.vertices.dtype == np.float32
    assert generator.planes(known.codes[:1], smile[None]).uv.shape[1] == 12


def test_the_mouth_of_a_wide_smile_stays_behind_the_chin(model: MorphableModel) -> None:
    """Seen from the front, nothing of the mouth's inside is before the skin around it."""
    expression = torch.zeros(52)
    for name, value in (("jawOpen", 1.0), ("mouthSmileLeft", 1.0), ("mouthSmileRight", 1.0)):
        expression[ARKIT_INDEX[name]] = value
    identity = torch.zeros(len(model.identity))
    carrier = make_carrier(model, model.vertices(identity, torch.zeros(52)))
    plain, posed = (
        model.vertices(identity, expression).numpy(),
        pose_head(model, identity, expression, carrier),
    )
    assert _farthest_out(model, plain) > 0.001
    assert _farthest_out(model, posed.vertices) < 0.0005
    assert mouth_retreat(torch.zeros(52)) == 0


def test_lower_teeth_stay_behind_the_chin_of_a_mouth_wide_open(model: MorphableModel) -> None:
    """Of eight people, two have chins that the teeth of their wide open mouths came through."""
    expression = torch.zeros(52)
    expression[ARKIT_INDEX["jawOpen"]] = 1.0
    out = []
    for seed in (4, 5):
        identity = torch.randn(len(model.identity), generator=torch.Generator().manual_seed(seed))
        carrier = make_carrier(model, model.vertices(identity, torch.zeros(52)))
        posed = pose_head(model, identity, expression, carrier)
        out.append(_farthest_out(model, model.vertices(identity, expression).numpy()))
        assert _farthest_out(model, posed.vertices) == 0
    assert min(out) > 0.001


def test_the_mouth_at_rest_is_not_tucked(model: MorphableModel) -> None:
    """Nothing that is seen through the lips moves: the upper half of the lower teeth."""
    vertices = model.vertices(torch.zeros(len(model.identity)), torch.zeros(52))
    before = vertices.clone()
    tuck_mouth(model, vertices, torch.zeros(52))
    lip = model.landmarks(before)[17, 1]
    seen = before[:, 1] > lip + 0.005
    front = seen & (before[:, 0].abs() < 0.02)
    assert torch.equal(vertices[front], before[front])
    assert (vertices[:, [0, 2]] == before[:, [0, 2]]).all()
    assert (vertices[:, 1] >= before[:, 1]).all()


def _farthest_out(model: MorphableModel, vertices: np.ndarray) -> float:
    """How far the mouth's inside stands out of the skin, EG3D units."""
    skin = model.faces_np[model.part_of_face.numpy() == PARTS.index("body")]
    corners = vertices[skin]
    towards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    moved = torch.cat([model.part_vertices(name) for name in ("mouth", "tongue", "teeth_lower")])
    inner = moved[~torch.isin(moved, model.part_vertices("body"))].numpy()
    start = vertices[inner] * np.array([1, 1, 0]) + np.array([0, 0, 1])
    hits = RayScene(vertices, skin[towards]).cast(
        start.astype(np.float32), np.tile(np.array([0, 0, -1], np.float32), (len(inner), 1))
    )
    out = vertices[inner, 2] - (1 - hits.depth)
    return float(out[hits.hit & (out < 0.05)].max(initial=0.0))
