"""The addresses of one capture: numbers inside, text outside."""

import ipaddress
from functools import lru_cache

import numpy as np

from tcptrace.capture import addresses
from tcptrace.kernels import Kernels
from tcptrace.schema import Addresses

FIRST_ROOM = 256


class AddressBook:
    """Every distinct address of a capture once; grows between calls of the kernels."""

    def __init__(self) -> None:
        self.table = Addresses(
            np.zeros(FIRST_ROOM * addresses.WIDTH, np.uint32),
            np.zeros(FIRST_ROOM * 2, np.int32),
            np.zeros(1, np.int64),
        )
        self.text = lru_cache(maxsize=100_000)(self._text)

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

    def add(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address, kernels: Kernels) -> int:
        """The number of one address, for readers that meet addresses one at a time."""
        self.reserve(1, kernels)
        value = int(address)
        words = [value >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)]
        return int(kernels["capture.addresses"].intern(kernels.view(self.table), address.version, *words))

    def endpoint(self, number: int, port: int) -> str:
        """`10.0.0.1:80` or `[2001:db8::1]:80`."""
        text = self.text(number)
        return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"

    def _text(self, number: int) -> str:
        family, a, b, c, d = self.table.words[number * addresses.WIDTH :][: addresses.WIDTH].tolist()
        if family == 4:
            return str(ipaddress.IPv4Address(d))
        return str(ipaddress.IPv6Address(a << 96 | b << 64 | c << 32 | d))
