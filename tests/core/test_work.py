"""What a long job keeps, and what it says when inputs have changed."""

import json
from pathlib import Path

import pytest

from mien.core.errors import InputError, ResumeError
from mien.core.work import KeptWork

FACTS = {"driver": {"name": "a.mp4", "sha256": "12"}, "settings": {"smoothing": 1.0, "limits": [1, 2]}}


def begun(output: Path) -> Path:
    """A part with a file in it, left behind by a killed job."""
    folder = KeptWork(output).part("frames", FACTS)
    (folder / "000000.mkv").touch()
    return folder


def test_the_same_job_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"
    folder = begun(output)
    said: list[str] = []
    renamed = FACTS | {"driver": {"name": "b.mp4", "sha256": "12"}}
    for resume in (None, True):
        assert KeptWork(output, resume=resume, say=said.append).part("frames", renamed) == folder
        assert (folder / "000000.mkv").is_file()
    assert said == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (FACTS | {"driver": {"name": "a.mp4", "sha256": "34"}}, "driver.sha256 was 12 and is 34"),
        (FACTS | {"settings": {"smoothing": 2.0, "limits": [1, 2]}}, "settings.smoothing was 1.0 and is 2.0"),
        ({"driver": FACTS["driver"]}, "settings.smoothing was 1.0 and is missing"),
        (FACTS | {"weights": "56"}, "weights was missing and is 56"),
    ],
)
def test_another_job_is_said_or_refused(tmp_path: Path, facts: dict[str, object], words: str) -> None:
    output = tmp_path / "a.mp4"
    folder = begun(output)
    with pytest.raises(ResumeError, match=words), KeptWork(output, resume=True) as work:
        work.part("frames", facts)
    assert (folder / "000000.mkv").is_file()  # refusing throws nothing away
    said: list[str] = []
    KeptWork(output, say=said.append).part("frames", facts)
    assert len(said) == 1
    assert words in said[0]
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_a_damaged_manifest_is_another_job(tmp_path: Path) -> None:
    folder = begun(tmp_path / "a.mp4")
    (folder / "manifest.json").write_text("{")
    assert not (KeptWork(tmp_path / "a.mp4").part("frames", FACTS) / "000000.mkv").exists()


def test_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"Nothing of .*a\.mp4 was kept"):
        KeptWork(tmp_path / "a.mp4", resume=True)
    (tmp_path / ".a.mp4.inversion").mkdir()
    KeptWork(tmp_path / "a.mp4", resume=True)


def test_no_resume_throws_away(tmp_path: Path) -> None:
    folder = begun(tmp_path / "a.mp4")
    KeptWork(tmp_path / "a.mp4", resume=False)
    assert not folder.exists()


def test_what_a_killed_job_was_writing_is_removed(tmp_path: Path) -> None:
    output, stale, other = (tmp_path / name for name in ("a.mp4", ".a.0123abcd.part.mp4", ".b.01.part.mp4"))
    folder = begun(output)
    half = folder / ".000001.89ab.part.mkv"
    for path in (stale, other, half):
        path.touch()
    KeptWork(output).part("frames", FACTS)
    assert [path.exists() for path in (stale, other, half)] == [False, True, False]


def test_the_folder_stays_only_after_kills(tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"
    folder = begun(output).parent
    for error, stays in ((KeyboardInterrupt(), True), (OSError(), True), (InputError("x"), False)):
        with pytest.raises(type(error)), KeptWork(output):
            raise error
        assert folder.exists() == stays
    with KeptWork(output) as work:
        work.part("frames", FACTS)
    assert not list(tmp_path.iterdir())


def test_the_manifest_tells_what_went_in_and_came_out(tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"
    output.write_bytes(b"pictures")
    work = KeptWork(output)
    work.part("frames", FACTS)
    work.write_manifest(tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["output"]["name"] == "a.mp4"
    assert len(found["output"]["sha256"]) == 64
    assert found["frames"]["driver"] == FACTS["driver"]
