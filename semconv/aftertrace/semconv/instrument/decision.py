"""What a decision rests on: a policy, a state, a standing grant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv.attributes import ActorType
from aftertrace.semconv.instrument.actor import Actor
from aftertrace.semconv.instrument.content import known

if TYPE_CHECKING:
    from datetime import datetime

    from opentelemetry.util.types import AttributeValue

    from aftertrace.semconv.attributes import GrantScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy, and the rule of it that decided."""

    id: str | None = None
    version: str | None = None
    digest: str | None = None
    """Tagged digest of the bytes of the policy."""
    rule: str | None = None
    """Name of the rule that decided (`security_rule.name`)."""

    @property
    def actor(self) -> Actor:
        """The policy as the one who decided: by its rule, or by its id."""
        return Actor(ActorType.POLICY, self.rule or self.id)

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the policy in the words of the conventions."""
        return known(
            {
                names.AFTERTRACE_POLICY_ID: self.id,
                names.AFTERTRACE_POLICY_VERSION: self.version,
                names.AFTERTRACE_POLICY_DIGEST: self.digest,
                names.SECURITY_RULE_NAME: self.rule,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state that a check looked at."""

    reference: str | None = None
    """Where it can be found again: a checkpoint, a commit."""
    digest: str | None = None

    def attributes(self) -> dict[str, AttributeValue]:
        """Name the state in the words of the conventions."""
        return known({names.AFTERTRACE_STATE_REFERENCE: self.reference, names.AFTERTRACE_STATE_DIGEST: self.digest})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An answer that reaches beyond one call: given now, or used now."""

    id: str | None = None
    scope: GrantScope | None = None
    granted_by: str | None = None
    granted_at: datetime | None = None
    """When it was given; aware of its time zone."""

    def attributes(self) -> dict[str, AttributeValue]:
        """Describe the grant in the words of the conventions."""
        return known(
            {
                names.AFTERTRACE_GRANT_ID: self.id,
                names.AFTERTRACE_GRANT_SCOPE: self.scope,
                names.AFTERTRACE_GRANT_GRANTED_BY: self.granted_by,
                names.AFTERTRACE_GRANT_GRANTED_AT: self.granted_at.isoformat() if self.granted_at else None,
            }
        )
