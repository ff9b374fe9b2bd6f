import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation import performance
from mien.animation.kinds import base
from mien.apps.cli import run
from mien.core.assets import asset_path, sha256_of_file
from mien.core.checkpoint import read_safetensors
from mien.generator.model import MIEN_BASE
from mien.inversion.avatar import Avatar, load_avatar, save_avatar
from mien.io.images import read_photo
from mien.io.video import VideoWriter
from mien.pipeline import AvatarOptions, animate, create_avatar, describe, open_avatar
from mien.tracking.faces import choose_face, find_faces
from mien.tracking.headbox import head_box, part_of_photo


def test_the_same_photo_and_seed_give_the_same_avatar(
    portrait_file: Path, avatar_file: Path, tmp_path: Path
) -> None:
    """The first run went through the command line, see the fixture."""
    stages: list[tuple[str, float]] = []
    again = create_avatar(
        read_photo(portrait_file),
        AvatarOptions(size_px=256, probes=6),
        report=lambda s, x: stages.append((s, x)),
    )
    assert isinstance(again, Avatar)
    save_avatar(tmp_path / "again.mien", again)
    one, other = (read_safetensors(path, kind="avatar") for path in (avatar_file, tmp_path / "again.mien"))
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name
    assert one.header == other.header
    shares = [share for _, share in stages]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_an_avatar_tells_where_it_comes_from(avatar_file: Path, portrait_file: Path) -> None:
    facts = describe(load_avatar(avatar_file))
    assert facts["provenance: photo"] == portrait_file.name
    assert facts["provenance: photo_sha256"] == sha256_of_file(portrait_file)
    assert facts["provenance: generator_sha256"] == sha256_of_file(asset_path(MIEN_BASE))
    assert facts["provenance: seed"] == 0
    assert facts["working size"] == "256 x 256 px"


def test_info_prints_it(avatar_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(avatar_file)]) == 0
    assert "provenance: photo_sha256" in capsys.readouterr().out
    assert run(["info", str(avatar_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["working size"] == "256 x 256 px"


def test_an_avatar_file_is_opened_as_it_is(avatar_file: Path) -> None:
    avatar = open_avatar(avatar_file)
    assert torch.equal(avatar.photo, load_avatar(avatar_file).photo)
    assert avatar.photo.shape == (256, 256, 3)


def test_a_head_keeps_its_detail_in_a_large_photo(portrait_file: Path) -> None:
    photo = read_photo(portrait_file)
    wide = np.full((4 * photo.rgb.shape[0], 5 * photo.rgb.shape[1], 3), 128, np.uint8)
    y, x = photo.rgb.shape[0], 2 * photo.rgb.shape[1]
    wide[y : y + photo.rgb.shape[0], x : x + photo.rgb.shape[1]] = photo.rgb
    face = choose_face(find_faces(photo.rgb), "largest")
    moved = replace(face, box_px=tuple(t + s for t, s in zip(face.box_px, (x, y, x, y), strict=True)))
    x0, y0, x1, y1 = head_box(moved, wide.shape)
    assert x0 < moved.box_px[0] < moved.box_px[2] < x1
    assert y0 < moved.box_px[1] < moved.box_px[3] < y1
    part = part_of_photo(replace(photo, rgb=wide), (x0, y0, x1, y1))
    assert (part.name, part.sha256) == (photo.name, photo.sha256)
    again = choose_face(find_faces(part.rgb), "largest")
    shift = np.array([x0 - x, y0 - y], np.float32)
    np.testing.assert_allclose(again.landmarks_px + shift, face.landmarks_px, atol=0.03 * face.size_px)
    assert 2.5 * face.size_px < max(part.rgb.shape[:2]) < 3.6 * face.size_px


def test_a_killed_animation_goes_on_to_the_same_bytes(
    avatar_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    avatar, motion = load_avatar(avatar_file), tmp_path / "motion.json"
    motion.write_text(
        '{"fps": 25, "keyframes": [{"time_s": 0}, {"time_s": 0.72, "jawOpen": 0.8, "yaw_deg": 12}]}'
    )
    monkeypatch.setattr(performance, "SEGMENT", 5)
    go = partial(animate, avatar, motion, show_progress=False)
    count = len(go(tmp_path / "whole.mp4"))
    assert count == 18
    write = VideoWriter.write

    def killed_at(frame: int) -> Callable[..., None]:
        def written(writer: VideoWriter, *arguments: object, **more: object) -> None:
            if writer.frame_count == frame:
                raise KeyboardInterrupt
            write(writer, *arguments, **more)  # type: ignore[arg-type]

        return written

    drawn: list[int] = []
    draw = base.driven_frames

    def counted(
        puppet: object, canvas: object, driven: object, frames: Iterable[int] | None = None
    ) -> object:
        drawn.append(len(list(frames or [])))
        return draw(puppet, canvas, driven, frames)  # type: ignore[arg-type]

    for frame in (7, 16):
        monkeypatch.setattr(VideoWriter, "write", killed_at(frame))
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "parts.mp4")
        assert not (tmp_path / "parts.mp4").exists()
    monkeypatch.setattr(VideoWriter, "write", write)
    monkeypatch.setattr(base, "driven_frames", counted)
    go(tmp_path / "parts.mp4")
    assert drawn[-1] == count - 15
    assert (tmp_path / "parts.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not list(tmp_path.glob(".*"))
