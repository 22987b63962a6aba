"""Several conversations in one capture, in words."""


def by_port(text: str, port: int, at_ms: float = 0) -> str:
    """A conversation whose lines all tell their time, by another port of the client's and begun later."""
    lines = []
    for line in text.strip().splitlines():
        time, side, *rest = line.split()
        lines.append(" ".join([f"{float(time) + at_ms:.6f}", side, *rest, f"{'s' if side == 'C' else 'd'}port={port}"]))
    return "\n".join(lines)


def to_port(text: str, port: int) -> str:
    """A conversation with another port of the server."""
    lines = text.strip().splitlines()
    return "\n".join(f"{line} {'d' if line.split()[1] == 'C' else 's'}port={port}" for line in lines)


def by_third(text: str) -> str:
    """A conversation whose client is 10.0.0.3."""
    lines = text.strip().splitlines()
    return "\n".join(f"{line} {'src' if line.split()[1] == 'C' else 'dst'}=2" for line in lines)


def together(*texts: str) -> str:
    """All lines in order of time."""
    lines = [line.strip() for text in texts for line in text.strip().splitlines()]
    return "\n".join(sorted(lines, key=lambda line: float(line.split()[0])))
