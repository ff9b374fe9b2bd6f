"""The geometry encoder: from what the tracker sees to pose, expression and identity, with their error.

It is linear but for the view: MediaPipe's points are laid on a reference face (rigid motion and scale), their
principal components and the tracker's coefficients are multiplied by terms of the direction of view, and
ridge regression gives the rest. What it gives is the mean and the precision of a Gaussian, learned from
rendered heads (`mien.training.encoder`); `mien.morphable.fit` starts there and holds on to it.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.costs import FacePrior
from mien.tracking.faces import FaceObservation

KIND: Final = "face_encoder"
ASSET: Final = "face_encoder.safetensors"
FREE: Final = 55
"""Numbers before the identity: turn (3) and expression (52)."""
POINT_UNIT: Final = 0.03
"""A point's offset from the reference that counts like a third of a coefficient, EG3D units."""
COEFFICIENT_GAIN: Final = 3.0
VIEW_GAIN: Final = (2.0, 3.0, 3.0)
"""Of the products with the view's x, y and x squared."""


@dataclass(frozen=True, eq=False)
class FaceEncoder:
    """Weights. C components of what is observed, F = 4 C + 5 features, K components of identity."""

    reference: Float[Tensor, "478 3"]
    """Mean points in the head frame, EG3D units."""
    weight: Float[Tensor, "478"]
    """Of each point in the rigid motion; they sum to one."""
    observed_mean: Float[Tensor, "1486"]
    observed_basis: Float[Tensor, "1486 c"]
    limit: Float[Tensor, " c"]
    """Largest size of a component that is believed."""
    gain: Float[Tensor, "f out"]
    bias: Float[Tensor, " out"]
    """Turn in head axes (rad, 3), expression (52), identity (K)."""
    root: Float[Tensor, "out out"]
    """Square root of the precision: root.T @ root is the inverse of the error's covariance."""
    shift_gain: Float[Tensor, "shift_f 956"]
    shift_bias: Float[Tensor, "956"]
    """From components and view to where the points of the head model are, seen from MediaPipe's: right and
    down in an upright picture, EG3D units."""
    point_sd: Float[Tensor, "478"]
    """RMS error that is left then, along x or y."""

    @property
    def component_count(self) -> int:
        """Number of identity components K."""
        return len(self.bias) - FREE

    def encode(self, face: FaceObservation) -> "EncodedFace":
        """What is to be expected of a face; its place, size and roll in the picture change nothing else."""
        points = torch.from_numpy(face.landmarks_px).double()
        points = torch.cat([points, torch.from_numpy(face.landmarks_depth).double()[:, None]], 1)
        coefficients = torch.from_numpy(face.coefficients).double()
        aligned = align(points[None], self.reference, self.weight)
        seen = observed(aligned, coefficients[None])
        z = components(seen, self.observed_mean, self.observed_basis, self.limit)
        y = (features(z, aligned) @ self.gain + self.bias)[0]
        shift = torch.cat([z, view_terms(aligned)], 1) @ self.shift_gain + self.shift_bias
        prior = FacePrior(
            R_camera_head=aligned.R_camera_head[0] @ axis_angle_to_matrix(y[:3]),
            expression=y[3:FREE].clamp(0, 1),
            identity=y[FREE:],
            root=self.root,
        )
        return EncodedFace(prior, points[:, :2] + turned(shift.view(1, 478, 2), aligned)[0], self.point_sd)


@dataclass(frozen=True, eq=False)
class EncodedFace:
    """What the encoder says of a face."""

    prior: FacePrior
    points_px: Float[Tensor, "478 2"]
    """Where the head model's points are likely to be in the picture."""
    point_sd: Float[Tensor, "478"]
    """Their error along x or y, EG3D units."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Observed faces laid on the reference face."""

    R_camera_head: Float[Tensor, "n 3 3"]
    """Of the rigid motion alone; camera axes x right, y up, z to the viewer."""
    offset: Float[Tensor, "n 478 3"]
    """What the motion leaves, in head axes, EG3D units."""
    scale: Float[Tensor, " n"]
    """Pixels per EG3D unit."""


