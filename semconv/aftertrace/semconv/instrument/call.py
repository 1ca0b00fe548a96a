"""One tool call, from proposal to result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv.attributes import TargetType, ToolRiskBasis, ToolRiskClass
from aftertrace.semconv.instrument.actor import Target
from aftertrace.semconv.instrument.content import Content, content_attributes, known

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


@dataclass(frozen=True, slots=True)
class Risk:
    """The worst that a tool can do, and what that rests on."""

    risk_class: ToolRiskClass
    basis: ToolRiskBasis = ToolRiskBasis.DECLARED


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as one party sees it. A call with other arguments is another `Call` with the same id."""

    tool: str
    arguments: object = None
    """The arguments as a JSON value; None is not known. Parse the text that a model emits first."""
    id: str | None = None
    """The model's id of the call. It joins proposal, decision and execution: always give it where there is one."""
    risk: Risk | None = None

    @property
    def target(self) -> Target:
        """The call as the target of an event: by its id, or by its tool where it has none."""
        return Target(TargetType.TOOL, self.tool) if self.id is None else Target(TargetType.TOOL_CALL, self.id)

    def arguments_content(self) -> Content | None:
        """The canonical text of the arguments and its digest."""
        return None if self.arguments is None else Content.of_json(self.arguments)

    def attributes(self, *, with_content: bool) -> dict[str, AttributeValue]:
        """Describe the call in the words of the conventions; the digest always, the arguments if asked for."""
        return known(
            {
                names.GEN_AI_TOOL_NAME: self.tool,
                names.GEN_AI_TOOL_CALL_ID: self.id,
                names.AFTERTRACE_TOOL_RISK_CLASS: self.risk.risk_class if self.risk else None,
                names.AFTERTRACE_TOOL_RISK_BASIS: self.risk.basis if self.risk else None,
            }
        ) | content_attributes(
            self.arguments_content(),
            names.AFTERTRACE_TOOL_ARGUMENTS_DIGEST,
            names.GEN_AI_TOOL_CALL_ARGUMENTS if with_content else None,
        )
