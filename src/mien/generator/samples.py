"""Random heads of mien-base, and views of a head: picture, depth, normals, rows of contact sheets."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.generator.detail import add_detail
from mien.generator.headmesh import head_mesh
from mien.generator.model import Generator
from mien.generator.names.model import names_of
from mien.generator.names.people import draw_identities, edit
from mien.generator.names.spec import Value
from mien.generator.parts.beards import named_beard
from mien.generator.parts.dress import can_be_put_together, lent_beard, put_together, read_labels
from mien.generator.parts.store import load_parts
from mien.generator.planes import Planes
from mien.generator.posed import tabulated
from mien.generator.render import HairShell, PosedHead, RenderOutput, make_hair_shell, pose_head, render
from mien.generator.view import (
    SOLID,
    MeshConfig,
    View,
    normal_colours,
    surface_normals,
    view_of,
    viewer_normals,
)
from mien.io.mesh import Mesh
from mien.morphable.carry import make_carrier
from mien.morphable.model import MorphableModel, load_head_model

IDENTITY_STD: Final = 0.8
"""Spread of the identity coefficients of random heads of generators without names."""
LIPS_TOGETHER: Final = 0.09
"""Coefficient of mouthClose that closes the mouth at rest: the template's lips are a millimetre apart."""
SHEET_YAWS_DEG: Final = (-45.0, -20.0, 0.0, 20.0, 45.0)
RENDER_PX: Final = 128
PAPER: Final = 0.85
NEAR_GREY, FAR_GREY = 2.35, 3.0  # distances shown white and black
GAP_PX: Final = 3


@dataclass(frozen=True, eq=False)
class RandomHead:
    """A person who does not exist."""

    identity: Float[Tensor, " component"]
    w: Float[Tensor, " w"]
    labels: Mapping[str, Value] | None = None
    """What the person was drawn as, by name; None of generators without names."""


@dataclass(frozen=True)
class Wanted:
    """What random people shall be like."""

    given: Mapping[str, Value] = field(default_factory=dict)
    """Values by name that they are drawn with."""
    edits: Mapping[str, Value] = field(default_factory=dict)
    """Values by name that they get afterwards."""
    plain: bool = False
    """Whether they are left as smooth as the basis is."""


