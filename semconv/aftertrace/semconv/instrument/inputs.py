"""What a run rests on: inputs, searches, plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aftertrace.semconv import attributes as names
from aftertrace.semconv import event_names
from aftertrace.semconv.attributes import InputType, TargetType
from aftertrace.semconv.instrument.actor import Actor, Target
from aftertrace.semconv.instrument.content import Content, content_attributes, merged
from aftertrace.semconv.instrument.run import Identity
from aftertrace.semconv.instrument.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aftertrace.semconv.instrument.configuration import Prompt


class Inputs(Sender):
    """Records what a run rests on."""

    def input_resolved(
        self,
        input_type: InputType,
        content: object = None,
        *,
        input_id: str | None = None,
        prompt: Prompt | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Record an input that the run rests on: a text or a JSON value, and where it came from."""
        self._send(
            event_names.AFTERTRACE_INPUT_RESOLVED,
            actor or Identity.current().agent_actor,
            Target(TargetType.INPUT, input_id),
            {
                names.AFTERTRACE_INPUT_TYPE: input_type,
                names.AFTERTRACE_INPUT_ID: input_id,
                **content_attributes(
                    Content.of(content),
                    names.AFTERTRACE_INPUT_DIGEST,
                    names.AFTERTRACE_INPUT_CONTENT if self._with_content else None,
                ),
                **merged(prompt),
            },
        )

    def retrieval_completed(
        self,
        query: str,
        documents: Mapping[str, object],
        *,
        data_source: str | None = None,
    ) -> None:
        """Record a search: what was looked for, and each document found, by its id, best first."""
        found = {key: Content.of(document) for key, document in documents.items()}
        digests = [content.digest for content in found.values() if content]
        whole = Content.of_json([{"id": key, "content": content} for key, content in documents.items()])
        self._send(
            event_names.AFTERTRACE_RETRIEVAL_COMPLETED,
            Identity.current().agent_actor,
            Target(TargetType.DATA_SOURCE, data_source),
            {
                names.GEN_AI_DATA_SOURCE_ID: data_source,
                **content_attributes(
                    Content.of(query),
                    names.AFTERTRACE_RETRIEVAL_QUERY_DIGEST,
                    names.GEN_AI_RETRIEVAL_QUERY_TEXT if self._with_content else None,
                ),
                names.AFTERTRACE_RETRIEVAL_DOCUMENT_IDS: list(found),
                names.AFTERTRACE_RETRIEVAL_DOCUMENT_DIGESTS: digests if len(digests) == len(found) else None,
                names.GEN_AI_RETRIEVAL_DOCUMENTS: whole.text if whole and self._with_content else None,
            },
        )

    def plan_recorded(self, plan: object, *, plan_id: str | None = None, revision: int | None = None) -> None:
        """Record a plan or a change of one: a text or a JSON value."""
        self._send(
            event_names.AFTERTRACE_PLAN_RECORDED,
            Identity.current().model_actor,
            Target(TargetType.PLAN, plan_id),
            {
                names.AFTERTRACE_PLAN_ID: plan_id,
                names.AFTERTRACE_PLAN_REVISION: revision,
                **content_attributes(
                    Content.of(plan),
                    names.AFTERTRACE_PLAN_DIGEST,
                    names.AFTERTRACE_PLAN_CONTENT if self._with_content else None,
                ),
            },
        )
