"""Stored records written as lines of OTLP/JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from aftertrace.ingest import otlp_json
from aftertrace.ingest.otlp_lines import line
from aftertrace.ingest.wire import split
from aftertrace.store.request import Signal

from .otlp_messages import requests


@given(signal_and_message=requests)
def test_each_record_is_read_back_as_it_was(signal_and_message: tuple[Signal, Any]) -> None:
    """With its resource and scope, in all three signals, whatever fields it has."""
    signal, message = signal_and_message
    for part in split(message.SerializeToString(), signal):
        told = json.loads(line(signal, part))
        again = otlp_json.decode(json.dumps(told["request"]).encode(), signal)
        (found,) = split(again.SerializeToString(), signal)
        assert told["signal"] == signal
        assert found == part
