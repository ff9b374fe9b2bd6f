"""What a photo shows of a head, as evidence for the generator's own network, see `generator.completion`."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from mien.generator.completion import EVIDENCE_SIZE, ChartEvidence, base_of
from mien.generator.decoder import HEIGHT_SCALE
from mien.generator.model import Generator
from mien.generator.planes import Planes, resize
from mien.generator.texels import Splatted, splat
from mien.inversion.hidden import Observations
from mien.morphable import chart


def chart_evidence(
    generator: Generator,
    planes: Planes,
    height: Float[Tensor, "v u"],
    body: Observations,
    hair: Observations,
) -> ChartEvidence:
    """Observed colours (logits) on the chart, beside what the generator has; planes without a residual."""
    base = base_of(generator, replace(planes, hair_height=None, residual=None))
    known = resize(height[None, None], EVIDENCE_SIZE)[0].clamp(*chart.HEIGHT_RANGE) / HEIGHT_SCALE
    return ChartEvidence(_splatted(body), _splatted(hair), base, known)


def _splatted(o: Observations) -> Splatted:
    used = o.weight > 1e-3
    return splat(o.points[used, :2], o.target[used], o.weight[used], EVIDENCE_SIZE)
