"""A person in an expression, ready for any camera and light."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.carry import Carrier, make_carrier
from mien.morphable.model import PARTS, MorphableModel
from mien.training.procedural.atlas import ATLAS
from mien.training.procedural.glasses import GlassesMesh, glasses_mesh
from mien.training.procedural.growth import grow_strands
from mien.training.procedural.light import Light
from mien.training.procedural.paint.appearance import Appearance, paint_person
from mien.training.procedural.person import Person
from mien.training.procedural.render.cloth_shell import cloth_faces, cloth_shell
from mien.training.procedural.render.posed import Surface, pose_body
from mien.training.procedural.render.shadow import Shadows, cast_shadow
from mien.training.procedural.strands.base import Strands
from mien.training.procedural.strands.shadow import StrandShadow, StrandSky


@dataclass(frozen=True, eq=False)
class Sitter:
    """What does not change with the expression."""

    model: MorphableModel
    person: Person
    appearance: Appearance
    neutral: np.ndarray
    """float32 [V, 3], vertices of the neutral head."""
    cloth: np.ndarray
    """int64 [G], the body's triangles under cloth."""
    strands: Strands
    """On the neutral head."""
    glasses: GlassesMesh | None

    @cached_property
    def carrier(self) -> Carrier:
        """Takes points off the surface to plane coordinates."""
        return make_carrier(self.model, torch.from_numpy(self.neutral))


def make_sitter(model: MorphableModel, person: Person) -> Sitter:
    """Paint a person and find the neutral head."""
    identity = torch.from_numpy(person.shape.identity)
    neutral = model.vertices(identity, torch.zeros(52)).numpy().astype(np.float32)
    painted, cloth = paint_person(model, person), cloth_faces(model, person.clothes)
    glasses = glasses_mesh(model, neutral, person.glasses) if person.glasses else None
    return Sitter(model, person, painted, neutral, cloth, grow_strands(model, person, neutral), glasses)


@dataclass(frozen=True, eq=False)
class Scene:
    """A sitter in an expression. Triangles of all surfaces are numbered through: body, then cloth."""

    sitter: Sitter
    expression: np.ndarray
    """float32 [52]."""
    body: Surface
    cloth: Surface
    strands: Strands
    strand_sky: StrandSky
    relief: np.ndarray
    """float32 [ATLAS, ATLAS, 2], slopes of the surface's relief in this expression."""

    @cached_property
    def pile(self) -> Surface:
        """Body and cloth in one."""
        parts = (self.body, self.cloth)
        shift = len(self.body.vertices)
        joined = [np.concatenate([getattr(p, n) for p in parts]) for n in ("vertices", "normals", "sky")]
        faces = np.concatenate([self.body.faces, self.cloth.faces + shift]).astype(np.int32)
        grads = [np.concatenate([getattr(p, n) for p in parts]) for n in ("grad_u", "grad_v")]
        return Surface(joined[0], joined[1], faces, joined[2], grads[0], grads[1])

    @cached_property
    def corners(self) -> np.ndarray:
        """float32 [F, 3, 3], plane coordinates of all corners; cloth has those of the body below."""
        own = self.sitter.model.canonical_corners.numpy()
        return np.ascontiguousarray(np.concatenate([own, own[self.sitter.cloth]]), dtype=np.float32)

    @cached_property
    def cloth_mask_uv(self) -> np.ndarray:
        """float32 [G, 3, 2], texels of the cloth's corners on the atlas."""
        own = self.sitter.model.canonical_corners.numpy()[self.sitter.cloth, :, :2]
        return np.ascontiguousarray((own + 1) / 2 * ATLAS - 0.5, dtype=np.float32)

    @cached_property
    def part(self) -> np.ndarray:
        """uint8 [F], index into `PARTS` of every triangle; cloth counts as body."""
        own = self.sitter.model.part_of_face.numpy()
        return np.concatenate([own, np.full(len(self.sitter.cloth), PARTS.index("body"))]).astype(np.uint8)

    @cached_property
    def eye_rotations(self) -> np.ndarray:
        """float32 [2, 3, 3], from the eyes' own axes to the head's."""
        turn = torch.from_numpy(self.expression) @ self.sitter.model.eye_rotation
        return axis_angle_to_matrix(turn).numpy()

    def shadows(self, light: Light) -> Shadows:
        """Shadows of the key light."""
        eyes = (PARTS.index("eye_left"), PARTS.index("eye_right"))
        solid = self.body.faces[~np.isin(self.part[: len(self.body.faces)], eyes)]
        meshes = [(self.body.vertices, solid)]
        if self.sitter.glasses is not None:
            g = self.sitter.glasses
            meshes.append((g.vertices, np.ascontiguousarray(g.faces[g.alpha > 0.5])))
        surfaces = cast_shadow(light.key, meshes)
        return Shadows(surfaces, StrandShadow(self.strands, light.key.direction), light.key.direction)


def pose(sitter: Sitter, expression: np.ndarray) -> Scene:
    """A sitter in an expression [52] of ARKit coefficients."""
    expression = expression.astype(np.float32)
    body = pose_body(sitter.model, sitter.person.shape.identity, expression)
    strands = sitter.strands.moved(sitter.neutral, body.vertices, body.faces)
    sky = StrandSky(strands)
    body = replace(body, sky=body.sky * sky.share(body.vertices))
    cloth = cloth_shell(sitter.model, body, sitter.person.clothes, sitter.cloth)
    return Scene(sitter, expression, body, cloth, strands, sky, sitter.appearance.relief(expression))
