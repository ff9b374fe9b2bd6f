import shutil
from pathlib import Path

import pytest

from mien.core.assets import BUNDLED_DIR, asset_path, cache_dir, read_manifest, record_asset
from mien.core.errors import AssetError

NAME = "selfie_segmentation.tflite"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_explicit_wins_over_cache_wins_over_bundled(tmp_path: Path, cache: Path) -> None:
    assert asset_path(NAME) == BUNDLED_DIR / NAME
    shutil.copy(BUNDLED_DIR / NAME, cache / NAME)
    assert cache_dir() == cache
    assert asset_path(NAME) == cache / NAME
    mine = Path(shutil.copy(BUNDLED_DIR / NAME, tmp_path / "mine.tflite"))
    assert asset_path(NAME, explicit=mine) == mine


def test_another_file_is_refused_whatever_its_size(cache: Path) -> None:
    data = bytearray((BUNDLED_DIR / NAME).read_bytes())
    (cache / NAME).write_bytes(data[:-1])
    with pytest.raises(AssetError, match=r"is not the asset .*found a file of \d+ bytes.*delete it"):
        asset_path(NAME)
    data[100] ^= 1
    (cache / NAME).write_bytes(data)
    with pytest.raises(AssetError, match=r"found [0-9a-f]{64}, expected 9ee168ec"):
        asset_path(NAME)


def test_unknown_and_missing(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no asset named 'x'; the manifest knows .*face_landmarker\.task"):
        asset_path("x")
    with pytest.raises(AssetError, match="there is no such file"):
        asset_path(NAME, explicit=tmp_path / "gone")


def test_default_cache_is_in_the_platforms_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_CACHE")
    assert cache_dir().name == "mien"
    assert cache_dir().is_absolute()


def test_recording_an_asset_round_trips(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"abc")
    (tmp_path / "a.bin").write_bytes(b"")
    for name in ("b.bin", "a.bin"):
        entry = record_asset(name, licence="CC0-1.0", origin="here", folder=tmp_path)
        assert read_manifest(tmp_path)[name] == entry
    assert list(read_manifest(tmp_path)) == ["a.bin", "b.bin"]
    assert read_manifest(tmp_path)["b.bin"].sha256.startswith("ba7816bf")


def test_damaged_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[1]")
    with pytest.raises(AssetError, match="cannot be read"):
        read_manifest(tmp_path)
