"""The losses of one chunk of the batch, phase by phase (Chan et al. 2022, section 5 and supplement 1).

Every phase yields its losses one after another, so that the graph of one is freed before the next is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.eg3d.generator import Eg3dGenerator, Eg3dRender
from mien.training.discriminator import DualDiscriminator, r1_penalty, resized
from mien.training.gan.config import GanConfig
from mien.training.gan.dataset import Reals
from mien.training.gan.draws import random_labels, swapped
from mien.training.gan.losses import (
    blurred,
    density_loss,
    fake_loss,
    generator_loss,
    neighbours,
    real_loss,
)
from mien.training.gan.schedules import blur_deviation, neural_resolution, swap_probability


@dataclass(frozen=True)
class Moment:
    """What the schedules say at a step."""

    swap: float
    """How often the conditioning camera is another image's."""
    neural_px: int
    blur_px: float

    @classmethod
    def at(cls, config: GanConfig, images: int) -> "Moment":
        """After so many real images."""
        s, probability = config.schedule, config.generator.training.pose_swap_probability
        return cls(
            swap_probability(images, last=probability or 0.0, over_kimg=s.swap_fade_kimg),
            neural_resolution(
                images,
                first=s.neural_first,
                last=s.neural_last,
                from_kimg=s.neural_from_kimg,
                over_kimg=s.neural_fade_kimg,
            ),
            blur_deviation(images, first_px=s.blur_first_px, over_kimg=s.blur_fade_kimg),
        )


@dataclass(frozen=True, eq=False)
class Term:
    """A loss to go down, and figures for the log (means over the chunk, without gradient)."""

    loss: Float[Tensor, ""]
    figures: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Fakes:
    """Generated images with the cameras they are seen from."""

    render: Eg3dRender
    labels: Float[Tensor, "batch 25"]
    w: Float[Tensor, "batch w"]


class Phases:
    """The losses of given networks; `labels` are those of the data set, on the networks' device."""

    def __init__(
        self,
        config: GanConfig,
        generator: Eg3dGenerator,
        discriminator: DualDiscriminator,
        labels: Float[Tensor, "item 25"],
    ) -> None:
        self.config, self.generator, self.discriminator = config, generator, discriminator
        self.labels = labels

    def latents(
        self, moment: Moment, random: torch.Generator
    ) -> tuple[Float[Tensor, "batch w"], Float[Tensor, "batch 25"]]:
        """w and cameras of a chunk of fakes. w knows a camera: the image's own, or another one's."""
        count, mapping = self.config.chunk, self.config.generator.backbone.mapping
        z = torch.randn(count, mapping.z_dim, generator=random, device=random.device)
        labels = random_labels(self.labels, count, random)
        if self.config.generator.training.pose_swap_probability is None:
            conditions = torch.zeros_like(labels)
        else:
            conditions = swapped(labels, moment.swap, random)
        return self.generator.map_w(z, conditions), labels

    def fakes(self, moment: Moment, random: torch.Generator) -> Fakes:
        """A chunk of generated images."""
        w, labels = self.latents(moment, random)
        planes = self.generator.planes(w, noise="random", random=random)
        cameras = cameras_of(labels)
        render = self.generator.render(planes, w, cameras, neural_resolution=moment.neural_px, random=random)
        return Fakes(render, labels, w)

    def judge(
        self, image: Tensor, image_raw: Tensor, labels: Tensor, moment: Moment, random: torch.Generator
    ) -> Float[Tensor, "batch 1"]:
        """The discriminator's logits; the final image is blurred at the start of training."""
        return self.discriminator(blurred(image, moment.blur_px), image_raw, labels, random=random)

    def generator_terms(self, moment: Moment, random: torch.Generator) -> Iterator[Term]:
        """The generator against the discriminator."""
        fakes = self.fakes(moment, random)
        logits = self.judge(fakes.render.image, fakes.render.image_raw, fakes.labels, moment, random)
        loss = generator_loss(logits)
        yield Term(loss, {"loss_generator": loss, "alpha": fakes.render.alpha.mean()})

    def density_terms(self, moment: Moment, random: torch.Generator) -> Iterator[Term]:
        """Smoothness of the density at random points of new fakes."""
        record = self.config.generator.training
        w, _ = self.latents(moment, random)
        planes = self.generator.planes(w, noise="random", random=random)
        points, beside = neighbours(
            (len(w), self.config.loss.density_points), record.density_reg_distance, random
        )
        sigma, sigma_beside = self.generator.field(planes, torch.cat([points, beside], 1)).sigma.chunk(2, 1)
        loss = density_loss(sigma, sigma_beside)
        yield Term(record.density_reg * loss, {"density": loss})

    def discriminator_terms(
        self, moment: Moment, random: torch.Generator, reals: Reals, means_of_w: list[Tensor]
    ) -> Iterator[Term]:
        """The discriminator on fakes and on real images; the mean of the fakes' w is added to a list."""
        with torch.no_grad():
            fakes = self.fakes(moment, random)
        means_of_w.append(fakes.w.mean(0))
        logits = self.judge(fakes.render.image, fakes.render.image_raw, fakes.labels, moment, random)
        loss = fake_loss(logits)
        yield Term(loss, {"loss_fake": loss, "logit_fake": logits.mean()})
        logits = self.judge(reals.images, self.raw_of(reals, moment), reals.labels, moment, random)
        loss = real_loss(logits)
        yield Term(loss, {"loss_real": loss, "logit_real": logits.mean()})

    def penalty_terms(self, moment: Moment, random: torch.Generator, reals: Reals) -> Iterator[Term]:
        """R1 on both real images."""
        image = reals.images.detach().requires_grad_()
        raw = self.raw_of(reals, moment).detach().requires_grad_()
        penalty = r1_penalty(self.judge(image, raw, reals.labels, moment, random), [image, raw]).mean()
        yield Term(self.config.loss.r1_gamma / 2 * penalty, {"r1": penalty})

    @staticmethod
    def raw_of(reals: Reals, moment: Moment) -> Float[Tensor, "batch 3 height width"]:
        """Real images as small as the volume-rendered ones, and as blurred as the large ones."""
        return blurred(resized(reals.images, moment.neural_px), moment.blur_px)


def cameras_of(labels: Float[Tensor, "batch 25"]) -> list[Camera]:
    """Cameras of labels that were checked before."""
    return [Camera(row[:16].reshape(4, 4), row[16:].reshape(3, 3)) for row in labels]
