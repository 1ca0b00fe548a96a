"""The policy that a configuration makes: what it refuses, and what its digest covers."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from aftertrace.ingest.prepare import Limits, make_prepare
from aftertrace.ingest.redaction_policy import Keys, RedactionPolicy, make_policy
from aftertrace.ingest.secret_rules import FieldRule, ShapeRule
from aftertrace.store.errors import Invalid
from aftertrace.store.request import Request


def test_an_empty_configuration_is_the_policy_that_comes_with_aftertrace() -> None:
    """Nothing has to be written."""
    assert make_policy() == RedactionPolicy()


def test_own_rules_stand_beside_those_that_come_with_aftertrace() -> None:
    """A person's own shape is looked for first; a rule that is off is gone."""
    policy = make_policy(
        secret_fields=["Customer~Pin"],
        secret_patterns=[("employee", "EMP-([0-9]{6})")],
        rules_off=["url-credentials", "cookie-field"],
    )
    assert policy.shapes[0] == ShapeRule("employee", "EMP-([0-9]{6})", word=False)
    assert policy.fields[-1] == FieldRule("own-field", ("customer~pin",))
    rules = {rule.rule for rule in (*policy.fields, *policy.shapes)}
    assert rules & {"url-credentials", "cookie-field", "curl-credentials"} == {"curl-credentials"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"secret_patterns": [("x-y", "(?=a)b")]}, r"secret_patterns: x-y: not RE2: .*; see github.com/google/re2"),
        ({"secret_patterns": [("x-y", "(a")]}, "x-y: not RE2"),
        ({"secret_patterns": [("x-y", r"(\w)\1")]}, "x-y: not RE2"),
        ({"secret_patterns": [("x-y", ".*")]}, "x-y: it matches everything; say what the secret looks like"),
        ({"secret_patterns": [("x-y", "a*")]}, "it matches everything"),
        ({"secret_patterns": [("x-y", r"\w+")]}, "it matches everything"),
        ({"secret_patterns": [("x-y", "[^0-9]{3,}")]}, "it matches everything"),
        ({"secret_patterns": [("x-y", "(a1)(b2)")]}, "2 groups; have one group at most"),
        ({"secret_patterns": [("x-y", "Schlüssel")]}, "characters beyond ASCII"),
        ({"secret_patterns": [("X Y", "EMP-1")]}, "'X Y' cannot name a rule"),
        ({"secret_patterns": [("github", "EMP-1")]}, "'github' cannot name a rule"),
        ({"secret_patterns": [("my-password", "EMP-1")]}, "take my-password-shape"),
        ({"secret_fields": ["~"]}, "'~' is no name of a field"),
        ({"secret_fields": ["a b"]}, "'a b' is no name of a field"),
        ({"rules_off": ["gitlap"]}, "there is no such rule 'gitlap'; did you mean 'gitlab'?"),
        ({"keys": Keys(redact=("*",))}, r"'\*' is every key; name some, or use capture"),
        ({"capture": "none"}, "capture: 'none'; expected one of full, by-reference, digest-only, metadata-only"),
        ({"reference_bytes": 100}, "reference_bytes: 100; expected 256 at least"),
        ({"capture_of": [("a", "digest")]}, "capture_of: 'digest'"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(told: dict[str, Any], message: str) -> None:
    """What was found, and the way out; never a rule that silently does nothing or hides all."""
    with pytest.raises(Invalid, match=message):
        make_policy(**told)


def test_the_digest_covers_all_of_it() -> None:
    """Whatever differs, the digest does; the same policy has the same one."""
    policies = [
        make_policy(),
        make_policy(keys=Keys(redact=("a.b",))),
        make_policy(keys=Keys(drop=("a.b",))),
        make_policy(keys=Keys(keep=("a.b",))),
        make_policy(secret_fields=["pin"]),
        make_policy(secret_patterns=[("employee", "EMP-[0-9]{6}")]),
        make_policy(secret_patterns=[("employee", "EMP-[0-9]{7}")]),
        make_policy(rules_off=["jwt"]),
        make_policy(rules_off=["cookie-field"]),
        make_policy(capture="digest-only"),
        make_policy(capture_of=[("acme/*", "digest-only")]),
        make_policy(capture_of=[("acme/*", "metadata-only")]),
        make_policy(capture="by-reference"),
        make_policy(capture="by-reference", reference_bytes=300),
    ]
    assert len({policy.digest for policy in policies}) == len(policies)
    assert make_policy(rules_off=["jwt"]).digest == make_policy(rules_off=["jwt"]).digest
    assert all(policy.digest.startswith("sha256:") for policy in policies)


def test_what_is_kept_of_content_is_by_source() -> None:
    """The first pattern that fits counts, else what holds for all."""
    policy = make_policy(capture="digest-only", capture_of=[("acme/refunds", "full"), ("acme/*", "metadata-only")])
    sources = ("acme/refunds", "acme/other", "anonymous")
    assert [policy.capture_for(source) for source in sources] == ["full", "metadata-only", "digest-only"]


def test_only_an_asterisk_stands_for_others_in_the_name_of_a_source() -> None:
    """As the reference says: a bracket or a question mark is itself."""
    policy = make_policy(capture_of=[("a[b]", "digest-only"), ("a?.*", "metadata-only")])
    sources = ("a[b]", "ab", "a?.x", "ab.x", "a?xx")
    modes = ["digest-only", "full", "metadata-only", "full", "full"]
    assert [policy.capture_for(source) for source in sources] == modes


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\bEMP-[0-9]{6}\b", "EMP-123456"),
        (r"^EMP-[0-9]{6}$", "EMP-123456"),
        (r"(?:^|[^0-9])([0-9]{9})(?:$|[^0-9])", "123456789"),
        (r"\AEMP[$^]\$[[:alpha:]^]\z", "EMP$$^"),
        (r"\Q^$\E\b[a-z]{4}\b", "^$pass"),
    ],
)
def test_what_holds_of_the_ends_of_a_text_is_not_asked_of_the_bytes_around_it(pattern: str, text: str) -> None:
    """A length or a tag of protobuf may be a letter or a digit there."""
    prepare = make_prepare(make_policy(secret_patterns=[("staff", pattern)]), limits=Limits(), key=b"k" * 32)
    span = Span(trace_id=b"t" * 16, name=text, attributes=[KeyValue(key="k", value=AnyValue(string_value=text))])
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
    kept = prepare(Request("traces", "protobuf", body.SerializeToString(), "anonymous", 1))
    assert (text.encode() in kept.payload, kept.redactions) == (False, (("staff", 2),))


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("STAFF(-[0-9])?-[A-Z]{6}", b""),
        ("(EMP)?STAFF-[A-Z]{6}|STAFF-(?:[A-Z]{6})", b""),
        ("STAFF-[A-Z]{6}()", b""),
        ("(?:STAFF|TEMP)-[A-Z]{6}", b""),
        ("(STAFF|TEMP)-[A-Z]{6}", b"-CANARY"),
        ("STAFF-([A-Z]{6})", b"STAFF-"),
    ],
)
def test_a_group_says_what_is_secret_and_all_is_where_it_is_empty(pattern: str, kept: bytes) -> None:
    """A group that takes no part in a match must not hide it."""
    prepare = make_prepare(make_policy(secret_patterns=[("staff", pattern)]), limits=Limits(), key=b"k" * 32)
    span = Span(trace_id=b"t" * 16, name="STAFF-CANARY")
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
    stored = prepare(Request("traces", "protobuf", body.SerializeToString(), "anonymous", 1))
    assert [part in stored.payload for part in (b"STAFF-", b"-CANARY")] == [kept == b"STAFF-", kept == b"-CANARY"]
    assert stored.redactions == (("staff", 1),)