@dataclass(frozen=True, eq=False)
class StillHead:
    """A person with one expression, ready to be seen from anywhere."""

    generator: Generator
    planes: Planes
    posed: PosedHead
    shell: HairShell | None
    size_px: int = 256
    """Side of the pictures of `look`."""
    sharp: bool = False
    """Whether the planes hold finer detail than super-resolution gives: pictures are rendered as large as
    they are shown."""

    def view(self, camera: Camera, size_px: int = RENDER_PX, *, fine: bool = False) -> RenderOutput:
        """The rendered view, before super-resolution; `fine` with smooth edges and strands at the outline."""
        return render(
            self.generator, self.planes, self.posed, camera, size_px, size_px, shell=self.shell,
            antialias=fine, outline=float(fine),
        )  # fmt: skip

    def picture(self, camera: Camera, size_px: int = RENDER_PX) -> Float[Tensor, "4 height width"]:
        """The final picture of twice the size: premultiplied RGBA."""
        if self.sharp:
            return rgba_of(self.view(camera, 2 * size_px, fine=True))
        return enlarge(self.generator, self.view(camera, size_px))

    def look(self, yaw_rad: float) -> View:
        """The person over grey, see `Sitter`. The maps have half the side: super-resolution has none."""
        camera = Camera.orbit(-yaw_rad, 0.0)
        if self.sharp:
            out = self.view(camera, 2 * (self.size_px // 2), fine=True)
            return view_of(to_uint8(over_paper(rgba_of(out))), out.depth, out.alpha, camera)
        out = self.view(camera, self.size_px // 2)
        picture = to_uint8(over_paper(enlarge(self.generator, out)))
        return view_of(picture, out.depth, out.alpha, camera)

    def mesh(self, config: MeshConfig | None = None) -> Mesh:
        """Body and hair, see `head_mesh`."""
        return head_mesh(self.generator, self.planes, self.posed, config)


def random_heads(
    generator: Generator,
    model: MorphableModel,
    count: int,
    *,
    truncation: float = 0.7,
    seed: int = 0,
    given: Mapping[str, Value] | None = None,
) -> list[RandomHead]:
    """Draw people: latents from the mapping network, shapes from the head model.

    Of a generator with names, both go with labels, of which some may be `given`. The k-th depends on the seed
    only, not on `count`.
    """
    heads = []
    for k in range(count):
        random = torch.Generator().manual_seed(first_seed(seed) + k)
        if generator.names is None:
            w = generator.sample_w(1, truncation=truncation, generator=random)[0]
            heads.append(RandomHead(torch.randn(model.component_count, generator=random) * IDENTITY_STD, w))
            continue
        drawn = generator.names.draw(1, given or {}, truncation=truncation, generator=random)
        w = generator.sample_w(1, truncation=truncation, generator=random, drawn=drawn)[0]
        identity = draw_identities(generator.names, drawn, truncation=truncation, generator=random)[0]
        heads.append(RandomHead(identity, w, generator.names.labels(drawn.table[0])))
    return heads


def first_seed(seed: int) -> int:
    """Of the first person of a sheet; the next ones follow."""
    return seed * 100003


def rest_expression() -> Float[Tensor, "52"]:
    """The face at rest, lips closed."""
    expression = torch.zeros(52)
    expression[ARKIT_INDEX["mouthClose"]] = LIPS_TOGETHER
    return expression


def still_head(
    generator: Generator,
    model: MorphableModel,
    identity: Float[Tensor, " component"],
    w: Float[Tensor, " w"],
    expression: Float[Tensor, "52"] | None = None,
    *,
    size_px: int = 256,
    detail: int | None = None,
    labels: Mapping[str, Value] | None = None,
) -> StillHead:
    """A person at rest with closed lips (or with an expression) in the head frame.

    With a seed for `detail`, pores and strands are added: to people of generators with names and blocks from
    drawn heads like what the `labels` say, or what is read from the person (`put_together`); to others by the
    generator's network (`add_detail`).
    """
    expression = rest_expression() if expression is None else expression
    skin, beard = model.vertices(identity, torch.zeros(52)), None
    carrier = make_carrier(model, skin)
    sharp = detail is not None and can_be_put_together(generator)
    with torch.no_grad():
        planes = generator.planes(w[None], expression[None])
        if sharp:
            labels = read_labels(generator, w, identity) | dict(labels or {})
            planes = put_together(generator, planes, w, labels, load_parts(), seed=detail or 0)
            kind = lent_beard(generator, labels, load_parts(), seed=detail or 0)
            beard = named_beard(model, skin, kind)
        elif detail is not None:
            planes = add_detail(generator, planes, w, seed=detail)
        shell = make_hair_shell(generator, planes, model, carrier)
        if sharp and shell is not None:
            shell = tabulated(shell, generator, planes, carrier)
    posed = pose_head(model, identity, expression, carrier, beard=beard)
    return StillHead(generator, planes, posed, shell, size_px, sharp)


def rgba_of(out: RenderOutput) -> Float[Tensor, "4 height width"]:
    """Premultiplied colour and alpha."""
    return torch.cat([out.rgb, out.alpha[..., None]], -1).permute(2, 0, 1)


def enlarge(generator: Generator, out: RenderOutput) -> Float[Tensor, "4 height width"]:
    """Super-resolution of a view: twice the size, premultiplied RGBA."""
    with torch.no_grad():
        return torch.as_tensor(generator.superres(rgba_of(out)[None])[0])


def to_uint8(rgb: Float[Tensor, "height width 3"]) -> NDArray[np.uint8]:
    """[0, 1] to 8 bit."""
    return (rgb.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()


def over_paper(
    rgba: Float[Tensor, "4 height width"], paper: float = PAPER
) -> Float[Tensor, "height width 3"]:
    """Premultiplied RGBA over a grey."""
    return (rgba[:3] + (1 - rgba[3:]) * paper).permute(1, 2, 0)


def depth_picture(out: RenderOutput) -> Float[Tensor, "height width 3"]:
    """Near is white, far is dark, nothing is black."""
    shown = ((FAR_GREY - out.depth) / (FAR_GREY - NEAR_GREY)).clamp(0, 1) * (out.alpha > 0.5)
    return shown[..., None].expand(-1, -1, 3)


def normal_picture(out: RenderOutput, camera: Camera) -> Float[Tensor, "height width 3"]:
    """Normals in camera axes as colours: red right, green up, blue towards the viewer."""
    seen = out.depth * (out.alpha > SOLID)
    return normal_colours(viewer_normals(surface_normals(seen, camera), camera))


def join_pictures(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Rows of pictures of one size in a white frame."""
    pad = ((GAP_PX, 0), (GAP_PX, 0), (0, 0))
    lines = [np.concatenate([np.pad(p, pad, constant_values=255) for p in row], 1) for row in rows]
    sheet = np.concatenate(lines, 0)
    return np.pad(sheet, ((0, GAP_PX), (0, GAP_PX), (0, 0)), constant_values=255)


def head_row(head: StillHead, yaws_deg: Sequence[float] = SHEET_YAWS_DEG) -> list[NDArray[np.uint8]]:
    """Turned views, then depth and normals of the frontal view; all of 2 * RENDER_PX pixels a side."""
    pictures = [over_paper(head.picture(Camera.orbit(math.radians(yaw), 0.0))) for yaw in yaws_deg]
    front = Camera.orbit(0.0, 0.0)
    out = head.view(front, 2 * RENDER_PX)
    return [to_uint8(p) for p in (*pictures, depth_picture(out), normal_picture(out, front))]


def base_rows(
    generator: Generator,
    count: int,
    *,
    truncation: float = 0.7,
    seed: int = 0,
    wanted: Wanted | None = None,
) -> Iterator[list[NDArray[np.uint8]]]:
    """A row for each random head."""
    model, wanted = load_head_model(), wanted or Wanted()
    heads = random_heads(generator, model, count, truncation=truncation, seed=seed, given=wanted.given)
    for k, head in enumerate(heads):
        w, identity, labels = head.w, head.identity, head.labels
        if wanted.edits:
            w, identity = edit(names_of(generator.names), w, identity, wanted.edits)
            labels = {**(labels or {}), **wanted.edits}
        detail = None if wanted.plain else first_seed(seed) + k
        yield head_row(still_head(generator, model, identity, w, detail=detail, labels=labels))
