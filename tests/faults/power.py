"""Power cuts without a power switch: a file system in a file, copied while its writer is stopped.

What the kernel has not written to the image when it is copied is what a power cut would take: bytes without
`fsync`, and names whose folder was not synced. The journal's own timer is set far off, so that nothing gets
down by chance. The order of the block layer is kept and sectors are whole: reordering and torn sectors are
not shown.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.checker import Verdict, check
from faults.found import span_ids
from faults.kill import QUIET_S, spans, wait_drained
from faults.load import Load
from faults.serve import Serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.payload import RequestId, SpanId

IMAGE_BYTES: Final = 512 << 20


class CannotMount(Exception):
    """Loop mounts are not to be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The disk at one instant, and what the clients knew then."""

    image: Path
    attempted: frozenset[RequestId]
    acknowledged: frozenset[RequestId]


def make_image(image: Path) -> None:
    """Make a file with an empty ext4 file system.

    Raises:
        CannotMount: a tool or a permission is missing.
    """
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    _tool("mkfs.ext4", "-q", "-F", str(image))


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount an image for the length of a `with` block."""
    folder.mkdir(exist_ok=True)
    _tool("mount", "-o", "loop,commit=600", str(image), str(folder))
    try:
        yield folder
    finally:
        _unmount(folder)


@contextmanager
def small_disk(folder: Path, *, size_bytes: int, names: int) -> Iterator[Path]:
    """Mount a file system in memory that is soon full, for the length of a `with` block.

    Raises:
        CannotMount: a tool or a permission is missing.
    """
    folder.mkdir()
    _tool("mount", "-t", "tmpfs", "-o", f"size={size_bytes},nr_inodes={names}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _unmount(folder)


def cut_under_load(scratch: Path, *, cuts: int, seed: int, broken: str | None = None) -> list[Cut]:
    """Run `serve` under load on an image and copy the image `cuts` times while the server is stopped."""
    image, taken = scratch / "disk.img", []
    make_image(image)
    with (
        mounted(image, scratch / "disk") as disk,
        Serve(disk / "data", changes=("small", broken), log=scratch / "serve.log") as serve,
    ):
        serve.start()
        serve.wait_ready()
        with Load(serve, clients=4, seed=seed, pause_s=0.05) as load:
            for number in range(cuts):
                time.sleep(1.5)
                serve.signal(signal.SIGSTOP)
                # Answers that left before the stop are still on their way to the clients.
                time.sleep(0.1)
                copy = scratch / f"cut-{number}.img"
                taken.append(Cut(copy, *load.known()))
                _tool("cp", "--sparse=always", str(image), str(copy))
                serve.signal(signal.SIGCONT)
            serve.kill()
    image.unlink()
    return taken


def judge_cut(scratch: Path, cut: Cut, *, quiet_s: float = QUIET_S) -> Verdict[SpanId]:
    """Start again on what the power cut left, let it catch up for as long as something comes, and compare."""
    with (
        mounted(cut.image, scratch / "after") as disk,
        Serve(disk / "data", changes=("small",), log=scratch / "after.log") as serve,
    ):
        acknowledged = spans(cut.acknowledged)
        serve.start()
        serve.wait_ready()
        wait_drained(disk / "data", acknowledged, quiet_s=quiet_s)
        serve.stop()
        verdict = check(spans(cut.attempted), acknowledged, span_ids(disk / "data"))
    cut.image.unlink()
    return verdict


def _unmount(folder: Path) -> None:
    # Killed processes hold their files for another moment.
    deadline = time.monotonic() + 10
    while subprocess.run(["umount", str(folder)], capture_output=True).returncode and folder.is_mount():
        assert time.monotonic() < deadline, f"{folder} stays busy"
        time.sleep(0.1)


def _tool(name: str, *arguments: str) -> None:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise CannotMount(f"{name} is not installed")
    result = subprocess.run([path, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise CannotMount(f"{name}: {result.stderr.strip()}")
