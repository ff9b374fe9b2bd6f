import torch

from mien.core.arkit import ARKIT_INDEX
from mien.morphable.landmarks import EYELIDS_LEFT, EYELIDS_RIGHT
from mien.morphable.lids import folded_lids
from mien.morphable.model import MorphableModel, load_head_model


def share_with(model: MorphableModel, **coefficients: float) -> torch.Tensor:
    expression = torch.zeros(52)
    for name, value in coefficients.items():
        expression[ARKIT_INDEX[name]] = value
    return folded_lids(model, torch.zeros(len(model.identity)), expression)


def test_skin_is_folded_beside_the_upper_lids_only() -> None:
    model = load_head_model()
    share = share_with(model)
    assert share.amin() == 0
    assert share.amax() > 0.9
    landmarks = model.landmarks(model.mean)
    for lids in (EYELIDS_LEFT, EYELIDS_RIGHT):
        side = torch.sign(landmarks[lids[0], 0])
        mine = (share > 0.5) & (model.mean[:, 0] * side > 0)
        assert mine.sum() > 5
        upper = landmarks[list(lids[9:])]
        away = torch.cdist(model.mean[mine], upper).amin(1)
        assert away.max() < 0.03  # 1.5 cm


def test_shut_eyes_fold_nothing() -> None:
    model = load_head_model()
    both = share_with(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    assert both.amax() == 0
    left = share_with(model, eyeBlinkLeft=1.0)
    assert left.amax() > 0.9
    folded = model.mean[left > 0.5, 0]
    assert (folded > 0).all() or (folded < 0).all()
    assert folded.mean().sign() == model.landmarks(model.mean)[EYELIDS_RIGHT[0], 0].sign()
