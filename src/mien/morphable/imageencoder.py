"""The image encoder: from a picture of a face to the head model's points, pose, expression and identity.

A small residual network (He et al. 2016) on an upright crop, trained on renders of procedural heads (Wood et
al. 2021, 2022) by `mien.training.encoder`. It gives means and standard deviations (Kendall & Gal 2017); how
its errors go together is measured afterwards on unseen heads. What comes out is a Gaussian as the geometry
encoder's.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mien.core.assets import asset_path, read_manifest
from mien.core.checkpoint import read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.costs import FacePrior
from mien.morphable.encoder import FREE, EncodedFace
from mien.morphable.facecrop import CROP_UNITS, crop_for, cut_crop, observed_points
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import load_head_model
from mien.tracking.faces import FaceObservation

KIND: Final = "image_encoder"
ASSET: Final = "image_encoder.safetensors"
POINTS: Final = 956
"""Coordinates of 478 points."""
LEAST_LOG_SD, MOST_LOG_SD = -4.0, 2.0


@dataclass(frozen=True)
class ImageEncoderConfig:
    """The network's size. Each stage halves the picture."""

    size_px: int = 160
    """Side of the crop; a multiple of 32."""
    widths: tuple[int, ...] = (24, 48, 96, 192, 192)
    blocks: tuple[int, ...] = (0, 1, 2, 2, 1)
    """Residual blocks of each stage after its step down."""
    places: int = 48
    """Channels of the last map that keep their place."""
    hidden: int = 384
    identity: int = 80


@dataclass(frozen=True, eq=False)
class ImageAnswer:
    """What the network says of crops."""

    points: Float[Tensor, "n 478 2"]
    """In sides from the crop's middle (x right, y down)."""
    point_log_sd: Float[Tensor, "n 478"]
    """Log of the error of a point along x or y, sides."""
    turn: Float[Tensor, "n 3"]
    """Axis-angle of R_camera_head in the upright crop, for a camera that looks at the head's origin, rad."""
    shape: Float[Tensor, "n deviation"]
    """Expression (52), identity."""
    log_sd: Float[Tensor, "n out"]
    """Log of the error of turn (in head axes, rad), expression and identity."""