def align(
    points: Float[Tensor, "n 478 3"], reference: Float[Tensor, "478 3"], weight: Float[Tensor, "478"]
) -> Aligned:
    """Best rotation, scale and shift of the reference onto points (x right, y down, depth); Umeyama 1991."""
    xyz = points * points.new_tensor([1.0, -1.0, -1.0])
    xyz = xyz - (weight[:, None] * xyz).sum(1, keepdim=True)
    centred = reference - (weight[:, None] * reference).sum(0)
    U, S, Vt = torch.linalg.svd(torch.einsum("k,nki,kj->nij", weight, xyz, centred))
    sign = torch.ones_like(S)
    sign[:, 2] = torch.linalg.det(U @ Vt).sign()
    R = U @ torch.diag_embed(sign) @ Vt
    scale = (S * sign).sum(1) / (weight[:, None] * centred**2).sum()
    scale = scale.clamp(min=1e-9)
    return Aligned(R, (xyz / scale[:, None, None]) @ R - centred, scale)


def turned(shift: Float[Tensor, "n point 2"], aligned: Aligned) -> Float[Tensor, "n point 2"]:
    """Shifts in an upright picture (x right, y down, EG3D units) as pixels of the picture; see `upright`."""
    return aligned.scale[:, None, None] * (shift @ _roll(aligned))


def upright(shift_px: Float[Tensor, "n point 2"], aligned: Aligned) -> Float[Tensor, "n point 2"]:
    """Inverse of `turned`."""
    return shift_px @ _roll(aligned).transpose(1, 2) / aligned.scale[:, None, None]


def _roll(aligned: Aligned) -> Float[Tensor, "n 2 2"]:
    """Takes rows (x right, y down) of an upright picture to the picture, in which the head is rolled."""
    across = torch.nn.functional.normalize(aligned.R_camera_head[:, :2, 0], dim=1)
    cos, sin = across.unbind(1)  # counter-clockwise with y up
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def observed(aligned: Aligned, coefficients: Float[Tensor, "n 52"]) -> Float[Tensor, "n 1486"]:
    """Offsets and coefficients in units that count alike."""
    return torch.cat([aligned.offset.flatten(1) / POINT_UNIT, coefficients * COEFFICIENT_GAIN], 1)


def components(
    seen: Float[Tensor, "n 1486"], mean: Float[Tensor, "1486"], basis: Float[Tensor, "1486 c"],
    limit: Float[Tensor, " c"],
) -> Float[Tensor, "n c"]:  # fmt: skip
    """Components of what is observed, none larger than its limit."""
    return ((seen - mean) @ basis).clamp(-limit, limit)


def view_terms(aligned: Aligned) -> Float[Tensor, "n 5"]:
    """The viewer's direction in head axes, to the second order."""
    x, y = aligned.R_camera_head[:, 2, :2].unbind(1)
    return 5 * torch.stack([x, y, x * x, x * y, y * y], 1)


def features(z: Float[Tensor, "n c"], aligned: Aligned) -> Float[Tensor, "n f"]:
    """Components alone and times terms of the view, and those terms."""
    x, y = aligned.R_camera_head[:, 2, :2].unbind(1)
    products = [z * (gain * term)[:, None] for gain, term in zip(VIEW_GAIN, (x, y, x * x), strict=True)]
    return torch.cat([z, view_terms(aligned), *products], 1)


def save_encoder(path: Path, encoder: FaceEncoder, header: dict[str, object] | None = None) -> None:
    """Write an encoder; its large matrices in half precision."""
    half = ("observed_basis", "gain", "shift_gain")
    tensors = {f.name: getattr(encoder, f.name).to(torch.float16 if f.name in half else torch.float32)
               for f in fields(encoder)}  # fmt: skip
    write_safetensors(path, tensors, {"kind": KIND, **(header or {})})


def read_encoder(path: Path) -> FaceEncoder:
    """Read an encoder. Raises CheckpointError for a file that is none."""
    t = read_safetensors(path, kind=KIND).tensors
    c, out = (len(t[name]) if name in t and t[name].ndim else 0 for name in ("limit", "bias"))
    shapes: dict[str, tuple[int | None, ...]] = {
        "reference": (478, 3), "weight": (478,), "observed_mean": (1486,), "observed_basis": (1486, c),
        "limit": (c,), "gain": (4 * c + 5, out), "bias": (out,), "root": (out, out),
        "shift_gain": (c + 5, 956), "shift_bias": (956,), "point_sd": (478,),
    }  # fmt: skip
    require_keys(t, shapes, source=str(path))
    if not all(bool(torch.isfinite(x).all()) for x in t.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite; make it again.")
    return FaceEncoder(**{name: x.double() for name, x in t.items()})


@lru_cache(maxsize=1)
def load_face_encoder() -> FaceEncoder:
    """The bundled encoder."""
    return read_encoder(asset_path(ASSET))
