"""A change in a system of record, and its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv.attributes import TargetType
from aftertrace.semconv.instrument.actor import Target
from aftertrace.semconv.instrument.content import known

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What changed, or was kept from changing, and what the system says about it."""

    system: str
    """The system of record: `github`, `postgresql`, `stripe`."""
    operation: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    object_url: str | None = None
    before_digest: str | None = None
    """Tagged digest of the object as it was; None if it did not exist or is not known."""
    after_digest: str | None = None
    """Tagged digest of the object as it is; None if it is gone or not known."""
    idempotency_key: str | None = None
    receipt_id: str | None = None
    """What the system answered that it can be asked by."""

    @property
    def target(self) -> Target:
        """The object as the target of an event: `system:type:id`, as far as known."""
        parts = (self.system, self.object_type, self.object_id)
        return Target(TargetType.OBJECT, ":".join(part for part in parts if part is not None))

    def attributes(self) -> dict[str, AttributeValue]:
        """Write the receipt in the words of the conventions."""
        return known(
            {
                names.AFTERTRACE_EFFECT_SYSTEM: self.system,
                names.AFTERTRACE_EFFECT_OPERATION: self.operation,
                names.AFTERTRACE_EFFECT_OBJECT_TYPE: self.object_type,
                names.AFTERTRACE_EFFECT_OBJECT_ID: self.object_id,
                names.AFTERTRACE_EFFECT_OBJECT_URL: self.object_url,
                names.AFTERTRACE_EFFECT_BEFORE_DIGEST: self.before_digest,
                names.AFTERTRACE_EFFECT_AFTER_DIGEST: self.after_digest,
                names.AFTERTRACE_EFFECT_IDEMPOTENCY_KEY: self.idempotency_key,
                names.AFTERTRACE_EFFECT_RECEIPT_ID: self.receipt_id,
            }
        )
