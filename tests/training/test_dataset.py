import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.errors import InputError
from mien.morphable.model import MorphableModel
from mien.training import dataset
from mien.training.chartmaps import head_maps
from mien.training.dataset import BODY, HAIR, DatasetConfig, HeadDataset, build_dataset, open_dataset
from mien.training.heads import random_head

TINY = DatasetConfig(heads=3, views=1, size=16, map_size=16, seed=1)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_an_interrupted_build_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_dataset(tmp_path / "whole", TINY)
    render = dataset._render_views

    def stopping(folder: Path, config: DatasetConfig, index: int) -> None:
        if index == 1:
            raise KeyboardInterrupt
        render(folder, config, index)

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "_render_views", stopping)
        with pytest.raises(KeyboardInterrupt):
            build_dataset(tmp_path / "parts", TINY)
    assert np.load(tmp_path / "parts" / "done.npy").tolist() == [True, False, False]
    with pytest.raises(InputError, match="not finished; build it again, it resumes"):
        open_dataset(tmp_path / "parts")
    build_dataset(tmp_path / "parts", TINY)
    assert digests(tmp_path / "parts") == digests(tmp_path / "whole")


def test_a_finished_set_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_dataset(tmp_path, replace(TINY, heads=1))
    before = digests(tmp_path)
    monkeypatch.setattr(dataset, "_render_views", lambda *_: pytest.fail("rendered again"))
    build_dataset(tmp_path, replace(TINY, heads=1))
    assert digests(tmp_path) == before


def test_a_head_can_be_drawn_again(data: HeadDataset, model: MorphableModel) -> None:
    head = random_head(model, np.random.default_rng([data.config.seed, 4]))
    assert np.array_equal(data.identities[4], head.identity)
    assert np.array_equal(data.maps[4], head_maps(model, head, data.config.map_size))


def test_what_is_in_a_set(data: HeadDataset) -> None:
    kind = data.pixels["kind"][..., 0]
    assert (data.pixels["rgb"][kind == 0] == 0).all()
    assert (data.pixels["body_depth"][kind == BODY] > 2).all()
    assert (data.pixels["hair_planes"][kind != HAIR] == 0).all()
    assert ((data.maps[:, :6] >= 0) & (data.maps[:, :6] <= 1)).all()
    T = torch.from_numpy(data.cameras.copy())
    torch.testing.assert_close(T[:, :3, :3] @ T[:, :3, :3].mT, torch.eye(3).expand(len(T), 3, 3))


def test_other_settings_are_refused(data_folder: Path) -> None:
    with pytest.raises(InputError, match="other settings; choose another folder or delete it"):
        build_dataset(data_folder, TINY)


def test_no_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no set of procedural heads"):
        open_dataset(tmp_path)
    (tmp_path / "config.json").write_text('{"heds": 3}')
    with pytest.raises(InputError, match="is not the settings of a set of heads"):
        open_dataset(tmp_path)
