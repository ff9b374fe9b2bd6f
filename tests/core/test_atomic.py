from pathlib import Path

import pytest

from mien.core.atomic import atomic_path, check_output
from mien.core.errors import InputError


def test_appears_on_success_with_missing_folders_made(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.png"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".png"
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"), atomic_path(tmp_path):
        pass


def test_refuses_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"), atomic_path(tmp_path / "file" / "out.png"):
        pass


def test_an_output_is_checked_before_the_work(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.touch()
    check_output(tmp_path / "new.PNG", suffixes=(".png", ".jpg"), inputs=(photo,))
    for output, sentence in (
        (tmp_path, "is a folder"),
        (tmp_path / "x.gif", r"suffix '.gif'; expected one of .png, .jpg\. "),
        (tmp_path / "nowhere" / "x.png", "nowhere does not exist"),
        (tmp_path / "." / "photo.png", "is the input itself"),
    ):
        with pytest.raises(InputError, match=sentence):
            check_output(output, suffixes=(".png", ".jpg"), inputs=(photo,))
    assert list(tmp_path.iterdir()) == [photo]
