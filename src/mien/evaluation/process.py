"""Time and memory of a command run in its own process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mien.core.errors import MienError

_MEASURER: Final = """
import json, os, subprocess, sys, time
report, command, start = int(sys.argv[1]), sys.argv[2:], time.perf_counter()
process = subprocess.Popen(command)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
with os.fdopen(report, "w") as file:
    json.dump({
        "seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "returncode": process.returncode,
    }, file)
"""


@dataclass(frozen=True)
class RunCost:
    """What a command cost."""

    seconds: float
    """Wall clock, from start to end of the process."""
    cpu_seconds: float
    """User and system time of the process and the children it waited for."""
    peak_rss_bytes: int
    """Largest resident memory of the process; of its children only if one alone was larger."""
    returncode: int
    """Exit code."""
    output: str
    """Standard output and error together."""

    @property
    def peak_gib(self) -> float:
        """Peak memory in GiB."""
        return self.peak_rss_bytes / 1024**3


def run_measured(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, check: bool = True
) -> RunCost:
    """Run a command to its end and measure it. Raises MienError if it fails and `check` is set; POSIX only.

    A small process starts the command and measures it: a process started by a large one is charged with the
    large one's memory, because the peak is kept from before its program is loaded.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading) as report:
        process = subprocess.Popen(  # the caller's own command, no shell
            [sys.executable, "-I", "-S", "-c", _MEASURER, str(writing), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            env={**os.environ, **(env or {})},
        )
        os.close(writing)
        output = process.communicate()[0].decode(errors="replace")
        text = report.read()
    if not text:
        raise MienError(f"{command[0]} could not be started: {output[-500:].strip()}; check the command.")
    cost = RunCost(**json.loads(text), output=output)
    if check and cost.returncode != 0:
        raise MienError(
            f"{' '.join(command)} ended with exit code {cost.returncode}, expected 0; "
            f"it said: {output[-500:].strip()}"
        )
    return cost
