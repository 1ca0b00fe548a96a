"""A hook for Claude Code and Codex: it lets through, refuses or rewrites by words in what it is shown."""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Read the event and answer it; no word of ours means no opinion."""
    event = json.load(sys.stdin)
    given, name = event.get("tool_input") or {}, event["hook_event_name"]
    said = json.dumps(given)
    word = next((word for word in ("hook-denies", "hook-allows", "hook-edits") if word in said), None)
    if word is None:
        return
    edited = {**given, "command": str(given.get("command")).replace("hook-edits", "edited-by-hook")}
    behavior = "deny" if word == "hook-denies" else "allow"
    verdict: dict[str, Any] = {"hookEventName": name}
    if name == "PermissionRequest":
        verdict["decision"] = {"behavior": behavior, "message": "The hook says no."}
        if behavior == "allow":
            verdict["decision"] = {"behavior": behavior, "updatedInput": edited}
    else:
        verdict |= {"permissionDecision": behavior, "permissionDecisionReason": "The hook says so."}
        if word == "hook-edits":
            verdict["updatedInput"] = edited
    print(json.dumps({"hookSpecificOutput": verdict}))


if __name__ == "__main__":
    main()
