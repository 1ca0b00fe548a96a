"""Personal data by its form, each class off unless a policy names it: what it looks like, and what must add up in it.

Forms are checked where they can be: a card's digits by Luhn (ISO/IEC 7812-1), an IBAN by its country's length and
modulo 97 (ISO 13616), a phone number by the length of E.164, an address by its parts. No names, no addresses of
streets, nothing that would need a model.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from aftertrace.ingest.secret_rules import ShapeRule

_BEFORE: Final = r"(?:^|[^0-9A-Za-z._+-]|\\[nrtbf])"
_BEHIND: Final = r"(?:$|[^0-9A-Za-z_-])"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

PII: Final = (
    ShapeRule(
        "email",
        r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}",
        sign=r"[A-Za-z0-9._%+-]@[A-Za-z0-9-]+\.[A-Za-z0-9-]",
    ),
    ShapeRule(
        "iban",
        rf"{_BEFORE}([A-Z]{{2}}[0-9]{{2}}(?:[A-Z0-9]{{11,30}}|(?:[ -][A-Z0-9]{{4}}){{2,7}}(?:[ -][A-Z0-9]{{1,3}})?))",
        "iban",
        word=False,
        sign=r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}",
    ),
    ShapeRule(
        "card",
        rf"{_BEFORE}([2-6][0-9]{{3}}(?:[ -]?[0-9]){{8,15}}){_BEHIND}",
        "card",
        word=False,
        sign=r"(?:^|[^0-9])[2-6][0-9]{3}(?:[ -]?[0-9]){8}",
        is_few=True,
    ),
    ShapeRule(
        "phone",
        r"(?:^|[^0-9A-Za-z+]|\\[nrtbf])(\+[1-9](?:[ ().-]{0,2}[0-9]){7,14})",
        "phone",
        word=False,
        sign=r"\+[1-9][ ().-]{0,2}[0-9]",
        is_few=True,
    ),
    ShapeRule(
        "ipv4",
        rf"{_BEFORE}((?:{_BYTE}\.){{3}}{_BYTE})(?:$|[^0-9A-Za-z_.-]|\.(?:$|[^0-9]))",
        "ip",
        word=False,
        sign=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        is_few=True,
    ),
    ShapeRule(
        "ipv6",
        r"(?:^|[^0-9A-Za-z:.]|\\[nrtbf])((?:[0-9A-Fa-f]{1,4}:|:){2,7}(?:[0-9A-Fa-f]{1,4}|:)?)",
        "ip",
        word=False,
        sign=r"[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]",
    ),
    ShapeRule(
        "us-ssn",
        rf"{_BEFORE}([0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}){_BEHIND}",
        "ssn",
        word=False,
        sign=r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
        is_few=True,
    ),
)
"""Every class. Of those with few possible values the tokens are drawn, so that nobody can try them all."""

_SEPARATORS: Final = re.compile(rb"[^0-9A-Za-z]")
_IBAN_LENGTHS: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_CHARACTERS: Final = {each[:2]: int(each[2:]) for each in _IBAN_LENGTHS.split()}


def card_bytes(text: bytes) -> int:
    """How much of a text is the number of a card, from its beginning; 0: nothing."""
    digits = [byte - 0x30 for byte in text if 0x30 <= byte <= 0x39]
    doubled = (2 * digit - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits)))
    return len(text) if len(set(digits)) > 1 and sum(doubled) % 10 == 0 else 0


def iban_bytes(text: bytes) -> int:
    """The same of an IBAN: what stands behind it in capitals may look like more of it."""
    wanted = _IBAN_CHARACTERS.get(text[:2].decode("latin-1"), 0)
    ends = [match.end() for match in re.finditer(rb"[0-9A-Z]", text)]
    if not wanted or len(ends) < wanted:
        return 0
    number = _SEPARATORS.sub(b"", text[: ends[wanted - 1]])
    spelled = "".join(str(int(chr(byte), 36)) for byte in number[4:] + number[:4])
    return ends[wanted - 1] if int(spelled) % 97 == 1 else 0


def phone_bytes(text: bytes) -> int:
    """The same of a phone number: eight digits at least, fifteen at most."""
    digits = sum(0x30 <= byte <= 0x39 for byte in text)
    return len(text) if 8 <= digits <= 15 else 0


def ip_bytes(text: bytes) -> int:
    """The same of an IP address, but for those that every machine has."""
    try:
        address = ipaddress.ip_address(text.decode("latin-1"))
    except ValueError:
        return 0
    if address.is_loopback or address.is_unspecified or (address.version == 6 and len(text.replace(b":", b"")) < 6):
        return 0
    return len(text)


def ssn_bytes(text: bytes) -> int:
    """The same of a US Social Security number: some areas, groups and serials are never given."""
    area, group, serial = text.split(b"-")
    return 0 if area in (b"000", b"666") or area >= b"900" or group == b"00" or serial == b"0000" else len(text)
