"""Points as a drawing has them, from the client's end to the server's, and their names in parts."""

from collections.abc import Sequence

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.result import Connection, Point


def point_order(points: Sequence[Point], connection: Connection) -> list[int]:
    """The points of a connection: as its requests pass them; those of replies only beside their host's.

    A point that a hop leads to, and that has nothing of the connection since all was lost before, is one as well.
    """
    order = list(dict.fromkeys(connection.path[REQUEST]))
    seen = dict.fromkeys((*reversed(connection.path[REPLY]), *(leg.point for leg in connection.legs)))
    before = -1
    for point in seen:
        if point not in order:
            of_host = [place for place, other in enumerate(order) if points[other].host == points[point].host]
            order.insert((of_host[-1] if of_host else before) + 1, point)
        before = order.index(point)
    for hop in connection.hops:
        if hop.target not in order:
            host = points[hop.target].host
            beside = [i for i, other in enumerate(order) if points[other].host == host] or [order.index(hop.source)]
            order.insert(beside[0] if hop.direction == REPLY else beside[-1] + 1, hop.target)
    return order


def interface(point: Point) -> str:
    """What its name says beside the host: `eth0` of `lvs:eth0`, nothing where the name is the host's."""
    return point.name.removeprefix(point.host).removeprefix(":")


def hosts_in_order(points: Sequence[Point]) -> list[str]:
    """Every host once, as the points were given."""
    return list(dict.fromkeys(point.host for point in points))
