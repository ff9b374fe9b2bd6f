"""An EG3D avatar from all sides: for orbits, meshes and the sheet."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.animation.drive import to_uint8
from mien.animation.eg3d.actor import Drawn, Eg3dActor, draw
from mien.animation.eg3d.plate import border, over_photo
from mien.animation.viewer import FittedFace, Seen
from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.core.geometry import axis_angle_to_matrix
from mien.core.viewpoint import ViewAngles
from mien.generator.eg3d.surface import field_mesh
from mien.generator.samples import PAPER
from mien.generator.view import MeshConfig, View, depth_grey, view_of
from mien.io.mesh import Mesh
from mien.morphable.crop import CropRegion

YAWS_DEG: Final = (-45, -22, 0, 22, 45)
SPEAKING: Final = {"jawOpen": 0.6, "mouthSmileLeft": 0.3, "mouthSmileRight": 0.3}


@dataclass(frozen=True, eq=False)
class Eg3dSitter:
    """The person of an avatar, with the photo's expression, before a still background."""

    actor: Eg3dActor
    background: Float[Tensor, "size size 3"]

    def look(self, yaw_rad: float) -> View:
        """The person, see `Sitter`; the pitch and the tilt are the photo's. Depth is in the head's units."""
        camera = turned_camera(self.actor, yaw_rad)
        drawn = draw(self.actor, camera=camera)
        place, out = self.actor.place, drawn.out
        distance = out.depth[0, 0].cpu() / place.world_scale
        return view_of(self.picture(drawn), distance, out.alpha[0, 0].cpu(), place.in_head(camera))

    def mesh(self, config: MeshConfig | None = None) -> Mesh:
        """The density's surface, see `field_mesh`, in the head's frame and units."""
        mesh = field_mesh(self.actor.generator, self.actor.planes, config)
        vertices = self.actor.place.to_head(torch.from_numpy(np.array(mesh.vertices)))
        return replace(mesh, vertices=vertices.numpy())

    def picture(self, drawn: Drawn) -> UInt8[np.ndarray, "size size 3"]:
        """Over the background."""
        size = self.background.shape[0]
        layers = torch.cat([drawn.rgb * drawn.alpha[..., None], drawn.alpha[..., None]], -1)
        placed = over_photo(layers, CropRegion(size / 2, size / 2, float(size)), (size, size))
        return to_uint8(placed[..., :3] + self.background * (1 - placed[..., 3:]))


def sitter_of(actor: Eg3dActor, size_px: int, *, plain: bool = False) -> Eg3dSitter:
    """Before the photo's in-painted background, or before grey."""
    if plain:
        return Eg3dSitter(actor, torch.full((size_px, size_px, 3), PAPER))
    picture = actor.place.crop.sample(actor.avatar.background.numpy(), size_px)
    return Eg3dSitter(actor, torch.from_numpy(np.array(picture)).float() / 255)


def turned_camera(actor: Eg3dActor, yaw_rad: float) -> Camera:
    """The photo's camera, gone around the generator's pivot until the head is seen at a yaw."""
    camera = actor.place.camera
    turn = -yaw_rad - ViewAngles.of(camera.R_world_camera).yaw_rad
    R = axis_angle_to_matrix(torch.tensor([0.0, turn, 0.0]))
    pivot = torch.tensor(actor.generator.config.camera_pivot)
    T = camera.T_world_camera.clone()
    T[:3, :3] = R @ camera.R_world_camera
    T[:3, 3] = R @ (camera.position - pivot) + pivot
    return Camera(T, camera.intrinsics)


@dataclass(frozen=True, eq=False)
class Eg3dViewer:
    """The person of an avatar, from anywhere, in the working picture's framing."""

    actor: Eg3dActor

    @property
    def face(self) -> FittedFace:
        """The alignment's."""
        place, (height, width) = self.actor.place, self.actor.avatar.size
        camera = replace(place.head_camera, intrinsics=place.crop.photo_intrinsics(width, height))
        return FittedFace(camera, place.identity, place.expression)

    def see(self, camera: Camera, expression: Tensor, size_px: tuple[int, int]) -> Seen:
        """Drawn in EG3D's crop and laid in its place; outside of it nothing is known, so nothing is seen."""
        place, T = self.actor.place, camera.T_world_camera.clone()
        T[:3, 3] = place.to_world(camera.position)
        drawn = draw(self.actor, camera=Camera(T, place.camera.intrinsics), expression=expression)
        scale = size_px[0] / self.actor.avatar.size[0]
        region = place.crop.scaled(scale)
        layers = torch.cat([drawn.rgb * drawn.alpha[..., None], drawn.alpha[..., None]], -1)
        placed = over_photo(layers, region, size_px) * border(size_px, region)[..., None]
        return Seen(placed[..., :3], placed[..., 3])


def eg3d_sheet(actor: Eg3dActor, size_px: int = 224) -> UInt8[np.ndarray, "height width 3"]:
    """A picture [2 S, 5 S, 3]: photo, inversion, depth, neutral, speaking; five yaw angles."""
    sitter = sitter_of(actor, size_px)
    photo = actor.place.crop.sample(actor.avatar.photo.numpy(), size_px)
    own = draw(actor)
    neutral = draw(actor, expression=torch.zeros(52))
    expression = torch.zeros(52)
    for name, value in SPEAKING.items():
        expression[ARKIT_INDEX[name]] = value
    speaking = draw(actor, camera=turned_camera(actor, math.radians(20)), expression=expression)
    views = [sitter.look(math.radians(yaw)).rgb for yaw in YAWS_DEG]
    top = [photo, sitter.picture(own), _depth_picture(own, size_px), sitter.picture(neutral),
           sitter.picture(speaking)]  # fmt: skip
    return np.concatenate([np.concatenate(top, 1), np.concatenate(views, 1)])


def _depth_picture(drawn: Drawn, size_px: int) -> UInt8[np.ndarray, "size size 3"]:
    """Near is white."""
    distance, met = drawn.out.depth[0, 0].cpu(), drawn.out.alpha[0, 0].cpu() > 0.5
    grey = depth_grey(distance, met)
    region = CropRegion(size_px / 2, size_px / 2, float(size_px))
    return to_uint8(over_photo(grey[..., None], region, (size_px, size_px)).expand(-1, -1, 3))
