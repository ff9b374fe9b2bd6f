"""A head in a pose, and the shell around its hair: the geometry that is rendered."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.generator.haircolours import HairColours, tabulate_hair
from mien.generator.hairtables import HairTables, make_hair_tables
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.volume import SOFTNESS
from mien.morphable import chart
from mien.morphable.beard import LAYERS, Beard, PosedBeard, pose_beard
from mien.morphable.carry import Carrier, HeadMotion, chart_grid
from mien.morphable.model import MorphableModel
from mien.morphable.shell import Shell, height_shell

SHELL_SIZE: Final = 112
SHELL_MARGIN: Final = 4 * SOFTNESS
EMPTY_HEIGHT: Final = -0.035
NECK_STEPS: Final = 3
RETREAT: Final = 0.01
"""EG3D units, 5 mm."""
RETREAT_FROM: Final = 0.5
"""jawOpen from which on the inside of a smiling mouth goes back."""
TUCK: Final = 0.7
"""Share of the way to the lip that what lies outside of the lips goes."""
LOWER_LIP: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
"""Landmarks along the lower lip's outer edge, from the head's right to its left."""
JAW_OPEN: Final = ARKIT_INDEX["jawOpen"]
SMILE: Final = (ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"])


@dataclass(frozen=True, eq=False)
class PosedHead:
    """Geometry of one frame: body vertices where they are seen, and how hair is carried there."""

    model: MorphableModel
    vertices: np.ndarray  # float32 [V, 3], moved pose
    carrier: Carrier
    motion: HeadMotion | None = None
    carried: np.ndarray | None = None
    """float32 [V, C]: numbers of the vertices to be looked up at the body's hits."""
    beard: PosedBeard | None = None
    """None if there is none, or if it is only on the skin."""


@dataclass(frozen=True, eq=False)
class HairShell:
    """The accelerator of one avatar: surface around its hair, on the template head and in its head frame."""

    shell: Shell
    vertices_head: Float[Tensor, "grid 3"]
    colours: HairColours | None = None
    """Table that spares the decoder, see `tabulate_hair`."""
    tables: HairTables | None = None
    """What the compiled march needs, see `make_hair_tables`; without it the plain one is taken."""
    moved: Float[Tensor, "grid 3"] | None = None
    """Its vertices where a head has moved them, if that is known, see `at`."""

    def at(self, head: PosedHead) -> "HairShell":
        """The shell that goes with one head only, whose vertices need not be moved again for every look."""
        return replace(self, moved=self.posed_vertices(head))

    def posed_vertices(self, head: PosedHead) -> Float[Tensor, "grid 3"]:
        """Its vertices where the head has moved them."""
        if self.moved is not None:
            return self.moved
        return self.vertices_head if head.motion is None else head.motion.apply(self.vertices_head)


def pose_head(
    model: MorphableModel,
    identity: Float[Tensor, " component"],
    expression: Float[Tensor, "52"],
    carrier: Carrier,
    motion: HeadMotion | None = None,
    *,
    torso: Float[Tensor, "#vertex 3"] | None = None,
    neck: Float[Tensor, " vertex"] | None = None,
    beard: Beard | None = None,
) -> PosedHead:
    """Vertices for identity and expression, `torso` added (see `FaceFit`), moved along the neck, each as
    far as `neck` says (None: by its height); with a beard, which turns with the head, however long it is.
    """
    vertices = model.vertices(identity, expression)
    tuck_mouth(model, vertices, expression)
    if torso is not None:
        vertices = vertices + torso
    if motion is not None:
        vertices = motion.apply(vertices, neck)
    if beard is None:
        return PosedHead(model, vertices.numpy().astype(np.float32), carrier, motion)
    turn = torch.eye(3) if motion is None else motion.R_chest_head
    vertices = vertices + beard.solid @ turn.T
    layers = pose_beard(beard, vertices, turn)
    return PosedHead(model, vertices.numpy().astype(np.float32), carrier, motion, beard=layers)


def all_vertices(head: PosedHead) -> np.ndarray:
    """Float32 [V2, 3]: of the body, and after them those of a beard's layers."""
    layers = () if head.beard is None else head.beard.layers
    return np.concatenate([head.vertices, *layers]) if layers else head.vertices


def carrying(head: PosedHead, carried: np.ndarray | None) -> PosedHead:
    """With numbers [V2, C] for `all_vertices`, or none."""
    if head.beard is None:
        return replace(head, carried=carried)
    if carried is None:
        return replace(head, carried=None, beard=replace(head.beard, carried=None))
    parts = np.split(carried[len(head.vertices) :], LAYERS)
    own = carried[: len(head.vertices)]
    return replace(head, carried=own, beard=replace(head.beard, carried=tuple(parts)))