class ConvNorm(nn.Module):
    """A 3x3 convolution with batch normalisation, which `fold` takes into the weights."""

    def __init__(self, inputs: int, outputs: int, *, step: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, step, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        return torch.as_tensor(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Take the norm into the convolution; the network must be in evaluation mode."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(width, width), ConvNorm(width, width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return F.relu(x + self.second(F.relu(self.first(x))))


class ImageNetwork(nn.Module):
    """Crops in [0, 1] to an `ImageAnswer`. `mean` and `sd` [956 + out] are those of the examples."""

    mean: Tensor
    sd: Tensor

    def __init__(self, config: ImageEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ImageEncoderConfig()
        layers: list[nn.Module] = []
        for inputs, width, blocks in zip((3, *c.widths), c.widths, c.blocks, strict=False):
            layers += [ConvNorm(inputs, width, step=2), nn.ReLU(), *(Block(width) for _ in range(blocks))]
        self.body = nn.Sequential(*layers)
        self.places = nn.Conv2d(c.widths[-1], c.places, 1)
        side = c.size_px // 2 ** len(c.widths)
        self.hidden = nn.Linear(c.places * side * side + c.widths[-1], c.hidden)
        self.out = nn.Linear(c.hidden, POINTS + 478 + 2 * (FREE + c.identity))
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("mean", torch.zeros(POINTS + FREE + c.identity))
        self.register_buffer("sd", torch.ones(POINTS + FREE + c.identity))

    def forward(self, crops: Float[Tensor, "n 3 size size"]) -> ImageAnswer:
        x = self.body(4 * crops - 2)
        places = F.relu(self.places(x)).flatten(1)
        n = FREE + self.config.identity
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round angles to parts of a degree
            x = F.relu(self.hidden(torch.cat([places, x.mean((2, 3))], 1).float()))
            points, shape, point_log_sd, log_sd = self.out(x).split([POINTS, n, 478, n], 1)
        points = self.mean[:POINTS] + self.sd[:POINTS] * points
        shape = self.mean[POINTS:] + self.sd[POINTS:] * shape
        return ImageAnswer(
            points=points.unflatten(1, (478, 2)),
            point_log_sd=point_spread(self.sd).log() + point_log_sd.clamp(LEAST_LOG_SD, MOST_LOG_SD),
            turn=shape[:, :3],
            shape=shape[:, 3:],
            log_sd=self.sd[POINTS:].log() + log_sd.clamp(LEAST_LOG_SD, MOST_LOG_SD),
        )

    def fold(self) -> "ImageNetwork":
        """In evaluation mode, norms taken into the convolutions, without gradients."""
        self.eval().requires_grad_(False)
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self


def point_spread(sd: Float[Tensor, " n"]) -> Float[Tensor, "478"]:
    """Deviation of points along x or y (RMS of both) among the examples, from `ImageNetwork.sd`."""
    return sd[:POINTS].view(478, 2).square().mean(1).sqrt()


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """A network with the errors that it makes on heads that it has not seen."""

    network: ImageNetwork
    """Folded."""
    root: Float[Tensor, "out out"]
    """Square root of the precision of errors over the network's deviations: turn, expression, identity."""
    point_gain: Float[Tensor, "478"]
    """By how much the points' errors are larger than the network's own deviations (RMS)."""

    def encode(self, rgb: UInt8[np.ndarray, "height width 3"], face: FaceObservation) -> EncodedFace:
        """What is to be expected of a face in a picture in which the tracker has found it."""
        landmarks = landmark_model(load_head_model())
        crop = crop_for(observed_points(face)[None], landmarks)
        with torch.no_grad():
            answer = self.network(cut_crop(rgb, crop, self.network.config.size_px))
        prior = FacePrior(
            R_camera_head=(crop.R_camera_crop @ axis_angle_to_matrix(answer.turn.double()))[0],
            expression=answer.shape[0, : FREE - 3].double().clamp(0, 1),
            identity=answer.shape[0, FREE - 3 :].double(),
            root=self.root / answer.log_sd[0].double().exp(),
        )
        sd = CROP_UNITS * self.point_gain * answer.point_log_sd[0].double().exp()
        return EncodedFace(prior, crop.to_photo(answer.points.double())[0], sd)


def save_image_encoder(path: Path, encoder: ImageEncoder, header: dict[str, object] | None = None) -> None:
    """Write an encoder; its weights in half precision."""
    tensors = {f"network.{k}": v.half() for k, v in encoder.network.state_dict().items()}
    tensors |= {f"network.{k}": getattr(encoder.network, k) for k in ("mean", "sd")}
    tensors |= {"root": encoder.root.float(), "point_gain": encoder.point_gain.float()}
    write_safetensors(
        path, tensors, {"kind": KIND, "network": asdict(encoder.network.config), **(header or {})}
    )


def read_image_encoder(path: Path) -> ImageEncoder:
    """Read an encoder. Raises CheckpointError for a file that is none."""
    file = read_safetensors(path, kind=KIND)
    try:
        found: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in file.header["network"].items()
        }
        network = ImageNetwork(ImageEncoderConfig(**found)).fold()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not say what network it holds ({error}); make it again."
        ) from error
    out = FREE + network.config.identity
    shapes = {f"network.{k}": tuple(v.shape) for k, v in network.state_dict().items()}
    require_keys(file.tensors, shapes | {"root": (out, out), "point_gain": (478,)}, source=str(path))
    if not all(bool(torch.isfinite(t).all()) for t in file.tensors.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite; make it again.")
    prefix = "network."
    network.load_state_dict({k[len(prefix) :]: v for k, v in file.tensors.items() if k.startswith(prefix)})
    return ImageEncoder(network, file.tensors["root"].double(), file.tensors["point_gain"].double())


@lru_cache(maxsize=1)
def load_image_encoder() -> ImageEncoder | None:
    """The bundled encoder, or None if this mien comes without one."""
    return read_image_encoder(asset_path(ASSET)) if ASSET in read_manifest() else None
