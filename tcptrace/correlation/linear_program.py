"""A small linear program: the point of a polyhedron that lies farthest in a direction.

An active-set method for some dozens of variables and some hundreds of rows. From a point inside, it walks along the
goal, projected onto the rows that it has run into, and leaves a row again when that pulls the wrong way. Bland's rule
and limits moved apart by less than counts keep it from walking in circles (R. G. Bland, New finite pivoting rules for
the simplex method, Mathematics of Operations Research 2, 1977).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

APART = 1e-4
"""Limits are moved by up to so much, so that no two are reached at once."""
EPSILON = 1e-9
GOLDEN = 0.6180339887498949
WALKS_PER_ROW = 50


class Farthest(NamedTuple):
    """Where the walk ended."""

    x: Floats
    binding: tuple[int, ...]
    """Rows that keep it from going farther; each is reached at every best point."""
    bounded: bool
    """False: it could go on for ever."""


def maximize(goal: Floats, rows: Floats, limits: Floats, start: Floats) -> Farthest:
    """The x for which goal @ x is greatest while rows @ x <= limits, from a `start` for which that holds."""
    limits = limits + APART * (np.arange(1, len(limits) + 1) * GOLDEN % 1)
    x = start.astype(np.float64)
    active: list[int] = []
    for _ in range(WALKS_PER_ROW * (len(limits) + 1)):
        pull = _pull(goal, rows, active)
        along = goal - rows[active].T @ pull
        if np.abs(along).max() > EPSILON * np.abs(goal).max():
            speed = rows @ along
            speed[active] = 0
            ahead = np.flatnonzero(speed > EPSILON * np.abs(along).max())
            if not len(ahead):
                return Farthest(x, (), bounded=False)
            room = np.maximum(limits[ahead] - rows[ahead] @ x, 0) / speed[ahead]
            x = x + along * room.min()
            active.append(int(ahead[room.argmin()]))
        elif (pull < -EPSILON).any():
            active.remove(min(row for row, its in zip(active, pull, strict=True) if its < -EPSILON))
        else:
            return Farthest(x, tuple(row for row, its in zip(active, pull, strict=True) if its > EPSILON), bounded=True)
    return Farthest(x, (), bounded=True)


def _pull(goal: Floats, rows: Floats, active: list[int]) -> Floats:
    """How much of the goal each active row holds up."""
    found: Floats = np.linalg.lstsq(rows[active].T, goal, rcond=None)[0] if active else np.empty(0)
    return found
