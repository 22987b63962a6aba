"""The addresses of one capture: numbers inside, text outside."""

import ipaddress
from collections.abc import Mapping
from random import SystemRandom

import numpy as np

from tcptrace.capture import addresses
from tcptrace.kernels import Kernels
from tcptrace.schema import Addresses

FIRST_ROOM = 256
TEXTS_KEPT = 100_000


class AddressBook:
    """Every distinct address of a capture once; grows between calls of the kernels."""

    def __init__(self, called: Mapping[str, str] | None = None) -> None:
        self.called = {} if called is None else called
        """Address → name, as far as the capture tells (DNS); may grow."""
        self.table = Addresses(
            np.zeros(FIRST_ROOM * addresses.WIDTH, np.uint32),
            np.zeros(FIRST_ROOM * 2, np.int32),
            np.array([0, SystemRandom().getrandbits(31)]),
        )
        self.names: list[str] = []
        self._named: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return int(self.table.used[0])

    def reserve(self, more: int, kernels: Kernels) -> None:
        """Make room for `more` further addresses, keeping the hash table at most half full."""
        room = len(self.table.words) // addresses.WIDTH
        if len(self) + more <= room:
            return
        while room < len(self) + more:
            room *= 2
        words = np.zeros(room * addresses.WIDTH, np.uint32)
        words[: len(self.table.words)] = self.table.words
        self.table = Addresses(words, np.zeros(room * 2, np.int32), self.table.used)
        kernels["capture.addresses"].rehash(kernels.view(self.table))

    def settle(self) -> None:
        """Give back what only adding needs: no address is added any more."""
        self.table = self.table._replace(slots=np.zeros(0, np.int32))

    def add(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address, kernels: Kernels) -> int:
        """The number of one address, for readers that meet addresses one at a time."""
        self.reserve(1, kernels)
        value = int(address)
        words = [value >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)]
        return int(kernels["capture.addresses"].intern(kernels.view(self.table), address.version, *words))

    def add_name(self, name: str, kernels: Kernels) -> int:
        """The number of a host of which only the name is known; every name counts as one address."""
        if name not in self._named:
            self.reserve(1, kernels)
            intern = kernels["capture.addresses"].intern
            self._named[name] = int(intern(kernels.view(self.table), addresses.NAMED, 0, 0, 0, len(self.names)))
            self.names.append(name)
        return self._named[name]

    def find(self, host: str) -> int | None:
        """The number of an address or host name, None when it is not in the capture; ValueError for neither."""
        if host in self._named:
            return self._named[host]
        address = ipaddress.ip_address(host)
        value = int(address)
        words = [address.version, *(value >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0))]
        known = self.table.words[: len(self) * addresses.WIDTH].reshape(-1, addresses.WIDTH)
        rows = np.flatnonzero((known == np.array(words, np.uint32)).all(axis=1))
        return int(rows[0]) if len(rows) else None

    def endpoint(self, number: int, port: int) -> str:
        """`10.0.0.1:80` or `[2001:db8::1]:80`."""
        text = self.text(number)
        return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"

    def labelled(self, number: int, port: int | None = None) -> str:
        """`10.0.0.1:80 (shop.example)`, without a port the address alone; without a name as `endpoint` and `text`."""
        text = self.text(number)
        end = text if port is None else self.endpoint(number, port)
        return f"{end} ({self.called[text]})" if text in self.called else end

    def text(self, number: int) -> str:
        """`10.0.0.1`, `2001:db8::1` or a host's name."""
        text = self._texts.get(number)
        if text is None:
            if len(self._texts) == TEXTS_KEPT:
                self._texts.clear()
            text = self._texts[number] = self._spell(number)
        return text

    def _spell(self, number: int) -> str:
        family, a, b, c, d = self.table.words[number * addresses.WIDTH :][: addresses.WIDTH].tolist()
        if family == addresses.NAMED:
            return self.names[int(d)]
        if family == 4:
            return f"{d >> 24}.{d >> 16 & 255}.{d >> 8 & 255}.{d & 255}"
        return str(ipaddress.IPv6Address(a << 96 | b << 64 | c << 32 | d))
