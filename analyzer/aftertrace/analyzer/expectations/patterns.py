r"""Names as people write them in files of rules: `*` is any text, `?` any character, `\*` the character itself.

Nothing else is special, since names come from agents: models and tools are called things such as `sonnet[1m]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

_SPECIAL: Final = re.compile(r"\\([*?\\])|\[")
_ESCAPED: Final = re.compile(r"\\([*?\\])")
_WILD: Final = re.compile(r"[*?\\]")


def fits(name: str | None, patterns: Sequence[str]) -> bool:
    """Whether a name is one of those that the patterns stand for. What has no name fits none of them."""
    return name is not None and any(fnmatchcase(name, _glob(pattern)) for pattern in patterns)


def fits_beginning(begins: str, patterns: Sequence[str]) -> bool:
    """Whether a text fits one of the patterns whatever follows its beginning."""
    return fits(begins, [each for each in patterns if _ESCAPED.sub("", each).endswith("*")])


def literal(name: str) -> str:
    """The pattern that stands for this name alone."""
    return _WILD.sub(lambda match: "\\" + match.group(), name)


def only_name(pattern: str) -> str | None:
    """The name that a pattern stands for, where it is one alone."""
    rest = _ESCAPED.sub("", pattern)
    return None if "*" in rest or "?" in rest else _ESCAPED.sub(lambda match: match[1], pattern)


def _glob(pattern: str) -> str:
    return _SPECIAL.sub(lambda match: f"[{match[1] or '['}]", pattern)
