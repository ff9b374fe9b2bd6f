"""Filling holes with patches from elsewhere in the picture.

Wexler, Shechtman and Irani, 'Space-Time Completion of Video' (2007), with the search of Barnes and others,
'PatchMatch' (2009), here vectorised: all hidden pixels try the same kind of candidate at once.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mien.tracking._types import Mask, Picture


@dataclass(frozen=True)
class PatchConfig:
    """How patches are compared and searched."""

    radius_px: int = 2
    """Patches are squares with this radius."""
    random_tries: int = 4
    """Random candidates per sweep, each nearer to the best one so far."""
    stay_level: float = 2.0
    """Cost of fetching a patch from a whole picture's height away, as a squared colour difference summed over
    the patch: scenery is layered from top to bottom, so patches had better come from about the same
    height."""
    confidence_decay: float = 1.15
    """By how much per pixel trust falls from the hole's border inwards when patches vote."""


class PatchFiller:
    """One pyramid level: a picture with a hole, and where each hidden pixel's best patch lies."""

    def __init__(
        self, picture: Picture, hidden: Mask, *, config: PatchConfig, random: np.random.Generator
    ) -> None:
        self._config = config
        self._random = random
        self._hidden = hidden
        self.picture = picture.copy()
        radius = config.radius_px
        near = cv2.dilate(
            hidden.astype(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
        ).astype(bool)
        self._rows, self._columns = np.nonzero(near)  # pixels whose patch touches the hole
        self._index = np.full(hidden.shape, -1, dtype=np.int64)
        self._index[near] = np.arange(len(self._rows))
        usable = ~near
        usable[:radius], usable[-radius:], usable[:, :radius], usable[:, -radius:] = (
            False,
            False,
            False,
            False,
        )
        self._usable = usable
        self._source_rows, self._source_columns = np.nonzero(usable)
        distance = cv2.distanceTransform(hidden.astype(np.uint8), cv2.DIST_L2, 3)
        self._confidence = (config.confidence_decay ** -np.minimum(distance, 60)).astype(np.float32)
        self._patches = self._all_patches()

    @property
    def possible(self) -> bool:
        """Whether there is enough of the picture to take patches from."""
        return len(self._source_rows) >= 16

    def start(self, matches: np.ndarray | None) -> None:
        """Begin with matches [height, width, 2] (row, column) of the coarser level, or with random ones."""
        if matches is None:
            pick = self._random.integers(0, len(self._source_rows), len(self._rows))
            self.match_rows, self.match_columns = self._source_rows[pick], self._source_columns[pick]
        else:
            height, width = self._hidden.shape
            row = np.minimum(self._rows // 2, matches.shape[0] - 1)
            column = np.minimum(self._columns // 2, matches.shape[1] - 1)
            coarse = matches[row, column]
            self.match_rows = np.clip(2 * coarse[:, 0] + self._rows % 2, 0, height - 1)
            self.match_columns = np.clip(2 * coarse[:, 1] + self._columns % 2, 0, width - 1)
            self._replace_unusable()
        self.cost = self._costs(self.match_rows, self.match_columns)

    def _replace_unusable(self) -> None:
        bad = ~self._usable[self.match_rows, self.match_columns]
        pick = self._random.integers(0, len(self._source_rows), int(bad.sum()))
        self.match_rows[bad], self.match_columns[bad] = self._source_rows[pick], self._source_columns[pick]

    def matches(self) -> np.ndarray:
        """Row and column of the best patch per pixel, [height, width, 2]; each pixel itself where nothing is
        hidden."""
        grid = np.moveaxis(np.indices(self._hidden.shape), 0, -1).copy()
        grid[self._rows, self._columns] = np.stack([self.match_rows, self.match_columns], axis=-1)
        return grid

    def sweep(self, *, propagate: tuple[int, ...], random: bool = True) -> None:
        """Try the neighbours' matches and random ones around the best; keep what is better."""
        for step in propagate:
            for down, right in ((0, step), (0, -step), (step, 0), (-step, 0)):
                self._try_neighbour(down, right)
        if random:
            reach = max(self._hidden.shape)
            for _ in range(self._config.random_tries):
                offset = self._random.integers(-reach, reach + 1, (2, len(self._rows)))
                self._try(self.match_rows + offset[0], self.match_columns + offset[1])
                reach = max(reach // 3, 1)

    def _try_neighbour(self, down: int, right: int) -> None:
        height, width = self._hidden.shape
        row = np.clip(self._rows - down, 0, height - 1)
        column = np.clip(self._columns - right, 0, width - 1)
        neighbour = self._index[row, column]
        neighbour = np.where(neighbour < 0, np.arange(len(self._rows)), neighbour)
        self._try(self.match_rows[neighbour] + down, self.match_columns[neighbour] + right)

    def _try(self, rows: np.ndarray, columns: np.ndarray) -> None:
        height, width = self._hidden.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        allowed = np.nonzero(inside)[0]
        allowed = allowed[self._usable[rows[allowed], columns[allowed]]]
        if not len(allowed):
            return
        cost = self._costs(rows[allowed], columns[allowed], allowed)
        better = cost < self.cost[allowed]
        chosen = allowed[better]
        self.match_rows[chosen], self.match_columns[chosen] = rows[chosen], columns[chosen]
        self.cost[chosen] = cost[better]

    def _costs(self, rows: np.ndarray, columns: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
        """Squared difference of patches, plus the price of coming from another height."""
        width = self._hidden.shape[1]
        chosen = slice(None) if which is None else which
        own_rows, own_columns = self._rows[chosen], self._columns[chosen]
        difference = self._patches[rows * width + columns] - self._patches[own_rows * width + own_columns]
        away = (rows - own_rows) / self._hidden.shape[0]
        price = (self._config.stay_level * away * away).astype(np.float32)
        return np.einsum("pv,pv->p", difference, difference) + price

    def _all_patches(self) -> np.ndarray:
        """The patch around every pixel, [height * width, values]."""
        radius = self._config.radius_px
        padded = np.pad(self.picture, ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, (2 * radius + 1, 2 * radius + 1), axis=(0, 1)
        )
        return np.ascontiguousarray(windows.reshape(self.picture.shape[0] * self.picture.shape[1], -1))

    def vote(self) -> None:
        """Every hidden pixel becomes the weighted mean of what the patches that cover it say."""
        radius = self._config.radius_px
        height, width = self._hidden.shape
        total = np.zeros((*self._hidden.shape, 3), dtype=np.float32)
        weight = np.zeros(self._hidden.shape, dtype=np.float32)
        trust = self._confidence[self._rows, self._columns] / (self.cost + 0.02)
        for down in range(-radius, radius + 1):
            for right in range(-radius, radius + 1):
                row, column = self._rows + down, self._columns + right
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                row, column, share = row[inside], column[inside], trust[inside]
                said = self.picture[self.match_rows[inside] + down, self.match_columns[inside] + right]
                # each (row, column) occurs once per offset, so plain indexed addition is safe
                total[row, column] += share[:, None] * said
                weight[row, column] += share
        voted = total[self._hidden] / np.maximum(weight[self._hidden], 1e-12)[:, None]
        self.picture[self._hidden] = voted
        self._patches = self._all_patches()
        self.cost = self._costs(self.match_rows, self.match_columns)
