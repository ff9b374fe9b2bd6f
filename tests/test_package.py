"""The package as a whole: cheap to import, and honest about what it bundles."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mien
from mien.core.assets import BUNDLED_DIR, AssetEntry, asset_path, read_manifest, sha256_of_file

PROJECT = Path(__file__).parent.parent


def test_import_is_cheap() -> None:
    code = "import sys, mien; print({'torch', 'numpy', 'mediapipe', 'av'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_public_names_resolve() -> None:
    for name in mien.__all__:
        assert getattr(mien, name) is not None
    assert set(mien.__all__) <= set(dir(mien))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mien.nonsense


def test_version_is_the_projects() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == mien.__version__


def test_typed_marker_ships() -> None:
    assert (Path(mien.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", sorted(read_manifest()))
def test_bundled_asset_is_whole_and_acknowledged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(BUNDLED_DIR / "nowhere"))
    stale = f"{name} is not the file in the manifest; run scripts/update_notice.py if it was built anew"
    assert sha256_of_file(BUNDLED_DIR / name) == read_manifest()[name].sha256, stale
    assert asset_path(name) == BUNDLED_DIR / name
    entry, notice = read_manifest()[name], (PROJECT / "NOTICE").read_text(encoding="utf-8")
    assert f"\n{name}\n" in notice, f"NOTICE has no entry for {name}; run scripts/update_notice.py"
    block = notice.split(f"\n{name}\n", 1)[1].split("\n\n", 1)[0]
    fields = dict(re.findall(r"^    (\S+) +(.+)$", block, re.MULTILINE))
    assert fields["SHA-256"] == entry.sha256, (
        f"NOTICE has an old hash of {name}; run scripts/update_notice.py"
    )
    assert fields["Licence"] == entry.licence
    assert fields["Origin"]
    assert fields["What"]


def test_every_bundled_file_is_in_the_manifest() -> None:
    files = {p.name for p in BUNDLED_DIR.iterdir() if p.is_file()} - {"manifest.json"}
    assert files == set(read_manifest()), "add new files with scripts/update_notice.py --add"


def test_updating_the_notice_finds_a_block_or_makes_one() -> None:
    script = runpy.run_path(str(PROJECT / "scripts" / "update_notice.py"), run_name="update_notice")
    entry = AssetEntry(sha256="ab" * 32, bytes=3, licence="CC0-1.0", origin="here")
    text = "mien\n\na.bin\n    What      x\n    SHA-256   00ff\n\nb.bin\n    SHA-256   11\n"
    changed = script["with_hash"](text, "a.bin", entry)
    assert changed == text.replace("00ff", entry.sha256)
    longer = script["with_hash"](text, "c.bin", entry, what="a thing")
    assert longer.startswith(text)
    made = ["c.bin", "    What      a thing", "    Origin    here", "    Licence   CC0-1.0"]
    assert longer.removeprefix(text) == "\n" + "\n".join([*made, f"    SHA-256   {entry.sha256}"]) + "\n"