def all_carried(head: PosedHead) -> np.ndarray:
    """What `carrying` was given."""
    assert head.carried is not None
    layers = () if head.beard is None or head.beard.carried is None else head.beard.carried
    return np.concatenate([head.carried, *layers]) if layers else head.carried


def tuck_mouth(
    model: MorphableModel, vertices: Float[Tensor, "vertex 3"], expression: Float[Tensor, "52"]
) -> None:
    """Move the mouth's inside, in place, where it would come through the skin.

    What lies below or beside the lower lip cannot be seen through the lips: it goes up by `TUCK` of how far
    below it is, out of the chin. Moved back instead, a row of teeth would be seen as a post from the side.
    """
    inner = _mouth_vertices(model)
    lip = model.landmarks(vertices)[list(LOWER_LIP)].numpy()
    x, y = vertices[inner, :2].numpy().T
    below = np.maximum(np.interp(x, lip[:, 0], lip[:, 1]) - y, 0)
    vertices[inner, 1] += TUCK * torch.from_numpy(below.astype(np.float32))
    vertices[inner, 2] -= mouth_retreat(expression)


def mouth_retreat(expression: Float[Tensor, "52"]) -> float:
    """How far tongue, lower teeth and the mouth's walls go back from the lips, EG3D units.

    A smile lifts the skin of the chin, an open jaw lowers the floor of the mouth: with both at their most the
    expressions, which just add up, would push the floor through the chin.
    """
    smile = expression[list(SMILE)].mean()
    wide = ((expression[JAW_OPEN] - RETREAT_FROM) / (1 - RETREAT_FROM)).clamp(0, 1)
    return RETREAT * float(smile * wide)


@lru_cache(maxsize=2)
def _mouth_vertices(model: MorphableModel) -> Int[Tensor, " inner"]:
    """Vertices of the mouth's inside that move with the lower jaw, without those shared with the lips."""
    inner = torch.cat([model.part_vertices(name) for name in ("mouth", "tongue", "teeth_lower")])
    return inner[~torch.isin(inner, model.part_vertices("body"))]


def outer_height(
    generator: Generator, planes: Planes, size: int = SHELL_SIZE, steps: int = 24
) -> Float[Tensor, "n n"]:
    """Largest height at which there is hair, per chart texel; `HEIGHT_RANGE[0]` where there is none."""
    if planes.hair_height is not None:
        own = planes.hair_height.cpu()
        return torch.nn.functional.interpolate(own, (size, size), mode="bilinear")[0, 0]
    low, high = chart.HEIGHT_RANGE
    heights = torch.linspace(low, high - 1e-3, steps)
    uv = chart_grid(size).view(1, -1, 2)
    outer = torch.full((size * size,), low)
    with torch.no_grad():
        for h in heights:
            third = chart.height_coordinate(h).expand(1, uv.shape[1], 1)
            decoded = generator.decode(planes, torch.cat([uv, third], -1)).hair_height[0]
            outer = torch.where(
                decoded >= h - (high - low) / steps / 2,
                torch.maximum(outer, torch.minimum(decoded, h + 0.02)),
                outer,
            )
    return outer.view(size, size)


def make_hair_shell(
    generator: Generator, planes: Planes, model: MorphableModel, carrier: Carrier
) -> HairShell | None:
    """Shell around all hair, or None for a head without hair."""
    height = outer_height(generator, planes)
    grown = torch.nn.functional.max_pool2d(
        torch.cat([height[:, -2:], height, height[:, :2]], 1)[None, None], 5, 1, 2
    )
    grown = grown[0, 0, :, 2:-2] + SHELL_MARGIN
    shell = height_shell(model, grown, EMPTY_HEIGHT + SHELL_MARGIN)
    if len(shell.faces) == 0:
        return None
    return HairShell(shell, carrier.to_head(shell.vertices))


def tabulated(shell: HairShell, generator: Generator, planes: Planes, carrier: Carrier) -> HairShell:
    """The shell with the tables that make many views of a tuned head fast."""
    colours = tabulate_hair(generator, planes)
    used = torch.from_numpy(np.unique(shell.shell.faces)).long()
    tables = make_hair_tables(planes, colours, carrier, shell.vertices_head[used])
    return replace(shell, colours=colours, tables=tables)


def hair_coordinates(head: PosedHead, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Plane coordinates of points where the head has moved them."""
    rest = points if head.motion is None else head.motion.invert_rigid_first(points, steps=NECK_STEPS)
    return head.carrier.to_planes(rest)
