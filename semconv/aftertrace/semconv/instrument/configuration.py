"""What a run is made of: agent, model, system prompt, tools, policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv.instrument.content import Content, content_attributes, known, merged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.instrument.decision import Policy


@dataclass(frozen=True, slots=True)
class Prompt:
    """The template that a prompt was made from."""

    name: str | None = None
    version: str | None = None

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the template by its standard attributes."""
        return known({names.GEN_AI_PROMPT_NAME: self.name, names.GEN_AI_PROMPT_VERSION: self.version})


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a run is made of. What is not known is left out; it then reads as unknown, not as none."""

    agent: str | None = None
    """Name of the agent."""
    agent_version: str | None = None
    model: str | None = None
    provider: str | None = None
    system_prompt: str | None = None
    prompt: Prompt | None = None
    """The template of the system prompt."""
    tools: Sequence[Mapping[str, object]] | None = None
    """Tool definitions as JSON values, each with its `name`; empty is no tools, None is not known."""
    policy: Policy | None = None

    def attributes(self, *, with_content: bool) -> dict[str, AttributeValue]:
        """Describe the configuration in the words of the conventions; the agent's name is on every event."""
        prompt = Content.of(self.system_prompt)
        tools = None if self.tools is None else Content.of_json([dict(tool) for tool in self.tools])
        return known(
            {
                names.GEN_AI_AGENT_VERSION: self.agent_version,
                names.GEN_AI_REQUEST_MODEL: self.model,
                names.GEN_AI_PROVIDER_NAME: self.provider,
                names.AFTERTRACE_CONFIGURATION_TOOLS_NAMES: _tool_names(self.tools),
                names.AFTERTRACE_CONFIGURATION_DIGEST: self._digest(prompt, tools),
                **content_attributes(
                    prompt,
                    names.AFTERTRACE_CONFIGURATION_SYSTEM_PROMPT_DIGEST,
                    names.GEN_AI_SYSTEM_INSTRUCTIONS if with_content else None,
                ),
                **content_attributes(
                    tools,
                    names.AFTERTRACE_CONFIGURATION_TOOLS_DIGEST,
                    names.GEN_AI_TOOL_DEFINITIONS if with_content else None,
                ),
                **merged(self.prompt, self.policy),
            }
        )

    def _digest(self, prompt: Content | None, tools: Content | None) -> str | None:
        parts = {
            "agent": self.agent,
            "agent_version": self.agent_version,
            "model": self.model,
            "provider": self.provider,
            "system_prompt_digest": prompt.digest if prompt else None,
            "tools_digest": tools.digest if tools else None,
            "policy_id": self.policy.id if self.policy else None,
            "policy_version": self.policy.version if self.policy else None,
            "policy_digest": self.policy.digest if self.policy else None,
        }
        stated = {name: part for name, part in parts.items() if part is not None}
        content = Content.of_json(stated) if stated else None
        return content.digest if content else None


def _tool_names(tools: Sequence[Mapping[str, object]] | None) -> list[str] | None:
    return None if tools is None else [str(tool["name"]) for tool in tools if "name" in tool]
