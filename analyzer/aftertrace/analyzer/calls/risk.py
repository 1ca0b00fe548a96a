"""Risk class of a tool: read, write, destructive, external, money, permission.

What the inventory declares wins (`declared_risk`), then what the sender does (`gen_ai.tool.risk.*`, MCP annotations).
Else the class is guessed from the words of the tool's name, and marked as a guess: a name that says nothing counts as
`write`, so that a near miss is not hidden by it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_WORDS: Final = {
    "money": "pay payment refund transfer_money send_money charge purchase checkout wire withdraw buy",
    "permission": (
        "grant revoke permission role invite share sudo chmod chown password login verify ownership ssh token"
    ),
    "destructive": "delete remove drop destroy rm purge truncate wipe cancel kill terminate clear uninstall reset",
    "external": (
        "send email mail post publish tweet message notify push upload webhook call sms browse fetch download http"
    ),
    "read": "read get list search find view show query lookup describe count check cat ls grep glob calculate think",
}
"""Words that give a class away, in the order in which they are looked for."""


def guess(tool_name: pl.Expr) -> pl.Expr:
    """The guessed class of a tool name. Words are looked for in the order money … read; `write` when none is there."""
    words = (
        tool_name.str.replace_all(r"([a-z0-9])([A-Z])", "${1}_${2}")
        .str.to_lowercase()
        .str.replace_all(r"[^a-z0-9]+", "_")
    )
    chosen = pl.lit("write")
    for name, listed in reversed(_WORDS.items()):
        chosen = (
            pl.when(words.str.contains(rf"(^|_)({listed.replace(' ', '|')})(_|$)")).then(pl.lit(name)).otherwise(chosen)
        )
    return chosen
