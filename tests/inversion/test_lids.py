from dataclasses import replace

import numpy as np
import torch
from tests.inversion.conftest import PHOTO_PX, Inverted, Portrait, make_portrait, psnr

from mien.generator.model import Generator
from mien.generator.render import pose_head, render
from mien.inversion.evidence import PhotoEvidence
from mien.inversion.lids import lid_guess
from mien.morphable.carry import make_carrier
from mien.morphable.landmarks import EYELIDS_LEFT, EYELIDS_RIGHT
from mien.morphable.lids import folded_lids
from mien.morphable.model import MorphableModel
from mien.morphable.raster import RayScene, interpolate


def test_lids_have_the_colour_of_the_skin_around_not_of_lashes(
    portrait: Portrait, evidence: PhotoEvidence, model: MorphableModel
) -> None:
    """Pixels of folded skin and lashes are not trusted; painted black, they hardly change that of skin, and
    give lashes along the edge."""
    folded = evidence.folded > 0.5
    assert 5 < int(folded.sum()) < 0.01 * PHOTO_PX**2
    assert evidence.colour_weight[folded].amax() < 0.5
    guess = lid_guess(evidence, portrait.fit, model)
    u = guess.points[:, 0]
    assert (u > 0).any()
    assert (u < 0).any()
    assert (guess.weight >= 0).all()
    assert guess.weight.amax() > 0.9
    skin = evidence.rgb[(evidence.colour_weight > 0.7) & (evidence.hair < 0.1)].median(0).values
    for side in (u > 0, u < 0):
        colours = guess.target[side].sigmoid()
        assert (colours - colours.median(0).values).abs().mean(0).amax() < 0.06, "no streaks"
        assert (colours.mean(0) - skin).abs().amax() < 0.25
    black = replace(evidence, rgb=torch.where(folded[:, None], 0.0, evidence.rgb))
    darker = lid_guess(black, portrait.fit, model).target.sigmoid()
    skin_left = (darker > 0.45 * guess.target.sigmoid()).all(1)
    assert 0.7 < float(skin_left.float().mean()) < 0.97
    assert darker[~skin_left].mean() < 0.2


def test_an_eye_behind_hair_gets_no_guess(
    portrait: Portrait, evidence: PhotoEvidence, model: MorphableModel
) -> None:
    hair = torch.ones_like(evidence.hair)
    assert len(lid_guess(replace(evidence, hair=hair), portrait.fit, model).points) == 0


def test_shut_lids_are_near_the_truth(
    inverted: Inverted, generator: Generator, model: MorphableModel
) -> None:
    """The inversion of open eyes, with its eyes shut, against a render of the person with shut eyes."""
    fit = inverted.portrait.fit
    shut = make_portrait(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    planes = inverted.inversion.planes(generator, shut.fit.expression)
    head = pose_head(model, fit.identity, shut.fit.expression, make_carrier(model, fit.neutral(model)), None)
    camera = fit.photo_camera(PHOTO_PX, PHOTO_PX)
    with torch.no_grad():
        out = render(generator, planes, head, camera, PHOTO_PX, PHOTO_PX, path="fast", antialias=True)
    share = folded_lids(model, fit.identity, fit.expression).numpy()[:, None]
    rays = camera.rays(PHOTO_PX, PHOTO_PX)
    hits = RayScene(head.vertices, model.faces_np).cast(
        *(r.reshape(-1, 3).numpy() for r in (rays.origins, rays.directions))
    )
    lids = interpolate(share, model.faces_np, hits).reshape(PHOTO_PX, PHOTO_PX) > 0.5
    assert lids.sum() > 30
    drawn = (out.rgb + 0.5 * (1 - out.alpha[..., None])).numpy()
    assert psnr(drawn, shut.rgb / 255, lids) > 22
    landmarks = fit.landmarks_px.numpy()
    for eyelids in (EYELIDS_LEFT, EYELIDS_RIGHT):
        x, y = landmarks[list(eyelids)].mean(0)
        rows, columns = np.nonzero(lids)
        near = np.hypot(rows - y, columns - x) < 0.15 * PHOTO_PX
        colours = drawn[rows[near], columns[near]]
        assert np.abs(colours - np.median(colours, 0)).mean(0).max() < 0.06, "no streaks"
