"""Holds in a lake that several data folders share against those of this one's ledger: the others take them from there,
and what is not there any more they would not keep.
"""

from __future__ import annotations

from collections.abc import Iterable

from aftertrace.store.errors import Corrupt
from aftertrace.store.layout import Layout
from aftertrace.store.ledger import shared_holds
from aftertrace.store.ledger.entries import Hold
from aftertrace.store.verify.report import Findings


def check_holds(layout: Layout, holds: Iterable[Hold], findings: Findings) -> None:
    """Compare each hold that holds with what the lake has of it.

    Args:
        layout: of the store.
        holds: as its ledger has them.
        findings: what is wrong.

    Raises:
        OSError: the lake cannot be reached.
    """
    if not layout.is_shared:
        return
    # Until whoever asked is told, it may be in the ledger alone.
    asked = {path.stem for path in layout.acts.glob("*.json")}
    for hold in holds:
        if hold.id in asked:
            continue
        where = f"{layout.tables_folder.name}/{shared_holds.key_of(hold.id)}"
        try:
            found = shared_holds.read(layout, hold.id)
        except FileNotFoundError:
            findings.add("hold_missing", where, f"no file, expected the hold of {hold.of} {hold.name}")
        except Corrupt as damage:
            findings.add("hold_differs", where, str(damage))
        else:
            if _said(found) != _said(hold):
                findings.add("hold_differs", where, f"another hold than that of {hold.of} {hold.name} in the ledger")


def _said(hold: Hold) -> tuple[object, ...]:
    return hold.id, hold.uid, hold.of, hold.name, hold.by, hold.why
