"""From export request to rows: prepare (decode, validate, redact), dialects, drain. No sockets."""
