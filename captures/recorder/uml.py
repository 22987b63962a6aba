"""User-mode Linux: a kernel as a process, for what the machine's own kernel may lack (IPVS, bonding, ipip).

A case under it is a story like any other. `under_uml` boots the kernel on the machine's own file
system, tells the story there, and takes over what the guest has recorded and observed.
"""

import contextlib
import functools
import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import Lab, NotShownError, must

MODULES = Path("/lib/modules")
DEBIAN_MODULES = Path("/usr/lib/uml/modules")
"""Where the package puts them, and modprobe does not look."""

KERNEL = "linux.uml mem=768M rootfstype=hostfs rootflags=/ rw quiet con=null con0=fd:0,fd:1".split()
TIMEOUT_S = 180.0
INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
modprobe -a ip_vs_rr bonding veth bridge ipip sch_netem iptable_filter ipt_REJECT
{python} -B {recorder}/uml.py {module} {story} {folder} {told}
halt -f
"""


def under_uml(story: Callable[[Lab], None]) -> Callable[[Lab], None]:
    """Tell a story inside user-mode Linux."""

    @functools.wraps(story)
    def record(lab: Lab) -> None:
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder, "told.json")
            init = Path(folder, "init")
            names = {"module": story.__module__, "story": story.__name__, "folder": lab.folder, "told": told}
            init.write_text(INIT.format(python=sys.executable, recorder=Path(__file__).parent, **names))
            init.chmod(0o755)
            said = _boot(init)
            if not told.exists():
                raise RuntimeError(f"{story.__name__} failed under user-mode Linux:\n{said}")
            facts = json.loads(told.read_text())
            lab.observed.update(facts["observed"])
            lab.path.update(facts["path"])
            must(not facts["missed"], facts["missed"])

    return record


def _boot(init: Path) -> str:
    """Boot until it halts; what was said on the console."""
    _reveal_modules()
    kernel = subprocess.Popen(
        [*KERNEL, f"init={init}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        return kernel.communicate(timeout=TIMEOUT_S)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(kernel.pid, signal.SIGKILL)


def _reveal_modules() -> None:
    """Put the kernel's modules where modprobe looks."""
    MODULES.mkdir(exist_ok=True)
    for release in DEBIAN_MODULES.iterdir():
        if not (MODULES / release.name).exists():
            (MODULES / release.name).symlink_to(release)
            subprocess.run(["depmod", release.name], check=True)


def guest(module: str, story: str, folder: str, told: str) -> None:
    """Inside: tell the story, end the recordings, and write down what was observed and what is missing."""
    missed = ""
    with Lab(Path(folder)) as lab:
        try:
            inspect.unwrap(getattr(importlib.import_module(module), story))(lab)
            missed = "" if lab.stop_recording() else "frames were dropped while recording"
        except NotShownError as error:
            missed = str(error)
    lab.observe("kernel", "release", os.uname().release)
    Path(told).write_text(json.dumps({"observed": lab.observed, "path": lab.path, "missed": missed}))


if __name__ == "__main__":
    guest(*sys.argv[1:])
