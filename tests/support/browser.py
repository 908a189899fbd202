"""Finds Chromium for the browser tests, or installs Debian's package when it may (`python -m tests.support.browser`).

Exit 4 with one line that says what to install when there is none and this user may not install it.
"""

import os
import shutil
import subprocess
import sys

__all__ = ["NAMES", "find_browser"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_SECONDS = 600
_MISSING = (
    "The browser tests need Chromium: apt install chromium (Debian, Ubuntu), brew install --cask chromium (macOS).\n"
)


def find_browser() -> str | None:
    """The path of a Chromium on PATH, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def main() -> int:
    """Make sure there is one: 0, or 4 with what to do."""
    if find_browser() is None and shutil.which("apt-get") and os.geteuid() == 0:
        sys.stderr.write("installing chromium\n")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", NAMES[0]],
        ):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=False)
    if find_browser() is None:
        sys.stderr.write(_MISSING)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
