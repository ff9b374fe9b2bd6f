"""Names of the expression coefficients as other programs write them, and where their columns go."""

import difflib
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

LARGEST: Final = 2.0
"""Coefficients above this are not coefficients: percentages, or angles. ARKit itself gives up to 1.1."""
SIDES: Final = {"l": "left", "r": "right"}
CLOSE: Final = 0.8

_PLAIN: Final = {name.lower(): index for name, index in ARKIT_INDEX.items()}


def coefficient_index(name: str) -> int | None:
    """Place of a coefficient in `ARKIT_NAMES`, or None: `EyeBlinkLeft`, `eyeBlink_L` and `eye_blink_left` are
    all `eyeBlinkLeft`."""
    side = re.search(r"[_. -]([lr])$", name.strip().lower())
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if side is not None:
        plain = plain[:-1] + SIDES[side[1]]
    return _PLAIN.get(plain)


def coefficient_columns(names: Sequence[str], source: str) -> dict[int, int]:
    """Column in a file to coefficient, for all columns that are coefficients; other columns are left out.

    Raises InputError if none is, if a coefficient stands there twice, or if a name is nearly that of a
    coefficient that is missing. Coefficients without a column are 0 for the caller.
    """
    columns: dict[int, int] = {}
    for column, name in enumerate(names):
        index = coefficient_index(name)
        if index is None:
            continue
        if index in columns.values():
            raise InputError(
                f"{source} has two columns of {ARKIT_NAMES[index]}, expected one; delete the other."
            )
        columns[column] = index
    missing = [name for index, name in enumerate(ARKIT_NAMES) if index not in columns.values()]
    for column, name in enumerate(names):
        near = [] if column in columns else close_names(name, missing)
        if near:
            raise InputError(f"{source} has a coefficient {name!r}; did you mean {near[0]}? Correct it.")
    if not columns:
        raise InputError(
            f"{source} has no ARKit coefficient among its names ({_some(names)}), expected names such as "
            "jawOpen or EyeBlinkLeft; see docs/motion.md for the forms that are read."
        )
    return columns


def close_names(name: str, known: Sequence[str]) -> list[str]:
    """The known name that is nearly this one, whatever the case of the letters: at most one."""
    plain = {one.lower(): one for one in known}
    near = difflib.get_close_matches(str(name).lower(), plain, n=1, cutoff=CLOSE)
    return [plain[one] for one in near]


def placed_coefficients(values: NDArray[np.float64], columns: dict[int, int]) -> NDArray[np.float64]:
    """Coefficients [T, 52] of the columns [T, C] of a file; those without a column are 0."""
    placed = np.zeros((len(values), len(ARKIT_NAMES)))
    placed[:, list(columns.values())] = values[:, list(columns)]
    return placed


def clipped_coefficients(values: NDArray[np.float64], source: str) -> NDArray[np.float32]:
    """Coefficients [T, 52] in [0, 1]. ARKit's own go a little beyond; far beyond raises InputError."""
    if values.size and (values.max() > LARGEST or values.min() < -1.0):
        worst = int(np.abs(values).max(0).argmax())
        low, high = values[:, worst].min(), values[:, worst].max()
        raise InputError(
            f"{source} has {ARKIT_NAMES[worst]} from {low:g} to {high:g}, "
            "expected coefficients in [0, 1]; percentages must be divided by 100 first."
        )
    return np.clip(values, 0.0, 1.0).astype(np.float32)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(str(name)[:20] for name in names[:4])
    return shown + (", ..." if len(names) > 4 else "") if names else "none"
