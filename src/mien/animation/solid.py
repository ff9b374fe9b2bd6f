"""An avatar as a coloured mesh, with the photo's own detail where the photo shows the surface."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.animation.detail import DISTANCE, FACING, HIDDEN, TRUST, PhotoDetail
from mien.animation.drive import Puppet
from mien.core.curves import smoothstep
from mien.generator.headmesh import head_mesh
from mien.generator.render import pose_head
from mien.generator.view import MeshConfig
from mien.inversion.avatar import Avatar
from mien.io.mesh import Mesh
from mien.morphable.raster import vertex_normals
from mien.morphable.worn import FaceCover, WornGlasses, hidden_share

PERSON_ALPHA = (0.8, 1.0)
"""Alpha of the photo's matte between which its pixels are the person's own."""
LEAST_COVER = 127
"""Of 255: share of the photo's pixels at the corners of triangles of what is held before the face."""


def avatar_mesh(puppet: Puppet, config: MeshConfig | None = None) -> Mesh:
    """Body and hair of an avatar in the head's frame, in the photo's expression or with a face at rest."""
    config, fit = config or MeshConfig(), puppet.avatar.fit
    posed = partial(
        pose_head, puppet.model, fit.identity, carrier=puppet.carrier, torso=fit.torso, beard=puppet.beard
    )
    mesh = head_mesh(
        puppet.generator,
        puppet.planes,
        posed(fit.expression),
        config,
    )
    if puppet.detail is not None:
        mesh = replace(mesh, colours=photo_colours(mesh, puppet.avatar, puppet.detail))
    if config.neutral:
        rest = head_mesh(puppet.generator, puppet.planes, posed(torch.zeros(52)), config)
        mesh = replace(rest, colours=mesh.colours)
    glasses, cover = puppet.avatar.glasses, puppet.avatar.cover
    mesh = mesh if glasses is None else with_glasses(mesh, glasses)
    return mesh if cover is None else with_cover(mesh, cover, puppet.avatar.photo)


def with_glasses(mesh: Mesh, worn: WornGlasses) -> Mesh:
    """A mesh and the glasses on it."""
    colours = (worn.rgba[:, :3] * 255 + 0.5).to(torch.uint8).numpy()
    return _joined(mesh, worn.vertices.numpy(), worn.faces.numpy(), colours)


def with_cover(mesh: Mesh, cover: FaceCover, photo: UInt8[Tensor, "height width 3"]) -> Mesh:
    """A mesh and what is held before its face, as far as that fills the photo's pixels."""
    picture = torch.cat([photo, cover.mask[..., None]], -1).permute(2, 0, 1)[None].float()
    at = (cover.uv * 2 - 1)[None, None]
    found = F.grid_sample(picture, at, padding_mode="border", align_corners=False)[0, :, 0].T
    faces = cover.faces[(found[cover.faces, 3] > LEAST_COVER).all(1)].numpy()
    used, corners = np.unique(faces, return_inverse=True)
    colours = (found[used, :3] + 0.5).to(torch.uint8).numpy()
    return _joined(mesh, cover.vertices[used].numpy(), corners.reshape(-1, 3), colours)


def _joined(mesh: Mesh, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> Mesh:
    return Mesh(
        vertices=np.concatenate([mesh.vertices, vertices]).astype(np.float32),
        faces=np.concatenate([mesh.faces, faces + len(mesh.vertices)]).astype(np.int32),
        normals=np.concatenate([mesh.normals, vertex_normals(vertices, faces)]).astype(np.float32),
        colours=np.concatenate([mesh.colours, colours]),
    )


def photo_colours(mesh: Mesh, avatar: Avatar, detail: PhotoDetail) -> np.ndarray:
    """Colours uint8 [V, 3]: the photo's where it shows a vertex and is to be trusted, else the mesh's own."""
    points = torch.from_numpy(mesh.vertices)
    at = (detail.camera.project(points).uv * 2 - 1)[None, None]
    picture = torch.cat([avatar.photo, avatar.alpha[..., None]], -1).permute(2, 0, 1)[None].float() / 255
    hidden = hidden_share(avatar.glasses, avatar.cover)
    mask = torch.zeros(avatar.alpha.shape) if hidden is None else torch.from_numpy(hidden).float() / 255
    mask = F.max_pool2d(mask[None, None], 5, 1, 2)  # at its edge pixels are of both
    image = torch.cat([detail.levels[0][:, [DISTANCE, TRUST]], picture, mask], 1)
    found = F.grid_sample(image, at, padding_mode="zeros", align_corners=False)[0, :, 0].T
    distance, trust, photo, alpha = found[:, 0], found[:, 1], found[:, 2:5], found[:, 5]
    view = points - detail.camera.position
    facing = -(F.normalize(view, dim=-1) * torch.from_numpy(mesh.normals)).sum(-1)
    behind = view.norm(dim=-1) - distance
    share = smoothstep(torch.minimum(trust, facing), *FACING)
    share = share * smoothstep(alpha, *PERSON_ALPHA) * (1 - smoothstep(behind, *HIDDEN)) * (1 - found[:, 6])
    own = torch.from_numpy(mesh.colours).float() / 255
    return (torch.lerp(own, photo, share[:, None]) * 255 + 0.5).to(torch.uint8).numpy()
