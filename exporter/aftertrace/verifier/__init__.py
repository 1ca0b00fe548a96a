"""Verifying a packet, without the store that it is from: what `aftertrace-verify` runs, and `aftertrace verify PACKET`.

It needs the standard library, `cryptography` and `aftertrace.tlog`, and nothing else of aftertrace. All that it reads
is hostile: nothing is unpacked, no name leads out of the packet, and what is not written in the one way in which
aftertrace writes it is refused.
"""
