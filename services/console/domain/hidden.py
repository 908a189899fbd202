"""Characters that would change how a text reads without being seen: shown by their code, never obeyed.

Controls that turn the writing direction, and those of terminals (SECURITY section 6).
"""

import re

__all__ = ["shown"]

# Line breaks and tabs are layout, which HTML folds; joiners and direction marks are part of how scripts are written.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """A text with each such character as its code: a right-to-left override reads "[U+202E]"."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)
