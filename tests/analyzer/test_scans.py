"""What is read of kept tables to sum them up: the columns and rows that are asked for, and the same as without them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from aftertrace.analyzer import Analysis, Corrupt, Filter, open_analysis
from aftertrace.analyzer.inventory import DeclaredTool, Inventory
from aftertrace.analyzer.near_misses import OF_RATES
from aftertrace.analyzer.scans import BY_RUN
from aftertrace.store.folder import open_folder
from aftertrace.store.layout import Layout

from .frames import RECEIVED_NS
from .test_arrival import fleet
from .test_deriving import HOUR_NS, Growing

NOW_NS: Final = RECEIVED_NS + 26 * HOUR_NS
DECLARED: Final = Inventory(tools=(DeclaredTool("*delete*", "read"), DeclaredTool("*", "money")))
WANTED: Final = (
    Filter(),
    Filter(agent="assistant"),
    Filter(outcome="denied"),
    Filter(decided_by="human", since_ns=1),
    Filter(risk="money"),
    Filter(target="orders"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Growing:
    """All recordings: most of them are kept, and the last ones came since."""
    whole = fleet()
    last = max(*whole.spans["seq"], *whole.events["seq"])
    growing = Growing(open_folder(tmp_path_factory.mktemp("kept") / "data"), whole)
    growing.receive(0, last - 40)
    growing.derive(NOW_NS)
    growing.receive(last - 40, last)
    return growing


def both(store: Growing, inventory: Inventory = DECLARED) -> tuple[Analysis, Analysis]:
    """What is told from what is kept, and from all records."""
    last = max(*store.whole.spans["seq"], *store.whole.events["seq"])
    found = open_analysis(store.layout.data, now_ns=NOW_NS, inventory=inventory)
    return found, replace(store.told(last, NOW_NS), inventory=inventory)


def broken(layout: Layout, table: str, left: Collection[str]) -> None:
    """Write over all columns of the files of a table but some."""
    for path in (layout.derived / table).glob("*.parquet"):
        groups, content = pq.read_metadata(path), bytearray(path.read_bytes())
        for group in range(groups.num_row_groups):
            columns = [groups.row_group(group).column(at) for at in range(groups.num_columns)]
            for column in columns:
                if column.path_in_schema.partition(".")[0] not in left:
                    begin = column.dictionary_page_offset or column.data_page_offset
                    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
        path.write_bytes(content)


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_scan_has_the_rows_that_are_selected(store: Growing, wanted: Filter) -> None:
    """Of every table, kept or not, with what an inventory declares; and so have tables that were asked for whole."""
    found, expected = both(store)
    for table in BY_RUN:
        rows = expected.select(table, wanted)
        assert_frame_equal(found.collected(found.scan(table, filter=wanted))[0], rows, check_row_order=False)
        assert_frame_equal(found.select(table, wanted), rows)
        _ = getattr(found, table)
        assert_frame_equal(found.select(table, wanted), rows)
        assert_frame_equal(found.collected(found.scan(table, ("run_id",), wanted))[0], rows.select("run_id"))


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_rates_are_those_of_all_rows(store: Growing, wanted: Filter) -> None:
    """Whatever they are told by."""
    found, expected = both(store)
    for by in ([], ["tool_name"], ["agent_name", "risk"], ["outcome"]):
        assert_frame_equal(found.rates(by, wanted), expected.rates(by, wanted))


def test_rates_read_no_column_that_they_do_not_need(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With all others destroyed they are the same; the control sees that these are."""
    whole = fleet()
    last = max(*whole.spans["seq"], *whole.events["seq"])
    store = Growing(open_folder(tmp_path_factory.mktemp("broken") / "data"), whole)
    store.receive(0, last)
    store.derive(NOW_NS)
    broken(store.layout, "calls", (*OF_RATES, "proposed_at_rest_ns", "tool_name"))
    found, expected = both(store, Inventory())
    assert_frame_equal(found.rates(["tool_name"]), expected.rates(["tool_name"]))
    with pytest.raises(Corrupt):
        _ = found.rates(["agent_name"])
    with pytest.raises(Corrupt):
        _ = found.calls
