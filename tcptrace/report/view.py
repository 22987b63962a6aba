"""How a report is to be shown, whatever its format."""

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """What the command line says about showing; formats that hold everything ignore what is not for them."""

    utc: bool = False
    """Times in UTC instead of local time."""
    top: int = 30
    """Flows a table shows of each capture."""
    full: bool = False
    """Where a capture's flows are one: that flow in full instead of a table."""
    raw: bool = False
    """Sequence numbers as on the wire instead of relative ones."""
    color: bool = True
    """False: plain, on a terminal too."""
