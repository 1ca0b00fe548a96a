"""Claims by what a record of theirs would be called: each action is looked up once, however many claims there are."""

from __future__ import annotations

from collections.abc import Sequence

from aftertrace.analyzer.provenance.actions import Action
from aftertrace.analyzer.provenance.claims import COMMIT_CHARACTERS, Claim


class Sought:
    """Claims, and which of them were met."""

    def __init__(self, claimed: Sequence[Claim]) -> None:
        """Index them by their keys; a commit by its first digits."""
        self._claimed = claimed
        self._met: set[int] = set()
        self._by_key: dict[str, list[int]] = {}
        self._by_digits: dict[str, list[int]] = {}
        for at, claim in enumerate(claimed):
            if claim.kind == "commit":
                self._by_digits.setdefault(claim.id[:COMMIT_CHARACTERS], []).append(at)
            for key in (claim.id, *claim.keys):
                self._by_key.setdefault(key.lower(), []).append(at)

    def of(self, action: Action) -> list[Claim]:
        """The claims that an action meets: those of its commit, or of any of its keys."""
        found: dict[int, None] = {}
        if action.kind == "commit":
            for at in self._by_digits.get(action.id[:COMMIT_CHARACTERS], ()):
                claimed = self._claimed[at].id
                if action.id.startswith(claimed) or claimed.startswith(action.id):
                    found[at] = None
        for key in (action.id, *action.keys):
            found.update(dict.fromkeys(self._by_key.get(key.lower(), ())))
        self._met.update(found)
        return [self._claimed[at] for at in found]

    def unmet(self) -> list[Claim]:
        """The claims that no action met; of one thing that a run tells in several ways, the one that says most."""
        left = [claim for at, claim in enumerate(self._claimed) if at not in self._met]
        left.sort(key=lambda claim: (claim.how == "receipt", claim.branch is not None))
        said_most = {(claim.run_id, claim.kind, claim.id): claim for claim in left}
        return sorted(said_most.values(), key=lambda claim: (claim.first_ns or 0, claim.run_id, claim.id))
