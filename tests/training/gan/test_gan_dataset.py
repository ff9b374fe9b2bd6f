import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mien.core.camera import Camera
from mien.core.errors import InputError
from mien.training.gan.dataset import GanDataset, mirrored_label

Spoil = Callable[[Path, dict[str, Any]], Any]


def test_pictures_come_with_their_labels(pictures: Path) -> None:
    data = GanDataset(pictures)
    listed = json.loads((pictures / "dataset.json").read_text())["labels"]
    assert len(data) == 6
    assert data.image_px == 64
    found = data.prepare([4, 1]).result()
    torch.testing.assert_close(found.labels, torch.tensor([listed[4][1], listed[1][1]]))
    for image, k in zip(found.images, (4, 1), strict=True):
        expected = np.asarray(Image.open(pictures / listed[k][0])) / 127.5 - 1
        torch.testing.assert_close(image.permute(1, 2, 0), torch.tensor(expected, dtype=torch.float32))


def test_mirrored_pictures_have_mirrored_cameras(pictures: Path) -> None:
    """A world point mirrored at x = 0 is seen at the mirrored place of the image."""
    data = GanDataset(pictures, mirror=True)
    assert len(data) == 12
    found = data.read([2, 8])
    assert torch.equal(found.images[1], found.images[0].flip(2))
    assert torch.equal(mirrored_label(found.labels[1]), found.labels[0])
    skewed = found.labels[0].clone()
    skewed[17:19] = torch.tensor([0.1, 0.45])
    for label in (found.labels[0], skewed):
        camera, mirror = Camera.from_label(label), Camera.from_label(mirrored_label(label))
        point = torch.tensor([[0.2, 0.1, 0.3], [-0.1, 0.2, 0.0]])
        there = camera.project(point).uv
        back = mirror.project(point * torch.tensor([-1.0, 1.0, 1.0])).uv
        torch.testing.assert_close(back, torch.stack([1 - there[:, 0], there[:, 1]], 1))


def entry(numbers: Any) -> Spoil:
    def spoil(folder: Path, labels: dict[str, Any]) -> None:
        labels["labels"][3][1] = numbers(labels["labels"][3][1]) if callable(numbers) else numbers

    return spoil


def replaced(found: Any) -> Spoil:
    def spoil(folder: Path, labels: dict[str, Any]) -> None:
        labels.clear()
        labels.update(found)

    return spoil


def picture(width: int, height: int) -> Spoil:
    return lambda folder, labels: Image.new("RGB", (width, height)).save(folder / "004.png")


def named(name: str) -> Spoil:
    def spoil(folder: Path, labels: dict[str, Any]) -> None:
        labels["labels"][0][0] = name

    return spoil


SPOILT: dict[str, tuple[Spoil, str]] = {
    "no label": (lambda f, labels: labels["labels"].pop(2), "1 pictures in .* have no label.*002.png"),
    "no picture": (lambda f, labels: (f / "001.png").unlink(), "1 of the 6 pictures.*such as 001.png"),
    "twice": (lambda f, labels: labels["labels"].append(labels["labels"][0]), "lists 000.png twice"),
    "short label": (entry([1.0, 2.0]), "label of 003.png .* is 2 numbers; expected 25"),
    "words": (entry("front"), "label of 003.png .* is front; expected 25 numbers"),
    "null": (entry(None), "label of 003.png .* is None"),
    "no rotation": (entry(lambda n: [5.0, *n[1:]]), "label of 003.png .* is no camera"),
    "not finite": (entry(lambda n: [*n[:16], float("nan"), *n[17:]]), "label of 003.png .* is no camera"),
    "no pictures": (replaced({"labels": []}), "lists no pictures"),
    "no labels at all": (replaced({"labels": None}), "does not hold"),
    "outside": (named("../secret.png"), "expected a file inside the folder"),
    "absolute": (named("/secret.png"), "expected a file inside the folder"),
    "another size": (picture(32, 32), "004.png has 32 x 32 pixels; expected squares of one size"),
    "not square": (picture(64, 60), "004.png has 64 x 60 pixels"),
    "not a picture": (lambda f, labels: (f / "004.png").write_text("x" * 99), "004.png is not a readable"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_set_is_refused(own_pictures: Path, case: str) -> None:
    spoil, sentence = SPOILT[case]
    path = own_pictures / "dataset.json"
    labels = json.loads(path.read_text())
    spoil(own_pictures, labels)
    path.write_text(json.dumps(labels))
    with pytest.raises(InputError, match=sentence):
        GanDataset(own_pictures)


def test_labels_that_cannot_be_read(own_pictures: Path) -> None:
    path = own_pictures / "dataset.json"
    for text in ("{", "[" * 100_000, "[]"):
        path.write_text(text)
        with pytest.raises(InputError, match="does not hold"):
            GanDataset(own_pictures)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"no readable dataset.json"):
        GanDataset(own_pictures)
    path.unlink()
    with pytest.raises(InputError, match=r"no readable dataset.json .* `mien align`"):
        GanDataset(own_pictures)
    with pytest.raises(InputError, match="is not a folder"):
        GanDataset(path)


def test_a_cut_off_picture_is_named_when_it_is_read(own_pictures: Path) -> None:
    path = own_pictures / "004.png"
    path.write_bytes(path.read_bytes()[:120])
    data = GanDataset(own_pictures)
    with pytest.raises(InputError, match=r"004.png is damaged or cut off"):
        data.read([4])
