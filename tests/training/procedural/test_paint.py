from dataclasses import replace

import numpy as np

from mien.core.arkit import ARKIT_INDEX
from mien.morphable.model import MorphableModel
from mien.training.procedural.atlas import ATLAS, STRIP_WIDTH, atlas_guide, island, slopes, smooth_noise
from mien.training.procedural.paint.appearance import paint_person
from mien.training.procedural.paint.canvas import curves, resample
from mien.training.procedural.person import Person
from mien.training.procedural.render.scene import Sitter
from mien.training.procedural.semantics import Semantic


def test_the_guide_puts_landmarks_where_the_mesh_has_them(model: MorphableModel) -> None:
    guide = atlas_guide(model)
    for landmark in (4, 152, 50, 280, 10):
        column, row = np.rint(guide.landmarks_px[landmark]).astype(int)
        assert np.linalg.norm(guide.xyz[row, column] - guide.landmarks_xyz[landmark]) < 0.006
    assert guide.bump(4, 0.02).max() > 0.99
    assert guide.even.min() >= 0
    assert guide.even.max() == 1


def test_painting_depends_on_the_person_only(model: MorphableModel, sitter: Sitter) -> None:
    again = paint_person(model, sitter.person)
    assert np.array_equal(again.maps, sitter.appearance.maps)
    assert np.array_equal(again.strip_maps, sitter.appearance.strip_maps)
    assert np.array_equal(again.slopes, sitter.appearance.slopes)


def test_maps_are_in_range(sitter: Sitter) -> None:
    a = sitter.appearance
    for maps in (a.maps, a.strip_maps):
        assert np.isfinite(maps).all()
        assert maps[..., :3].min() >= 0
        assert maps[..., :3].max() < 0.95
        assert (maps[..., 3] <= 0.95).all()
        assert ((maps[..., 5] >= 0) & (maps[..., 5] <= 1)).all()
    assert a.maps[..., 3].min() > 0.1
    assert np.isfinite(a.slopes).all()
    assert {Semantic.SKIN, Semantic.LIPS, Semantic.CLOTHES} <= set(np.unique(a.material).tolist())
    found = set(np.unique(a.strip_material).tolist())
    assert {
        Semantic.IRIS,
        Semantic.PUPIL,
        Semantic.SCLERA,
        Semantic.TEETH,
        Semantic.GUMS,
        Semantic.TONGUE,
    } <= found


def test_darker_people_are_darker_and_lips_are_redder(model: MorphableModel, person: Person) -> None:
    bare = replace(
        person, makeup=replace(person.makeup, lipstick=0.0, blush=0.0, eye_shadow=0.0, eyeliner=0.0)
    )
    light, dark = (
        paint_person(model, replace(bare, skin=replace(person.skin, melanin=m))) for m in (0.05, 0.9)
    )
    face = atlas_guide(model).face > 0.9
    assert light.maps[face][:, :3].mean() > 3 * dark.maps[face][:, :3].mean()
    for a in (light, dark):
        lips, skin = (a.maps[face & (a.material == k)][:, :3].mean(0) for k in (Semantic.LIPS, Semantic.SKIN))
        assert lips[0] / lips[1] > skin[0] / skin[1]


def test_expressions_deepen_their_own_lines_only(sitter: Sitter) -> None:
    still = sitter.appearance.relief(np.zeros(52, np.float32))
    assert np.array_equal(still, sitter.appearance.slopes)
    raised = np.zeros(52, np.float32)
    raised[ARKIT_INDEX["browInnerUp"]] = 1
    changed = np.abs(sitter.appearance.relief(raised) - still).max(-1) > 0
    fold = next(f for f in sitter.appearance.folds if f.name == "forehead")
    outside = np.ones_like(changed)
    outside[fold.rows, fold.columns] = False
    assert changed.any()
    assert not changed[outside].any()


def test_slopes_of_a_plane_are_its_gradient() -> None:
    row = np.arange(ATLAS, dtype=np.float32)
    plane = np.repeat(row[:, None] * (2 / ATLAS) * 0.3, ATLAS, 1)
    found = slopes(plane, ATLAS)
    np.testing.assert_allclose(found[1:-1, :, 1], 0.3, rtol=1e-3)
    np.testing.assert_allclose(found[..., 0], 0, atol=1e-6)


def test_noise_has_no_seam_and_curves_pass_their_points() -> None:
    noise = smooth_noise(np.random.default_rng(0), 12)
    assert np.abs(noise[:, 0] - noise[:, -1]).max() < 0.2
    points = np.array([[100.0, 100], [140, 120], [180, 110]])
    np.testing.assert_allclose(resample(points, 5)[[0, 2, 4]], points)
    patch = curves([points], 1.5, [1.0])
    whole = patch.whole()
    assert whole[120, 140] > 0.5
    whole[patch.box] = 0
    assert not whole.any()


def test_islands_cover_their_columns() -> None:
    for part in ("eye_left", "teeth_lower", "mouth"):
        at = island(part)
        assert at.x.min() < -1 < 1 < at.x.max() or part == "eye_left"
        assert at.columns.stop <= STRIP_WIDTH
