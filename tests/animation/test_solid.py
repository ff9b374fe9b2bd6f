from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.kinds.base import BaseKind
from mien.animation.kinds.interface import Tools
from mien.animation.solid import avatar_mesh
from mien.animation.turntable import SHEET_PX, AvatarSitter, mesh_sheet
from mien.generator.posed import tuck_mouth
from mien.generator.samples import PAPER
from mien.generator.view import MeshConfig, Sitter
from mien.inversion.avatar import load_avatar
from mien.io.mesh import Mesh
from mien.morphable.meshview import MeshViewer

COARSE = MeshConfig(128)


@pytest.fixture(scope="module")
def sitter(avatar_file: Path) -> AvatarSitter:
    return BaseKind().sitter(load_avatar(avatar_file), Tools(), 128, plain=True)


@pytest.fixture(scope="module")
def mesh(sitter: AvatarSitter) -> Mesh:
    return sitter.mesh(COARSE)


@pytest.mark.parametrize("yaw", [-0.8, 0.0, 0.8, 2.5])
def test_the_mesh_looks_like_the_avatar(sitter: AvatarSitter, mesh: Mesh, yaw: float) -> None:
    assert isinstance(sitter, Sitter)
    view = sitter.look(yaw)
    drawn = MeshViewer(mesh).draw(view.camera, 128)
    rendered, meshed = view.depth.numpy() > 0, drawn.alpha > 0.5
    both = rendered & meshed
    assert (
        both.sum() / (rendered | meshed).sum() > 0.92
    )  # in front the photo takes away a shoulder that the mesh has
    picture = drawn.rgb + (1 - drawn.alpha[..., None]) * PAPER
    assert np.abs(view.rgb / 255 - picture)[both].mean() < 0.06
    depth = (
        drawn.distance * (view.camera.rays(128, 128).directions @ view.camera.R_world_camera[:, 2]).numpy()
    )
    assert np.abs(view.depth.numpy() - depth)[both & (drawn.distance > 0)].mean() < 0.015


def test_the_photo_sharpens_the_front_only(sitter: AvatarSitter, mesh: Mesh) -> None:
    plain = avatar_mesh(replace(sitter.puppet, detail=None), COARSE)
    np.testing.assert_array_equal(plain.vertices, mesh.vertices)
    changed = (plain.colours != mesh.colours).any(1)
    towards = sitter.puppet.avatar.fit.R_camera_head.numpy()[2]
    behind = mesh.normals @ towards < -0.2
    assert 0.1 < changed.mean() < 0.6
    assert changed[behind].mean() < 0.02
    view = sitter.look(float(np.arctan2(*sitter.puppet.avatar.fit.R_camera_head.numpy()[[0, 2], 2])))
    errors = []
    for each in (plain, mesh):
        drawn = MeshViewer(each).draw(view.camera, 128)
        solid = drawn.alpha == 1
        errors.append(np.abs(view.rgb / 255 - drawn.rgb)[solid].mean())
    assert errors[1] < errors[0]


def test_a_neutral_face_keeps_its_colours(sitter: AvatarSitter, mesh: Mesh) -> None:
    rest = sitter.mesh(replace(COARSE, neutral=True))
    np.testing.assert_array_equal(rest.faces, mesh.faces)
    np.testing.assert_array_equal(rest.colours, mesh.colours)
    model, fit = sitter.puppet.model, sitter.puppet.avatar.fit
    vertices = replace(fit, expression=torch.zeros(52)).vertices(model)
    tuck_mouth(model, vertices, torch.zeros(52))
    expected = vertices.numpy()
    np.testing.assert_allclose(rest.vertices[: len(expected)], expected, atol=1e-6)
    assert np.abs(rest.vertices - mesh.vertices).max() > 0.003


def test_the_sheet_shows_person_mesh_and_normals(sitter: AvatarSitter, mesh: Mesh) -> None:
    sheet = mesh_sheet(sitter, mesh, 64)
    assert sheet.shape == (3 * 67 + 3, 5 * 67 + 3, 3)
    assert SHEET_PX > 64
