"""Beards that stand off the skin, as they are drawn."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tests.generator.conftest import KnownHeads
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.generator.beardlayers import layer_alpha, strand_length, strand_share
from mien.generator.posed import all_carried, all_vertices, carrying
from mien.generator.render import PosedHead, pose_head, render
from mien.generator.samples import StillHead, still_head
from mien.generator.volume import MarchConfig
from mien.morphable.beard import Beard, make_beard
from mien.morphable.carry import HeadMotion
from mien.morphable.model import CHIN_LANDMARK, MorphableModel
from mien.morphable.raster import vertex_normals

SIZE = 64
SLOW = MarchConfig(40, 40)


@pytest.fixture(scope="module")
def head(known: KnownHeads, model: MorphableModel) -> StillHead:
    return still_head(known.generator, model, known.identities[1], known.codes[1])


@pytest.fixture(scope="module")
def beard(model: MorphableModel) -> Beard:
    chin = model.landmarks(model.mean)[CHIN_LANDMARK]
    share = torch.exp(-((model.mean - chin).norm(dim=1) / 0.05).square())
    made = make_beard(model, 0.03 * (share * (share > 0.05))[:, None] * torch.tensor([0.0, -0.6, 0.8]))
    assert made is not None
    return made


def posed(known: KnownHeads, model: MorphableModel, beard: Beard | None, jaw: float = 0.0) -> PosedHead:
    expression = torch.zeros(52)
    expression[ARKIT_INDEX["jawOpen"]] = jaw
    bare = still_head(known.generator, model, known.identities[1], known.codes[1]).posed
    return pose_head(model, known.identities[1], expression, bare.carrier, beard=beard)


def camera(yaw_deg: float) -> Camera:
    return Camera.orbit(math.radians(yaw_deg), 0.1)


def rms(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize("yaw_deg", [0, 45, 90])
def test_compiled_layers_agree_with_the_plain_ones(
    head: StillHead,
    known: KnownHeads,
    model: MorphableModel,
    beard: Beard,
    monkeypatch: pytest.MonkeyPatch,
    yaw_deg: float,
) -> None:
    person = posed(known, model, beard)
    person = carrying(person, all_vertices(person).copy())
    mask = np.random.default_rng(1).uniform(size=(SIZE, SIZE)) < 0.8
    view = partial(
        render, head.generator, head.planes, person, camera(yaw_deg), SIZE, SIZE, mask=mask, antialias=True
    )
    one = view()
    monkeypatch.setattr("mien.generator.render.can_be_fast", lambda planes, shell: False)
    other = view()
    assert one.alpha.mean() > 0.2
    torch.testing.assert_close(one.rgb, other.rgb, atol=1e-3, rtol=0)
    for name in ("alpha", "depth", "planes", "hair_alpha", "carried"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=2e-4, rtol=0)


@pytest.mark.parametrize("yaw_deg", [0, 60])
def test_both_agree_with_rays_cast_at_the_layers(
    head: StillHead, known: KnownHeads, model: MorphableModel, beard: Beard, yaw_deg: float
) -> None:
    view = partial(
        render, head.generator, head.planes, posed(known, model, beard), camera(yaw_deg), SIZE, SIZE,
        shell=head.shell, march_config=SLOW,
    )  # fmt: skip
    fast, slow = view(), view(path="reference")
    assert rms(fast.rgb, slow.rgb) < 0.03
    assert rms(fast.alpha, slow.alpha) < 0.03


def test_a_beard_widens_the_outline_softly(
    head: StillHead, known: KnownHeads, model: MorphableModel, beard: Beard
) -> None:
    view = partial(render, head.generator, head.planes, camera=camera(80), height_px=96, width_px=96)
    bare, bearded = (view(head=posed(known, model, some)) for some in (None, beard))
    solid = view(head=replace(posed(known, model, beard), beard=None))
    assert bearded.alpha.sum() > solid.alpha.sum() + 5
    assert solid.alpha.sum() > bare.alpha.sum() + 10
    soft = (bearded.alpha > 0.05) & (bearded.alpha < 0.95)
    assert soft.sum() > 5
    assert not ((bare.alpha > 0.05) & (bare.alpha < 0.95)).any()
    assert ((bearded.alpha > 0) == (bearded.depth > 0)).all()
    same = (bearded.alpha == solid.alpha) & (solid.alpha == 1)
    torch.testing.assert_close(bearded.depth[same], solid.depth[same])


def test_it_moves_with_the_jaw_and_with_the_head(
    known: KnownHeads, model: MorphableModel, beard: Beard
) -> None:
    closed, wide = (posed(known, model, beard, jaw) for jaw in (0.0, 0.8))
    assert closed.beard is not None
    assert wide.beard is not None
    index = beard.index.numpy()
    for one, other in zip(closed.beard.layers, wide.beard.layers, strict=True):
        np.testing.assert_allclose(other - one, wide.vertices[index] - closed.vertices[index], atol=1e-6)
    assert np.abs(wide.beard.layers[-1] - closed.beard.layers[-1]).max() > 0.02
    turn = torch.tensor([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    motion = HeadMotion(turn, torch.zeros(3), model.neck_joint, -10.0)  # rigid down to the chest
    moved = pose_head(model, known.identities[1], torch.zeros(52), closed.carrier, motion, beard=beard)
    assert moved.beard is not None
    expected = motion.apply(torch.from_numpy(closed.beard.layers[-1]))
    np.testing.assert_allclose(moved.beard.layers[-1], expected.numpy(), atol=1e-5)


def test_numbers_are_carried_by_body_and_layers(
    known: KnownHeads, model: MorphableModel, beard: Beard
) -> None:
    person = posed(known, model, beard)
    numbers = np.random.default_rng(0).normal(size=(len(all_vertices(person)), 2)).astype(np.float32)
    np.testing.assert_array_equal(all_carried(carrying(person, numbers)), numbers)
    nothing = carrying(carrying(person, numbers), None)
    assert nothing.carried is None
    assert nothing.beard is not None
    assert nothing.beard.carried is None


def test_strands_are_of_all_lengths_and_fewer_reach_further() -> None:
    uv = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    length = strand_length(uv)
    assert length.min() < 0.1
    assert length.max() > 0.9
    torch.testing.assert_close(strand_length(uv + torch.tensor([2.0, 0.0])), length, atol=1e-3, rtol=0)
    shown = [float(layer_alpha(uv, height).mean()) for height in (0.25, 0.5, 0.75, 1.0)]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] > 0.5
    assert shown[-1] < 0.2


def test_strands_part_only_where_the_beard_is_seen_edge_on(
    known: KnownHeads, model: MorphableModel, beard: Beard
) -> None:
    layers = posed(known, model, beard).beard
    assert layers is not None
    at = np.linalg.norm(beard.loose.numpy(), axis=1).argmax()
    outer = layers.layers[-1]
    normal = torch.from_numpy(vertex_normals(outer, beard.faces)[at]).float()
    across = torch.linalg.cross(normal, torch.tensor([1.0, 0.0, 0.0]))
    front, side = (torch.from_numpy(outer[at]) + 2 * way for way in (normal, across))
    assert strand_share(layers, front)[at] < 0.05
    assert strand_share(layers, side)[at] > 0.8
