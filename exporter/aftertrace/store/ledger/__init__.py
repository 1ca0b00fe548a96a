"""The ledger: an append-only Merkle log that commits to every record in `evidence`, sealed by a key of its own.

::

    drain    rows of evidence, each with salt and leaf -> entries: the root of each frame     `leaves`, `entries`, `log`
    sealer   entries -> tiles -> checkpoint, signed                                           `sealer`
    anybody  checkpoint -> tiles -> entries -> frames -> leaves -> rows                       `check`

The folder is a log as C2SP tlog-tiles lays it out: other tools can read it as it is.
"""
