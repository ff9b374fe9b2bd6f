"""Time and memory of commands."""

import sys

import pytest

from mien.core.errors import MienError
from mien.evaluation.process import run_measured


def test_memory_and_time_are_of_this_very_command() -> None:
    large = run_measured(
        [sys.executable, "-c", "import time; x = bytearray(300 << 20); time.sleep(0.3); print('done')"]
    )
    small = run_measured([sys.executable, "-c", "print('done')"])
    assert large.output == "done\n"
    assert large.seconds >= 0.3
    assert large.peak_rss_bytes > small.peak_rss_bytes + (250 << 20)
    assert 0 < small.peak_gib < 0.2
    assert small.cpu_seconds > 0


def test_much_output_does_not_block() -> None:
    assert len(run_measured([sys.executable, "-c", "print('x' * 1000000)"]).output) == 1000001


def test_failure_is_named() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('it broke')"]
    with pytest.raises(MienError, match=r"exit code 1.*it broke"):
        run_measured(command)
    assert run_measured(command, check=False).returncode == 1


def test_missing_program_is_named() -> None:
    with pytest.raises(MienError, match="could not be started"):
        run_measured(["no-such-program-here"])
