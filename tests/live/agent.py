"""A live case: a real agent, how it is installed and started, and what it is made to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Maker: TypeAlias = Literal["pip", "npm"]
"""Who installs: `pip` into a venv, `npm` into a folder."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What a case needs from a package registry; cases that name the same share it."""

    maker: Maker
    packages: tuple[str, ...]
    """Pinned: `name==version` of pip, `name@version` of npm. The first are what the page names."""
    shown: int = 1
    """How many of `packages` the page names as the version."""
    python: str | None = None
    """The program that makes the venv, for packages that the harness's own Python is too old for."""

    @property
    def version(self) -> str:
        """The packages that the page names, as `name version`."""
        separator = "==" if self.maker == "pip" else "@"
        return ", ".join(" ".join(package.rsplit(separator, 1)) for package in self.packages[: self.shown])


@dataclass(frozen=True, slots=True)
class Call:
    """What is true of one call: the script decided it."""

    tool: str
    outcome: str
    decided_by: str | None = None
    asked: bool = False
    """Whether somebody was asked for approval."""
    wait_s: float | None = None
    """How long the answer took; None is not compared."""
    bases: tuple[str, ...] = ("explicit", "inferred")
    """The bases that are right."""
    arguments: Mapping[str, Any] | None = None
    """As proposed; None is not compared, nor are arguments that the telemetry does not hold."""
    body: str | None = ""
    """Tool whose body logs that it runs: empty is its own; None is none (an output tool, a hand-off, a vendor's)."""
    untold: Mapping[str, str] = field(default_factory=dict)
    """What the telemetry cannot tell of this call: column (`tool` for the whole call), and why."""
    told: Mapping[str, object] = field(default_factory=dict)
    """What is told instead where that is no guess: column, and value. It is stated, so that no other passes."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One live case. Strings of `command` and `environment` may hold `{places}`, see `program.Places`."""

    name: str
    """`emitter/case`, as the fixtures are named."""
    installation: Installation
    command: tuple[str, ...]
    calls: tuple[Call, ...]
    runs: int | None = 1
    """How many runs there are; None is not compared."""
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    """Programs that must be on the path, such as `node`."""
    limit_s: float = 120.0
    """The program is ended after so long."""
    logs_tools: bool = True
    """Whether its tools write the tool log, so that the truth itself can be checked."""

    @property
    def emitter(self) -> str:
        """The emitter's name."""
        return self.name.partition("/")[0]
