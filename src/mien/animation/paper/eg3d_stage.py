"""EG3D avatars in paper mode: frames of the tuned generator's w_t in the re-projected mask, w_0 around."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.animation.eg3d.actor import Drawn, Eg3dActor, SourceView, draw, neck_motion
from mien.animation.eg3d.stage import Eg3dStage
from mien.animation.paper.clip_stage import ClipStage
from mien.animation.paper.edited import edited_render
from mien.animation.paper.eg3d import Eg3dSequence, crop_of, invert_clip_eg3d
from mien.animation.paper.layers import PhotoLayers, layers_of
from mien.animation.paper.masks import reproject_mask
from mien.animation.paper.source import source_of
from mien.animation.plate import nearest_index
from mien.animation.retarget import DrivenMotion
from mien.generator.eg3d.generator import Eg3dRender, unit_image
from mien.generator.eg3d.renderer import eg3d_renderer
from mien.morphable.carry import HeadMotion


@dataclass(eq=False)
class PaperEg3dStage(ClipStage[Eg3dStage, Eg3dSequence]):
    """A stage of an EG3D avatar whose frames are inverted to edited renders."""

    kept: Path | None = None
    """Folder for the state of the descents."""

    @property
    def actor(self) -> Eg3dActor:
        """The avatar as it is animated in deformed mode."""
        return self.stage.actor

    @cached_property
    def photo_layers(self) -> PhotoLayers:
        """The photo taken apart."""
        return layers_of(source_of(self.actor.avatar, self.actor.model))

    def inverted(self, driven: DrivenMotion) -> Eg3dSequence:
        """Latents and tuning of a clip, worked out anew."""
        return invert_clip_eg3d(
            self.actor, self.photo_layers, driven.expression, driven.time_s, self.config, self.kept
        )

    def frames(self, driven: DrivenMotion, frames: Iterable[int] | None = None) -> Iterator[np.ndarray]:
        """Pictures of all frames or of those given, in order."""
        sequence = self.sequence(driven)
        for k in range(len(driven)) if frames is None else frames:
            R, shift, expression = (
                torch.from_numpy(np.array(t[k]))
                for t in (driven.R_camera_head, driven.translation_offset, driven.expression)
            )
            motion = neck_motion(self.actor, R, shift)
            yield self.stage.composed(self._drawn(sequence, k, expression, motion))

    def _drawn(
        self, sequence: Eg3dSequence, k: int, expression: Float[Tensor, "52"],
        motion: HeadMotion | None,
    ) -> Drawn:  # fmt: skip
        """The person at the driver's pose: w_0 around, w_t inside the mask."""
        face = self._frame_actor(sequence, k)
        at_photo = face.renderer.render(face.place.camera.to(face.device))
        edited = edited_render(self.photo_layers, self.photo_layers.source.posed(expression))
        face = replace(face, source=self._source_view(at_photo, edited.rgb))
        inner, outer = draw(face, motion=motion), draw(self.actor, motion=motion)
        sequence.passes.frames += 3
        mask = self._mask(edited.region, at_photo, inner, motion)
        return replace(
            outer, rgb=torch.lerp(outer.rgb, inner.rgb, mask[..., None]),
            alpha=torch.lerp(outer.alpha, inner.alpha, mask),
        )  # fmt: skip

    def _frame_actor(self, sequence: Eg3dSequence, k: int) -> Eg3dActor:
        with torch.no_grad():
            planes = sequence.planes(k)
        w = sequence.generator.backbone.layered(sequence.latents[k, None])
        return replace(
            self.actor, generator=sequence.generator, planes=planes,
            renderer=eg3d_renderer(sequence.generator, w, planes),
        )  # fmt: skip

    def _source_view(self, out: Eg3dRender, edited: np.ndarray) -> SourceView:
        """What the photo's camera sees of the frame's latent; detail is what the edit shows beyond."""
        picture = unit_image(out.image[0]).permute(1, 2, 0).cpu()
        detail = torch.zeros_like(picture)
        if self.config.detail:
            photo = self.actor.avatar.photo.numpy().astype(np.float32) / 255
            crop = torch.from_numpy(crop_of(self.actor, self.photo_layers, edited, photo)).permute(2, 0, 1)[
                None
            ]
            size = picture.shape[0]
            wanted = F.interpolate(crop, size=(size, size), mode="bilinear", antialias=True)[0]
            detail = (wanted.permute(1, 2, 0) - picture) * self.actor.source.matte[..., None]
        return SourceView(out.depth[0, 0].cpu(), self.actor.source.matte, detail)

    def _mask(
        self, region: np.ndarray, at_photo: Eg3dRender, drawn: Drawn, motion: HeadMotion | None
    ) -> Float[Tensor, "size size"]:
        """The edit's region, where it is in the frame."""
        place, size = self.actor.place, drawn.rgb.shape[0]
        mask = crop_of(self.actor, self.photo_layers, region, np.zeros(self.actor.avatar.size, np.float32))
        seen, met = at_photo.depth[0, 0].cpu() / place.world_scale, at_photo.alpha[0, 0].cpu()
        large = F.interpolate(seen[nearest_index(met > 0.3)][None, None], size=mask.shape, mode="nearest")
        distance, hit = drawn.out.depth[0, 0].cpu(), drawn.out.alpha[0, 0].cpu()
        rays = place.camera.rays(*distance.shape)
        filled = distance[nearest_index(hit > 0.3)][..., None]
        rest = place.to_head(rays.origins + rays.directions * filled)
        if motion is not None:
            rest = motion.invert_rigid_first(rest, steps=3)
        carried = reproject_mask(mask, large[0, 0].numpy(), place.head_camera, rest)
        return F.interpolate(
            carried[None, None], size=(size, size), mode="bilinear", align_corners=False
        )[0, 0].clamp(0, 1)  # fmt: skip
