"""The generator: mapping, backbone, decoder, super-resolution; loading and saving without pickle."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.backbones import CHART_BACKBONES, ChartBackboneConfig
from mien.generator.completion import Completer, CompletionConfig
from mien.generator.decoder import Decoded, Decoder, DecoderConfig
from mien.generator.mapping import AnyMappingConfig, BlockMappingConfig, MappingConfig, make_mapping
from mien.generator.names.model import Drawn, Names, NamesConfig, names_config_from
from mien.generator.planes import Planes, sample_planes, sample_residual, sample_shape
from mien.generator.superres import SuperResolution, SuperResolutionConfig

KIND = "generator"
MIEN_BASE = "mien-base.safetensors"


@dataclass(frozen=True)
class GeneratorConfig:
    """Presets of the generator's parts."""

    backbone: ChartBackboneConfig
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    mapping: AnyMappingConfig = field(default_factory=MappingConfig)
    superres: SuperResolutionConfig = field(default_factory=SuperResolutionConfig)
    completion: CompletionConfig | None = None
    """The network that completes what a photo hides, if there is one."""
    names: NamesConfig | None = None
    """What is known of people's features by name, if anything."""
    space: str = "canonical"
    """Where planes are looked up; see `mien.generator.spaces`."""


class Generator(nn.Module):
    """z -> w -> planes -> colour and hair height at plane coordinates."""

    w_std: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = make_mapping(config.mapping)
        self.backbone = CHART_BACKBONES[type(config.backbone)](config.backbone)
        self.decoder = Decoder(config.decoder)
        self.superres = SuperResolution(config.superres)
        self.completer = None if config.completion is None else Completer(config.completion)
        self.names = None if config.names is None else Names(config.names)
        self.register_buffer("w_std", torch.ones(config.mapping.w_size))

    def planes(self, w: Float[Tensor, "batch w"], expression: Float[Tensor, "batch 52"]) -> Planes:
        """Planes of each latent."""
        return self.backbone.planes(w, expression)

    def decode(self, planes: Planes, points: Float[Tensor, "batch point 3"]) -> Decoded:
        """Decoder outputs at plane coordinates: computed where the planes are, returned to the points."""
        here = points.device
        points = points.to(planes.uv.device)
        residual = None if planes.residual is None else sample_residual(planes, points)
        decoded = self.decoder(sample_planes(planes, points), residual)
        if planes.hair_height is not None:
            height, share = sample_shape(planes, points)
            decoded = replace(decoded, hair_height=height, hair_share=share)
        return decoded if points.device == here else decoded.to(here)

    def sample_w(
        self,
        count: int,
        *,
        truncation: float = 0.7,
        generator: torch.Generator | None = None,
        drawn: Drawn | None = None,
    ) -> Float[Tensor, "count w"]:
        """Latents of random people; of a generator with names, of people with labels that were `drawn`."""
        z = torch.randn(count, self.config.mapping.z_size, generator=generator)
        w = self.mapping(z, truncation)
        if self.names is None:
            return w
        drawn = drawn or self.names.draw(count, {}, truncation=truncation, generator=generator)
        return w + self.names.offset(drawn)


def save_generator(path: Path, generator: Generator, header: dict[str, Any] | None = None) -> None:
    """Write the weights as float16 safetensors, with the sizes in the header."""
    tensors = {k: v.detach().to(torch.float16) for k, v in generator.state_dict().items()}
    sizes = {k: asdict(getattr(generator.config, k)) for k in ("backbone", "decoder", "mapping", "superres")}
    backbone = type(generator.config.backbone).__name__
    mapping = type(generator.config.mapping).__name__
    completion = generator.config.completion
    if completion is not None:
        sizes["completion"] = asdict(completion)
    if generator.config.names is not None:
        sizes["names"] = asdict(generator.config.names)
    more = {"sizes": sizes, "backbone": backbone, "mapping": mapping, "space": generator.config.space}
    write_safetensors(path, tensors, {"kind": KIND, "version": 1, **more, **(header or {})})


def load_generator(explicit: Path | None = None, *, device: torch.device | str = "cpu") -> Generator:
    """The bundled mien-base, or a generator file of one's own. CheckpointError on anything unexpected."""
    path = asset_path(MIEN_BASE) if explicit is None else explicit
    checkpoint = read_safetensors(path, kind=KIND)
    generator = Generator(_config_from(checkpoint.header))
    expected = {k: tuple(v.shape) for k, v in generator.state_dict().items()}
    require_keys(checkpoint.tensors, expected, source=str(path))
    generator.load_state_dict({k: v.float() for k, v in checkpoint.tensors.items()})
    return generator.to(device).eval().requires_grad_(False)


def _config_from(header: dict[str, Any]) -> GeneratorConfig:
    known = {c.__name__: c for c in CHART_BACKBONES}
    name = header.get("backbone", "")
    if name not in known:
        raise CheckpointError(
            f"The generator file names the backbone {name!r}; this version knows {sorted(known)}."
        )
    try:
        sizes = header["sizes"]
        return GeneratorConfig(
            backbone=known[name](**sizes["backbone"]),
            decoder=DecoderConfig(**sizes["decoder"]),
            mapping=_mapping_from(header.get("mapping", MappingConfig.__name__), sizes["mapping"]),
            superres=SuperResolutionConfig(**sizes["superres"]),
            completion=_completion_from(sizes.get("completion")),
            names=names_config_from(sizes["names"]) if "names" in sizes else None,
            space=header["space"],
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"The generator file's header lacks or misnames its sizes ({error})."
        ) from error


def _completion_from(sizes: dict[str, Any] | None) -> CompletionConfig | None:
    return None if sizes is None else CompletionConfig(**{**sizes, "widths": tuple(sizes["widths"])})


def _mapping_from(name: str, sizes: dict[str, Any]) -> AnyMappingConfig:
    if name == BlockMappingConfig.__name__:
        return BlockMappingConfig(tuple(sizes["sizes"]), int(sizes["hidden"]))
    if name == MappingConfig.__name__:
        return MappingConfig(**sizes)
    raise CheckpointError(f"The generator file names the mapping {name!r}, which this version does not know.")
