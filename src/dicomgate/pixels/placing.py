"""Planes of an image brought to their place in the picture of a displayed area (PS3.3 §C.10.4, §C.10.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicomgate.pixels.pose import Pose
from dicomgate.pixels.resizing import GAP

Plane = NDArray[np.uint8]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Placing:
    """Where points of the image, and of the displayed area, lie in the picture. `size`: its width and height.

    Points of the image are columns and rows from the upper left corner of its first pixel; those of the area go from 0
    to 1, after it was turned.
    """

    pose: Pose
    size: tuple[int, int]

    def from_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns and rows of the picture."""
        left, top, right, bottom = self.pose.area
        across, down = (points[:, 0] - left) / (right - left), (points[:, 1] - top) / (bottom - top)
        match self.pose.quarters:
            case 1:
                across, down = 1 - down, across
            case 2:
                across, down = 1 - across, 1 - down
            case 3:
                across, down = down, 1 - across
        if self.pose.is_flipped:
            across = 1 - across
        return self.from_area(np.stack([across, down], axis=1))

    def from_area(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns and rows of the picture."""
        return np.asarray(points * np.array(self.pose.size, np.float64) - self.pose.origin, np.float64)

    @property
    def scale(self) -> float:
        """How many pixels of the picture the shorter side of a pixel of the image has."""
        left, top, right, bottom = self.pose.area
        width, height = self.pose.size if self.pose.quarters % 2 == 0 else self.pose.size[::-1]
        return min(width / (right - left), height / (bottom - top))

    def place(self, plane: Plane, box: Box, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> Plane:
        """A picture with the plane of a part of the image where it belongs; black, or 0, elsewhere."""
        left, top, right, bottom = box
        corners = self.from_image(np.array([[left, top], [right, bottom]], np.float64))
        first, last = np.rint(corners.min(axis=0)).astype(int), np.rint(corners.max(axis=0)).astype(int)
        last = np.maximum(last, first + 1)
        seen_first, seen_last = np.maximum(first, 0), np.minimum(last, self.size)
        shape = (self.size[1], self.size[0], *plane.shape[2:])
        if (seen_first >= seen_last).any():
            return np.zeros(shape, np.uint8)
        turned = self._turned(plane)
        height, width = turned.shape[:2]
        step = np.array([width, height]) / (last - first)
        part = (*((seen_first - first) * step), *((seen_last - first) * step))
        seen = _resized(
            turned, (int(seen_last[0] - seen_first[0]), int(seen_last[1] - seen_first[1])), part, resampling
        )
        if seen.shape == shape:
            return seen
        out = np.zeros(shape, np.uint8)
        out[seen_first[1] : seen_last[1], seen_first[0] : seen_last[0]] = seen
        return out

    def _turned(self, plane: Plane) -> Plane:
        turned = np.rot90(plane, -self.pose.quarters)
        return np.ascontiguousarray(turned[:, ::-1] if self.pose.is_flipped else turned)


def _resized(plane: Plane, size: tuple[int, int], part: Any, resampling: Image.Resampling) -> Plane:
    height, width = plane.shape[:2]
    if size == (width, height) and part == (0, 0, width, height):
        return plane
    bounded = (max(part[0], 0.0), max(part[1], 0.0), min(part[2], float(width)), min(part[3], float(height)))
    return np.asarray(Image.fromarray(plane).resize(size, resampling, box=bounded, reducing_gap=GAP))
