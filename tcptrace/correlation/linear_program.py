"""A small linear program: the point of a polyhedron that lies farthest in a direction.

The dual simplex method (C. E. Lemke, The dual method of solving the linear programming problem, Naval Research
Logistics Quarterly 1, 1954), for some dozens of variables and some hundreds of rows. It begins in the corner of a huge
box, too far out, and takes in the row that is broken worst, until none is. The goal is bent by less than counts, so
that no two rows hold it up equally and the walk comes to an end.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BOX = 1e13
"""Half the width of the box, unless limits are as far out."""
KEPT = 1e-2
"""A row is kept that is broken by less."""
BEND = 1e-7
HOLDS = 1e-5
"""A row holds up the goal if its part in that is greater."""
EPSILON = 1e-7
GOLDEN = 0.6180339887498949
PIVOTS_PER_ROW = 20


class Farthest(NamedTuple):
    """The point found."""

    x: Floats
    binding: tuple[int, ...]
    """Rows that keep it from going farther; every best point reaches each."""
    bounded: bool
    """False: only the box keeps it."""


def maximize(goal: Floats, rows: Floats, limits: Floats) -> Farthest:
    """The x for which goal @ x is greatest while rows @ x <= limits. Some x must fulfil that."""
    count, size = rows.shape
    box = max(BOX, 16 * float(np.abs(limits).max(initial=0)))
    bent = goal + BEND * (0.5 + np.arange(1, size + 1) * GOLDEN % 1)
    rows = np.vstack((rows, np.diag(np.sign(bent))))
    limits = np.append(limits, np.full(size, box))
    basis = np.arange(count, count + size)
    x: Floats = np.empty(0)
    for _ in range(PIVOTS_PER_ROW * (count + 1)):
        x = np.linalg.solve(rows[basis], limits[basis]).astype(np.float64)
        broken = rows @ x - limits
        broken[basis] = 0
        worst = int(broken.argmax())
        if broken[worst] <= KEPT:
            break
        held = np.linalg.solve(rows[basis].T, np.column_stack((bent, rows[worst])))
        gives = np.flatnonzero(held[:, 1] > EPSILON * np.abs(held[:, 1]).max())
        if not len(gives):
            break
        basis[gives[(held[gives, 0] / held[gives, 1]).argmin()]] = worst
    holding = basis[np.linalg.solve(rows[basis].T, bent) > HOLDS]
    return Farthest(x, tuple(holding[holding < count].tolist()), bounded=bool((holding < count).all()))
