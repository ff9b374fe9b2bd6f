import pytest

from mien.core.progress import progress


def test_silent_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIEN_PROGRESS", raising=False)
    assert list(progress(range(3), desc="work")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_forced_goes_to_stderr_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(progress(iter("ab"), desc="work", total=2, force=True)) == ["a", "b"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "work" in err
    monkeypatch.setenv("MIEN_PROGRESS", "1")
    list(progress(range(3), desc="again"))
    assert "again" in capsys.readouterr().err
