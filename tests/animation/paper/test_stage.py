"""Paper mode in mien-base, from a clip to frames."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.kinds import BASE_KIND
from mien.animation.kinds.base import BaseStage
from mien.animation.kinds.interface import Stage, Tools
from mien.animation.modes import chosen_mode, staged
from mien.animation.motion import MotionSource
from mien.animation.paper.base import clip_error, key_frame, key_latents
from mien.animation.paper.config import FAST, PAPER, PaperConfig, Passes
from mien.animation.paper.layers import PhotoLayers, layers_of
from mien.animation.paper.source import source_of
from mien.animation.paper.stage import PaperBaseStage
from mien.animation.retarget import DrivenMotion
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError
from mien.core.geometry import axis_angle_to_matrix
from mien.inversion.avatar import Avatar, load_avatar
from mien.inversion.eg3d.avatar import Eg3dAvatar

FRAMES = 6


@pytest.fixture(scope="module")
def native(avatar_file: Path) -> BaseStage:
    return BASE_KIND.stage(load_avatar(avatar_file), Tools(), None)


def clip(avatar: Avatar, *, jaw: float = 0.6, yaw_deg: float = 15.0) -> DrivenMotion:
    """The jaw opens and the head turns."""
    share = np.linspace(0, 1, FRAMES)
    expression = np.tile(avatar.fit.expression.numpy(), (FRAMES, 1))
    expression[:, ARKIT_INDEX["jawOpen"]] = jaw * share
    turns = [axis_angle_to_matrix(torch.tensor([0.0, np.radians(yaw_deg) * s, 0.0]).float()) for s in share]
    R = torch.stack([turn @ avatar.fit.R_camera_head for turn in turns])
    return DrivenMotion(
        np.arange(FRAMES) / 25, expression.astype(np.float32), R.numpy(), np.zeros((FRAMES, 3), np.float32),
        Fraction(25), MotionSource("a", ""),
    )  # fmt: skip


@pytest.fixture(scope="module")
def layers(native: BaseStage) -> PhotoLayers:
    return layers_of(source_of(native.puppet.avatar, native.puppet.model))


@pytest.fixture(scope="module")
def fast(native: BaseStage, layers: PhotoLayers) -> PaperBaseStage:
    return paper(native, layers)


def paper(native: BaseStage, layers: PhotoLayers, config: PaperConfig = FAST) -> PaperBaseStage:
    stage = staged(native, "paper", config)
    assert isinstance(stage, PaperBaseStage)
    assert isinstance(stage, Stage)
    stage.photo_layers = layers  # made once for all tests
    return stage


def test_frames_show_the_expression_and_the_background_stays(native: BaseStage, fast: PaperBaseStage) -> None:
    motion = clip(native.puppet.avatar)
    frames = list(fast.frames(motion))
    assert len(frames) == FRAMES
    assert frames[0].shape == (*fast.shape, 3) == (*native.shape, 3)
    theirs = next(native.frames(motion, [FRAMES - 1])).astype(int)
    still = np.abs(frames[-1].astype(int) - frames[0]).max(2) == 0
    assert still.mean() > 0.3  # background and chest
    assert np.abs(frames[-1].astype(int) - theirs).mean() < 4  # the same person in the same pose
    assert np.abs(frames[-1].astype(int) - frames[0]).max() > 60
    (alone,) = fast.frames(motion, [3])
    assert np.array_equal(alone, frames[3])


def test_the_fast_preset_is_as_near_to_the_edits_in_few_passes(
    native: BaseStage, fast: PaperBaseStage, layers: PhotoLayers
) -> None:
    motion = clip(native.puppet.avatar)
    full = paper(native, layers, PAPER).sequence(motion)
    short = fast.sequence(motion)
    assert full.keys == list(range(FRAMES))
    assert len(full.latents) == len(short.latents) == FRAMES
    errors = [
        clip_error(s, layers, motion.expression, c) for s, c in ((short, FAST), (full, PAPER))
    ]  # fmt: skip
    assert short.passes.inversion < 400
    assert errors[0] <= errors[1] < 0.03


def test_joint_latents_move_less_from_frame_to_frame(native: BaseStage, layers: PhotoLayers) -> None:
    motion = clip(native.puppet.avatar)
    frames = [key_frame(layers, torch.from_numpy(e), FAST) for e in motion.expression]
    moves = []
    for joint in (True, False):
        config = replace(FAST, keys=None, joint=joint)
        w = key_latents(native.puppet, frames, motion.time_s, config, Passes())
        moves.append(float(w.diff(dim=0).norm()))
    assert 0 < moves[0] < moves[1]


def test_keys_depend_on_mode_and_preset(native: BaseStage, fast: PaperBaseStage, layers: PhotoLayers) -> None:
    motion = clip(native.puppet.avatar)
    full = paper(native, layers, PAPER)
    assert len({native.key(motion), fast.key(motion), full.key(motion)}) == 3
    assert fast.key(motion) == paper(native, layers).key(motion)


def test_a_mode_that_a_kind_lacks_is_refused_in_a_sentence() -> None:
    assert chosen_mode(Avatar, None) == "native"
    assert chosen_mode(Eg3dAvatar, None) == "deformed"
    assert chosen_mode(Eg3dAvatar, "paper") == chosen_mode(Avatar, "paper") == "paper"
    with pytest.raises(InputError, match="deformed is not for avatars of mien-base, which have native and"):
        chosen_mode(Avatar, "deformed")
    with pytest.raises(InputError, match="native is not for avatars of an EG3D model"):
        chosen_mode(Eg3dAvatar, "native")
