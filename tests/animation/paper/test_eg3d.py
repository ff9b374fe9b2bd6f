"""Paper mode in a small EG3D model with random weights: one tuning for all latents, resumed to the bit."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.eg3d.actor import Eg3dActor, make_actor
from mien.animation.eg3d.plate import border, eg3d_plates
from mien.animation.eg3d.stage import photo_stage
from mien.animation.kinds.interface import Stage
from mien.animation.modes import staged
from mien.animation.motion import MotionSource
from mien.animation.paper import eg3d as paper_eg3d
from mien.animation.paper import keymouths
from mien.animation.paper.config import FAST, PaperConfig
from mien.animation.paper.eg3d import Eg3dSequence, invert_clip_eg3d, key_crop
from mien.animation.paper.eg3d_stage import PaperEg3dStage
from mien.animation.paper.layers import PhotoLayers, layers_of
from mien.animation.paper.source import source_of
from mien.animation.retarget import DrivenMotion
from mien.core.arkit import ARKIT_INDEX
from mien.core.geometry import axis_angle_to_matrix
from mien.core.viewpoint import ViewAngles
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import Hybrid2XConfig
from mien.generator.stylegan2.layers import draw_weights
from mien.generator.stylegan2.mapping import LabelMappingConfig
from mien.inversion.eg3d.avatar import Eg3dAvatar, placement_of
from mien.inversion.eg3d.cost import Target, image_cost
from mien.inversion.eg3d.invert import Eg3dInversion
from mien.inversion.eg3d.tuning import Pivot, TuningConfig, tune_to, tuned_planes
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.alignment import place
from mien.morphable.eg3d.crop import standard_head
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import load_head_model

PHOTO = (120, 100)
SHORT = replace(
    FAST, keys=3, first_steps=3, frame_steps=2, tuning_steps=6, side_px=16, samples=(6, 6)
)  # fmt: skip


@pytest.fixture(scope="module")
def actor() -> Eg3dActor:
    """In a generator that knows nobody."""
    made = Eg3dGenerator(
        Eg3dConfig(
            backbone=StyleGan2Config(LabelMappingConfig(z_dim=16), resolution=16, channel_max=8),
            rendering=RenderingConfig(coarse=8, fine=8), superres=Hybrid2XConfig(), neural_resolution=32,
        )
    )  # fmt: skip
    draw_weights(made, torch.Generator().manual_seed(3))
    return actor_in(made.eval().requires_grad_(False))


def actor_in(made: Eg3dGenerator) -> Eg3dActor:
    """A photo of smooth colours over which the mean head lies."""
    model, expression, R = load_head_model(), torch.zeros(52), torch.eye(3)
    crop = CropRegion(50.5, 55.25, 80.0)
    fit = FaceFit(
        torch.zeros(model.component_count), expression, R, orbit_camera(R), crop, 0.0, torch.zeros(478, 2)
    )
    alignment = place(
        ViewAngles(0.1, 0.05, 0.0), torch.tensor([0.0, 0.0, 2.683], dtype=torch.float64),
        torch.from_numpy(standard_head(model).origin), image=np.zeros((512, 512, 3), np.uint8), crop=crop,
        fit=fit,
    )  # fmt: skip
    where = placement_of(alignment, 1.0)
    w = made.map_w(torch.zeros(1, 16), where.camera.to_label()[None])
    with torch.no_grad():
        out = made.render(made.planes(w), w, where.camera)
    y, x = np.mgrid[: PHOTO[0], : PHOTO[1]]
    rgb = np.stack([90 + x, 60 + y, 150 - x * 0.5], -1).astype(np.uint8)
    alpha = (np.hypot((x - 50.5) / 30, (y - 60) / 45) < 1).astype(np.float32)
    plate, background = eg3d_plates(rgb, alpha, where, out, model.chin_y(model.mean))
    photo, matte, plate_, behind = (
        torch.from_numpy(np.array(p)) for p in (rgb, (alpha * 255).astype(np.uint8), plate, background)
    )
    avatar = Eg3dAvatar(
        Eg3dInversion(w, {}, 0.0), where, photo, matte, plate_, behind, {"photo": "nobody.png"}
    )
    return make_actor(avatar, made, model)


@pytest.fixture(scope="module")
def layers(actor: Eg3dActor) -> PhotoLayers:
    return layers_of(source_of(actor.avatar, actor.model))


def expressions(count: int = 5) -> np.ndarray:
    out = np.zeros((count, 52), np.float32)
    out[:, ARKIT_INDEX["jawOpen"]] = np.linspace(0, 0.8, count)
    return out


def invert(
    actor: Eg3dActor, layers: PhotoLayers, config: PaperConfig = SHORT, kept: Path | None = None
) -> Eg3dSequence:
    return invert_clip_eg3d(actor, layers, expressions(), np.arange(5) / 25, config, kept)


def same(one: Eg3dSequence, other: Eg3dSequence) -> bool:
    return torch.equal(one.latents, other.latents) and all(
        torch.equal(one.tuning[name], other.tuning[name]) for name in one.tuning | other.tuning
    )


def test_one_tuning_brings_all_latents_nearer_to_their_targets(actor: Eg3dActor) -> None:
    random = torch.Generator().manual_seed(1)
    w = torch.randn(3, actor.avatar.inversion.w.shape[1], generator=random) * 0.3 + actor.avatar.inversion.w
    targets = [Target(torch.full((3, 32, 32), level), torch.ones(1, 32, 32)) for level in (-0.4, 0.0, 0.4)]
    pivots = [Pivot(one[None], target) for one, target in zip(w, targets, strict=True)]
    camera = actor.place.camera
    config = TuningConfig(steps=36, whole=0, side_px=16, samples=(6, 6))

    def cost(tuning: dict[str, torch.Tensor], pivot: Pivot) -> float:
        planes = tuned_planes(actor.generator, pivot.w, tuning)
        with torch.no_grad():
            raw = actor.generator.render_raw(planes, camera, neural_resolution=16)
        return float(image_cost(raw.image_raw, pivot.target.resized(16)))

    tuning = tune_to(pivots, actor.generator, camera, config=config)
    before, after = (np.mean([cost(t, p) for p in pivots]) for t in ({}, tuning))
    assert after < 0.9 * before
    again = tune_to(pivots, actor.generator, camera, start=tuning, config=config)
    assert np.mean([cost(again, p) for p in pivots]) < after


def test_passes_are_what_the_configuration_says(actor: Eg3dActor, layers: PhotoLayers) -> None:
    sequence = invert(actor, layers)
    assert len(sequence.keys) == 3
    assert sequence.latents.shape == (5, actor.avatar.inversion.w.shape[1])
    assert (sequence.passes.latent, sequence.passes.tuning, sequence.passes.mouth) == (3 + 2 * 2, 6, 3)
    assert same(sequence, invert(actor, layers))


def test_weights_are_tuned_as_in_the_paper(actor: Eg3dActor, layers: PhotoLayers) -> None:
    config = replace(SHORT, weights=True, start="mean", keys=2, noise=0.05, joint=False)
    sequence = invert(actor, layers, config)
    assert sequence.tuning
    assert "planes" not in sequence.tuning
    assert not any(name.startswith("backbone.mapping") for name in sequence.tuning)


@pytest.mark.parametrize("after", [2, 5, 9])
def test_killed_it_goes_on_to_the_same_result(
    actor: Eg3dActor, layers: PhotoLayers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    from mien.inversion.eg3d import descent

    whole = invert(actor, layers)
    rate, steps = descent.rate_at, []

    def killed(config: descent.DescentConfig, step: int) -> float:
        steps.append(step)
        if len(steps) > after:
            raise KeyboardInterrupt
        return rate(config, step)

    kept = tmp_path / "kept"
    monkeypatch.setattr(paper_eg3d, "Kept", lambda folder, key: descent.Kept(folder, key, every_s=0.0))
    monkeypatch.setattr(descent, "rate_at", killed)
    with pytest.raises(KeyboardInterrupt):
        invert(actor, layers, kept=kept)
    assert any(kept.iterdir())
    done: list[int] = []

    def counted(config: descent.DescentConfig, step: int) -> float:
        done.append(step)
        return rate(config, step)

    monkeypatch.setattr(descent, "rate_at", counted)
    assert same(invert(actor, layers, kept=kept), whole)
    latent_steps, levels = 3 + 2 * 2, 4  # rates are asked for by every tensor of the residual's pyramid
    assert len(done) == max(latent_steps - after, 0) + levels * SHORT.tuning_steps


def test_targets_are_the_edit_in_the_crop(actor: Eg3dActor, layers: PhotoLayers) -> None:
    crop = key_crop(actor, layers, torch.from_numpy(expressions()[-1]), SHORT)
    own = key_crop(actor, layers, torch.zeros(52), SHORT)
    photo = actor.place.crop.sample(actor.avatar.photo.numpy(), 512) / 255.0
    assert np.abs(own.rgb - photo).max() < 0.01
    assert np.abs(crop.rgb - photo).max() > 0.05
    assert crop.opening.max() > 0.9 > 0.3 > own.opening.mean()
    assert crop.face[crop.opening > 0.9].max() < 0.2


def test_frames_lie_over_the_photo(ball_file: Path, tmp_path: Path) -> None:
    """Of a person who is a solid ball."""
    actor = actor_in(load_eg3d(ball_file))
    layers = layers_of(source_of(actor.avatar, actor.model))
    stage = staged(photo_stage(actor), "paper", SHORT, tmp_path / "kept")
    assert isinstance(stage, PaperEg3dStage)
    assert isinstance(stage, Stage)
    stage.photo_layers = layers
    R = actor.place.R_camera_head
    turned = axis_angle_to_matrix(torch.tensor([0.0, 0.2, 0.0])) @ R
    motion = DrivenMotion(
        np.arange(5) / 25, expressions(), torch.stack([R, R, R, turned, turned]).numpy(),
        np.zeros((5, 3), np.float32), Fraction(25), MotionSource("a", ""),
    )  # fmt: skip
    frames = list(stage.frames(motion))
    assert [f.shape for f in frames] == [(*PHOTO, 3)] * 5
    far = border(PHOTO, actor.place.crop).numpy() == 0
    for frame in frames:
        assert np.array_equal(frame[far], actor.avatar.plate.numpy()[far])
    change = np.abs(frames[2].astype(int) - frames[0]).max(2)
    assert change.max() > 40  # the mouth opens
    lips = layers.source.landmarks_px[[61, 291, 0, 17]] + np.array(layers.source.box_px[:2])
    where = np.argwhere(change > 40).mean(0)[::-1]
    assert np.linalg.norm(where - lips.mean(0)) < 0.5 * layers.source.face_width_px
    assert np.abs(frames[3].astype(int) - frames[2]).max() > 8
    assert stage.passes(motion).frames == 15
    assert stage.key(motion) != photo_stage(actor).key(motion)


def test_key_mouths_follow_the_edit_around_the_opening(
    actor: Eg3dActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keymouths, "MOVED", 10.0)  # this generator knows no mouths
    few, more = (keymouths.key_mouths(actor, steps) for steps in (1, 12))
    assert few is not None
    assert more is not None
    assert torch.equal(few.opening, more.opening)
    areas = more.opening.float().mean((1, 2))
    assert 1 < float(areas.max()) < 30
    assert areas.argmax() == more.expression[:, ARKIT_INDEX["jawOpen"]].argmax()
    layers = layers_of(source_of(actor.avatar, actor.model))
    costs = []
    for keys in (few, more):
        crop = key_crop(actor, layers, keys.expression[0], keymouths.CONFIG)
        images = (torch.from_numpy(crop.rgb), keys.picture[0].float() / 255)
        wanted, seen = (x.permute(2, 0, 1) * 2 - 1 for x in images)
        target = Target(wanted, torch.from_numpy(crop.face)[None].clamp(0, 1)).resized(32)
        costs.append(
            float(image_cost(torch.nn.functional.interpolate(seen[None], size=32, mode="area"), target))
        )
    assert costs[1] < 0.97 * costs[0]


def test_a_mouth_that_stays_shut_is_left_out(actor: Eg3dActor, layers: PhotoLayers) -> None:
    crop = key_crop(actor, layers, torch.from_numpy(expressions()[-1]), keymouths.CONFIG)
    shut = key_crop(actor, layers, torch.zeros(52), keymouths.CONFIG).rgb
    assert keymouths.has_opened(crop, crop.rgb, shut)
    assert not keymouths.has_opened(crop, shut, shut)
    away = crop.rgb.copy()
    away[crop.opening > 0.5] = 1.0  # what is inside has no say
    assert keymouths.has_opened(crop, away, shut)
