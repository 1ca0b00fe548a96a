"""Makes `gitleaks.json` of the rules of gitleaks, in a checkout: ``python -m aftertrace.ingest.convert_gitleaks``.

With ``--check`` it exits with 1 if the file is stale.

gitleaks looks through files, and aftertrace through telemetry, where text stands in JSON that was quoted once more, or
several times. So each rule may have backslashes around what it takes for quotes, and begins behind a quoted line end.
What only paths of files tell is left out.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

COMMIT: Final = "b58d3f102cf3a2c84cb7f923d05c25c9b1aed84b"
"""Of github.com/gitleaks/gitleaks, whose `config/gitleaks.toml` stands in `SOURCE`."""
SOURCE: Final = Path("requirements/gitleaks/gitleaks.toml")
FILE: Final = Path(__file__).with_name("gitleaks.json")

_HEAD: Final = r"[\w.-]{0,50}?"
_BEFORE: Final = r"""(?:[ \t\w.-]{0,20})[\s'"]{0,3}"""
_BEFORE_QUOTED: Final = r"""(?:[ \t\w.-]{0,20})[\s'"\\]{0,8}"""
_BEHIND: Final = r"""[\x60'"\s=]{0,5}"""
_BEHIND_QUOTED: Final = r"""(?:[\x60'"\s=\\]|\\[nrt]){0,10}"""
_END: Final = r"""(?:[\x60'"\s;]|\\[nr]|$)"""
_END_QUOTED: Final = r"""(?:[\x60'"\s;\\]|$)"""
_WORD: Final = r"(?:\b|\\[nrtbf]|\\u00[01][0-9a-fA-F])"
_ASSIGNED: Final = re.compile(
    r"^(?:\[\\w\.-\]\{0,50\}\?)?(?:\(\?i\)|\(\?i:)*(?:\[\\w\.-\]\{0,50\}\?)?"
    r"(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))\(\?:\[ \\t\\w\.-\]\{0,20\}\)"
)
"""How a rule begins that looks for the value of a field: its group is a pattern of the field's name."""

_WHOLE: Final = frozenset(("microsoft-teams-webhook", "jwt-base64"))
"""Rules whose groups are parts of a secret, and none is all of it."""
_WITHOUT_PATHS: Final = frozenset(("generic-api-key", "kubernetes-secret-yaml", "hashicorp-tf-password"))
"""Rules that find much that is no secret, for one since they are meant for some kinds of files: off unless named."""
_SIGNS: Final = {
    "1password-secret-key": r"A3-[A-Z0-9]{6}-",
    "1password-service-account-token": r"ops_eyJ",
    "atlassian-api-token": r"""ATATT3[\w=-]{20}|(?i:atlassian|confluence|jira)[ \t\w.-]*[\s'"\\]*[=>:|,?]""",
    "authress-service-client-access-key": r"(?:sc|ext|scauth|authress)_[A-Za-z0-9]+\.[A-Za-z0-9]+\.acc[_-]",
    "aws-access-token": r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "curl-auth-header": r"""(?:-H|--header)[=\s]*\\*["'](?i:authorization|x-|api|key|token)""",
    "curl-auth-user": r"""-(?:u|-user)[=\s]*(?:\\*["'][^:"']*["']?:|[^\s:"']*:)""",
    "azure-ad-client-secret": r"\dQ~[a-zA-Z0-9_~.-]{31}",
    "facebook-page-access-token": r"EAA[MC](?i:[a-z0-9]{20})",
    "flyio-access-token": r"fo1_[\w-]{43}|fm1[ar]_[a-zA-Z0-9+/]{20}|fm2_[a-zA-Z0-9+/]{20}",
    "harness-api-key": r"(?:pat|sat)\.[a-zA-Z0-9_-]{22}\.",
    "intra42-client-secret": r"s-s4t2(?:ud|af)-",
    "jwt": r"ey[a-zA-Z0-9]+\.ey[a-zA-Z0-9]",
    "lob-api-key": r"(?i:live|test)_[a-fA-F0-9]{8}",
    "lob-pub-api-key": r"(?i:live|test)_(?i:pub)_[a-fA-F0-9]{8}",
    "microsoft-teams-webhook": r"webhook\.office\.com",
    "sidekiq-sensitive-url": r"(?i:contribsys.com)",
    "octopus-deploy-api-key": r"API-[A-Z0-9]{8}",
    "sendgrid-api-token": r"SG\.[A-Za-z0-9=_.-]{20}",
    "square-access-token": r"(?:EAAA|sq0atp-)[\w-]{22}",
    "twilio-api-key": r"SK[0-9a-fA-F]{32}",
    "vault-service-token": r"hvs\.[\w-]{8}|s\.[A-Za-z0-9]{24}",
}
"""What the one scan over a whole request looks for, of rules that neither begin with a text of their own nor with the
name of a field. Every match of the rule holds one."""
_BEGINS: Final = re.compile(
    r"(?P<small>\(\?i\))?(?:\\b)?\(?(?P<text>(?:[A-Za-z0-9_~-]|\\[.\-])+)(?P<then_small>\(\?i\))?"
    r"(?:(?P<of>\[(?:\[:[a-z]+:\]|\\.|[^\]])+\]|\\w)(?:\{(?P<times>\d+))?)?(?![?*+{|])"
)
"""How a rule begins that has a text of its own, and what of it is looked for."""
_LEAST_CHARACTERS: Final = 3
_MOST_TIMES: Final = 40


def converted(text: str) -> str:
    """The rules as JSON: one in a line."""
    source = tomllib.loads(text)
    rules = [_rule(rule) for rule in source["rules"] if rule.get("regex")]
    shared = [_quoted(pattern) for pattern in source["allowlist"]["regexes"] if pattern.startswith("^")]
    head = {
        "source": f"github.com/gitleaks/gitleaks {COMMIT} config/gitleaks.toml",
        "sha256": sha256(text.encode()).hexdigest(),
        "allowed": shared,
        "stopwords": source["allowlist"]["stopwords"],
    }
    lines = [json.dumps(head)[:-1] + ', "rules": [', ",\n".join(json.dumps(rule) for rule in rules), "]}"]
    return "\n".join(lines) + "\n"


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    pattern = _quoted(rule["regex"])
    is_match_looked_at = any(allowed.get("regexTarget") == "match" for allowed in rule.get("allowlists", []))
    # What stands before a name is no part of the secret.
    pattern = pattern if is_match_looked_at else pattern.replace(_HEAD, "")
    found = {
        "rule": rule["id"],
        "pattern": pattern,
        "keywords": rule.get("keywords", []),
        "sign": _SIGNS.get(rule["id"]) or _beginning(rule["regex"]),
        "field": _field(rule["regex"]) if rule["id"] not in _SIGNS else "",
        "entropy": rule.get("entropy", 0),
        "group": 0 if rule["id"] in _WHOLE else rule.get("secretGroup", -1),
        "off": rule["id"] in _WITHOUT_PATHS,
        "digit": rule["id"].startswith("generic"),
    }
    for allowed in rule.get("allowlists", []):
        if not allowed.get("paths"):
            target = allowed.get("regexTarget", "secret")
            found.setdefault(f"allowed_{target}", []).extend(allowed.get("regexes", []))
            found.setdefault("stopwords", []).extend(allowed.get("stopwords", []))
    return {name: value for name, value in found.items() if value not in ("", [], 0, False) or name == "group"}


def _quoted(pattern: str) -> str:
    """A pattern for text that may stand in JSON that was quoted."""
    for plain, quoted in ((_BEFORE, _BEFORE_QUOTED), (_BEHIND, _BEHIND_QUOTED), (_END, _END_QUOTED)):
        pattern = pattern.replace(plain, quoted)
    return re.sub(r"^((?:\(\?i\))?)\\b", lambda match: match.group(1) + _WORD, pattern)


def _field(pattern: str) -> str:
    """The pattern of the name of the field whose value a rule looks for; empty where it is no such rule."""
    match = _ASSIGNED.match(pattern)
    return match.group(1) if match else ""


def _beginning(pattern: str) -> str:
    """What every match of a rule begins with; empty where that tells too little."""
    match = _BEGINS.match(pattern)
    if match is None or len(match["text"].replace("\\", "")) < _LEAST_CHARACTERS or "|" in _outside(pattern):
        return ""
    then = match["of"] or ""
    if then and match["times"]:
        then += f"{{{min(int(match['times']), _MOST_TIMES)}}}"
    then = f"(?i:{then})" if then and match["then_small"] else then
    return f"(?i:{match['text']}{then})" if match["small"] else match["text"] + then


def _outside(pattern: str) -> str:
    """A pattern without what is in its inner groups and classes."""
    plain = re.sub(r"\\.|\[(?:\[:[a-z]+:\]|\\.|[^\]])+\]", "", pattern)
    inner = re.compile(r"\((?!\?i\))[^()]*\)")
    # Of a rule that is one group, and what may stand behind it, the group is the pattern.
    plain = plain.replace("(?i)", "").removeprefix("(").replace("(?:|$)", "")
    while inner.search(plain):
        plain = inner.sub("", plain)
    return plain


def main(arguments: list[str]) -> int:
    """Write the file, or check it. The exit code: 1 if it is stale."""
    made = converted(SOURCE.read_text(encoding="utf-8"))
    if "--check" in arguments:
        if FILE.read_text(encoding="utf-8") != made:
            sys.stderr.write(f"{FILE.name} is stale: run python -m aftertrace.ingest.convert_gitleaks\n")
            return 1
        return 0
    FILE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
