"""Writes the `baton` script beside the Python that runs this: `make setup` calls it last.

The checkout is no installed package, so the script names the checkout itself.
"""

import sys
from pathlib import Path

__all__ = ["install"]


def install() -> Path:
    """Write the script; where it lies."""
    root = Path(__file__).resolve().parents[2]
    python = Path(sys.executable)
    script = python.with_name("baton")
    script.write_text(
        f"#!{python}\n"
        "import sys\n\n"
        f"sys.path.insert(0, {str(root)!r})\n"
        "from deploy.cli.__main__ import main\n\n"
        "sys.exit(main())\n"
    )
    script.chmod(0o755)
    return script


if __name__ == "__main__":
    print(install())
