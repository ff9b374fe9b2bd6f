"""Folders of photos become labelled crops."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.core.errors import InputError
from mien.io.images import Photo, read_photo
from mien.morphable.eg3d import dataset
from mien.morphable.eg3d.dataset import JOURNAL, LABELS, DatasetOptions, align_folder


@pytest.fixture
def photos(tmp_path: Path, portrait_file: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(portrait_file, folder / "a.png")
    shutil.copy(portrait_file, folder / "more" / "b.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not a photo, and not meant as one")
    return folder


def test_a_set_in_the_official_format(photos: Path, tmp_path: Path) -> None:
    output, told = tmp_path / "set", []
    result = align_folder(
        photos, output, DatasetOptions(mirror=True), report=lambda photo, why: told.append((photo, why))
    )
    assert result.written == 2
    assert [name for name, _ in result.skipped] == ["broken.jpg"]
    assert told == list(result.skipped)
    assert "not a picture" in told[0][1]
    labels = dict(json.loads((output / LABELS).read_text())["labels"])
    assert sorted(labels) == ["a.mirror.png", "a.png", "more/b.mirror.png", "more/b.png"]
    cameras = {name: Camera.from_label(torch.tensor(label)) for name, label in labels.items()}
    torch.testing.assert_close(cameras["a.png"].mirrored().to_label(), cameras["a.mirror.png"].to_label())
    plain, mirror = (read_photo(output / name).rgb for name in ("a.png", "a.mirror.png"))
    assert plain.shape == (512, 512, 3)
    np.testing.assert_array_equal(plain[:, ::-1], mirror)


def test_a_killed_run_goes_on_to_the_same_set(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, output = tmp_path / "whole", tmp_path / "set"
    align_folder(photos, whole)
    shutil.copytree(whole, output)
    (output / LABELS).unlink()
    lines = (output / JOURNAL).read_text().splitlines(keepends=True)
    (output / JOURNAL).write_text("".join(lines[:2]) + lines[2][:15])  # killed while it wrote
    seen: list[str] = []
    read = dataset.read_photo

    def watched(path: Path) -> Photo:
        seen.append(path.name)
        return read(path)

    monkeypatch.setattr(dataset, "read_photo", watched)
    align_folder(photos, output)
    assert seen == ["broken.jpg", "b.png"]
    for path in (p for p in whole.rglob("*") if p.is_file()):
        assert (output / path.relative_to(whole)).read_bytes() == path.read_bytes()
    seen.clear()
    align_folder(photos, output)
    assert seen == []


def test_a_changed_photo_is_done_again(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "set"
    align_folder(photos, output)
    before = json.loads((output / LABELS).read_text())
    shutil.copy(photos / "a.png", photos / "broken.jpg")
    result = align_folder(photos, output)
    assert result.written == 3
    after = json.loads((output / LABELS).read_text())
    assert len(after["labels"]) == len(before["labels"]) + 1


def test_photos_of_one_name_get_two_crops(photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "a.png", photos / "a.webp")
    align_folder(photos, tmp_path / "set")
    labels = json.loads((tmp_path / "set" / LABELS).read_text())["labels"]
    assert [name for name, _ in labels] == ["a.png.png", "a.webp.png", "more/b.png"]


def test_places_that_cannot_be(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for output, sentence in (
        (tmp_path / "file", "is a file"),
        (photos / "set", "lie in each other"),
        (tmp_path, "lie in each other"),
        (tmp_path / "full", "is not empty"),
        (tmp_path / "no" / "where", "does not exist"),
    ):
        with pytest.raises(InputError, match=sentence):
            align_folder(photos, output)
    align_folder(photos, tmp_path / "set")
    with pytest.raises(InputError, match="begun with other options"):
        align_folder(photos, tmp_path / "set", DatasetOptions(face="left"))
    (tmp_path / "set" / JOURNAL).write_text("nonsense\n")
    with pytest.raises(InputError, match="begun with other options"):
        align_folder(photos, tmp_path / "set")


def test_folders_without_usable_photos(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(InputError, match="holds no photos"):
        align_folder(folder, tmp_path / "set")
    (folder / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="None of the 1 photos"):
        align_folder(folder, tmp_path / "set")
    assert not (tmp_path / "set").exists()
