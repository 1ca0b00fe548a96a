"""The checks of system-call order accept the right order, and see each step that is missing or late."""

from __future__ import annotations

import pytest
from faults.order import judge_answers, judge_commits, judge_removals
from faults.syscalls import Call, parse

SEGMENT = "/d/wal/main/00000000000000000001.0000.wal"
CLIENT = "TCP:[127.0.0.1:4318->127.0.0.1:5000]"
ANSWERED = f"""
1 openat(AT_FDCWD</>, "{SEGMENT}.new", O_RDWR|O_CREAT|O_EXCL, 0644) = 7<{SEGMENT}.new>
1 fsync(7<{SEGMENT}.new>) = 0
1 rename("{SEGMENT}.new", "{SEGMENT}") = 0
1 fsync(8</d/wal/main>) = 0
1 recvfrom(9<{CLIENT}>, "POST /v1/traces HTTP/1.1\\r\\n\\r\\n\\n\\5marker-0-1-end", 65536, 0, NULL, NULL) = 90
2 pwrite64(7<{SEGMENT}>, "frame marker-0-1-end", 20, 88) = 20
2 fdatasync(7<{SEGMENT}> <unfinished ...>
1 recvfrom(9<{CLIENT}>, 0x7f00, 65536, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
2 <... fdatasync resumed>) = 0
1 sendto(9<{CLIENT}>, "HTTP/1.1 200 OK\\r\\n\\r\\n", 19, 0, NULL, 0) = 19
""".strip().splitlines()

TABLE = "/d/tables/spans"
DAY = f"{TABLE}/received_date=2026-01-01"
LOG = f"{TABLE}/_delta_log"
DRAINED = f"""
1 mkdir("{DAY}", 0777) = 0
1 fsync(3<{TABLE}>) = 0
1 openat(AT_FDCWD</>, "{DAY}/a.parquet", O_WRONLY|O_CREAT, 0666) = 4<{DAY}/a.parquet>
1 write(4<{DAY}/a.parquet>, "PAR1", 4) = 4
1 fsync(5<{DAY}/a.parquet>) = 0
1 fsync(3<{DAY}>) = 0
1 openat(AT_FDCWD</>, "{LOG}/x.tmp", O_WRONLY|O_CREAT|O_EXCL, 0666) = 6<{LOG}/x.tmp>
1 write(6<{LOG}/x.tmp>, "{{}}", 2) = 2
1 link("{LOG}/x.tmp", "{LOG}/00000000000000000000.json") = 0
1 unlink("{LOG}/x.tmp") = 0
1 fsync(6<{LOG}/00000000000000000000.json>) = 0
1 fsync(3<{LOG}>) = 0
1 unlink("{SEGMENT}") = 0
""".strip().splitlines()


GRPC = "TCPv6:[[::ffff:127.0.0.1]:4317->[::ffff:127.0.0.1]:5001]"


def without(lines: list[str], *texts: str) -> list[Call]:
    """The calls of `lines` but for those lines that hold all of `texts`."""
    kept = [line for line in lines if not all(text in line for text in texts)]
    assert len(kept) < len(lines)
    return parse(kept)


def test_the_right_orders_are_accepted() -> None:
    """One answer; one commit and one removed segment; nothing to say about them."""
    for judged in (
        judge_answers(parse(ANSWERED)),
        judge_commits(parse(DRAINED), "/d"),
        judge_removals(parse(DRAINED), "/d"),
    ):
        assert (judged.steps, judged.violations) == (1, [])


def test_an_answer_over_http2_is_known_by_its_headers_frame() -> None:
    """A ping before it is no answer; the HEADERS frame is."""
    lines = [line.replace(CLIENT, GRPC).replace("sendto", "sendmsg") for line in ANSWERED[:-1]]
    ping = f'1 sendmsg(9<{GRPC}>, {{msg_iov=[{{iov_base="\\0\\0\\10\\6\\0\\0\\0\\0\\0\\3", iov_len=17}}]}}, 0) = 17'
    headers = ping.replace("\\10\\6\\0\\0", "N\\1\\4\\0\\0")
    early, late = parse([*lines[:6], headers]), parse([*lines[:6], ping, *lines[6:], headers])
    assert (judge_answers(early).steps, len(judge_answers(early).violations)) == (1, 1)
    assert (judge_answers(late).steps, judge_answers(late).violations) == (1, [])


def test_interrupted_calls_are_joined() -> None:
    """A call that strace shows in two parts has both its beginning and its end."""
    (sync,) = (call for call in parse(ANSWERED) if call.name == "fdatasync")
    assert (sync.descriptor, sync.begin, sync.end) == (SEGMENT, 6, 8)


@pytest.mark.parametrize(
    "texts",
    [("pwrite64",), ("fdatasync",), ("fsync(8",)],
    ids=["no write", "no sync", "segment without a name"],
)
def test_an_early_answer_is_seen(texts: tuple[str, ...]) -> None:
    """Without the write, its sync or the sync of the segment's folder the answer comes too early."""
    assert judge_answers(without(ANSWERED, *texts)).violations == [
        "marker-0-1-end: answered before its bytes were synced"
    ]


def test_an_answer_during_the_sync_is_too_early() -> None:
    """A sync that began before the answer and ended after it does not count."""
    late = [*ANSWERED[:8], ANSWERED[9], ANSWERED[8]]
    assert len(judge_answers(parse(late)).violations) == 1


@pytest.mark.parametrize(
    ("texts", "steps"),
    [
        (("fsync", "a.parquet>"), ["commit of spans", "removal of a WAL segment"]),
        (("fsync", "01-01>"), ["commit of spans", "removal of a WAL segment"]),
        (("fsync", f"{TABLE}>"), ["commit of spans", "removal of a WAL segment"]),
        (("fsync", ".json"), ["removal of a WAL segment"]),
        (("fsync", f"{LOG}>"), ["removal of a WAL segment"]),
    ],
    ids=["rows", "folder of rows", "name of that folder", "commit", "folder of commits"],
)
def test_each_missing_sync_of_a_drain_is_seen(texts: tuple[str, ...], steps: list[str]) -> None:
    """Leaving out any one sync is a violation of the steps that rest on it."""
    calls = without(DRAINED, *texts)
    violations = judge_commits(calls, "/d").violations + judge_removals(calls, "/d").violations
    assert [violation.partition(":")[0] for violation in violations] == steps
