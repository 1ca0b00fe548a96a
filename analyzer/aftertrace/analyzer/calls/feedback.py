"""What a harness says in messages of calls that it has no other record for, told once.

mini-swe-agent and DRIFT write into the user's next message what became of a call. Every model call repeats the messages
before it, a model call that failed is made again with the same ones, and where the tool is instrumented as well, its
own span tells of the same run. Each thing said is of one call:

1. The same text after the same number of messages is one thing said, of as many calls as it lists. What is only heard
   of in a repetition, since the record that was told first is lost, counts once for each message of the agent that it
   answers.
2. What a span of the tool says in the same words is left out.
3. So is a run that the tool's own span ended before, with nothing else said of the tool in between; and one whose span
   had the same output.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_FEEDBACK: Final = (pl.col("group") == "feedback").fill_null(value=False)
_RAN: Final = (pl.col("event") == "tool.called") & pl.col("state").is_in(("completed", "failed"))
_TOOL: Final = ("scope", "tool_name")


def once(anonymous: pl.DataFrame, identified: pl.DataFrame, entered: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The call events without an id, less what a harness says again of a call.

    Args:
        anonymous: call events without a call id, with `row`, `scope` and `done_ns`.
        identified: those with one.
        entered: the entries of tools among the first whose run is not told by a record of its own.

    Returns:
        The events that are left, and with what is said next of each entry: `row` of the entry, `lead` (what is said).
    """
    said = anonymous.filter(_FEEDBACK)
    if not said.height:
        return anonymous, entered.select("row", lead="row").clear()
    others = anonymous.filter(~_FEEDBACK)
    columns = (*_TOOL, "row", "event", "state", "reason", "content_digest", "done_ns")
    spoken = pl.concat([others.select(columns), identified.select(columns)])
    words = spoken.filter(~_RAN).select(*_TOOL, "reason").drop_nulls().unique()
    said = _said_once(said).join(words, on=[*_TOOL, "reason"], how="anti")
    runs, of_runs = spoken.filter(_RAN).sort("done_ns", "row"), said.filter(_RAN)
    next_said = _after(said, pl.concat([runs, entered.select(columns)]))
    of_entries = next_said.join(entered, left_on="of_row", right_on="row", how="semi")
    of_runs = of_runs.join(of_entries, on="row", how="anti")
    next_said = next_said.join(of_runs, on="row", how="semi")
    same = _same_output(
        of_runs.join(next_said, on="row", how="anti"),
        runs.join(next_said.select(row="of_row"), on="row", how="anti"),
    )
    again = pl.concat([next_said.select("row"), same])
    left = pl.concat([others, said.join(again, on="row", how="anti").drop("said_before_ns")]).sort("row")
    return left, of_entries.select(row="of_row", lead="row").unique("row", keep="first", maintain_order=True)


def _said_once(said: pl.DataFrame) -> pl.DataFrame:
    text = pl.coalesce("content_digest", "reason")
    place, after = (pl.col("attributes").str.json_path_match(f"$.{name}") for name in ("message", "after"))
    said = said.sort("time_ns", "row").with_columns(text=text, place=place.cast(pl.Int64, strict=False), after=after)
    # Read before places were: each is taken for a message of its own.
    said = said.with_columns(place=pl.coalesce("place", pl.col("row").cast(pl.Int64)))
    of_text = [*_TOOL, "pointer", "text", "place"]
    said = said.with_columns(listed=pl.int_range(pl.len()).over(of_text))
    is_replayed = pl.col("attributes").str.contains('"replayed":true', literal=True).fill_null(value=False)
    first = said.filter(~is_replayed).unique([*_TOOL, "text", "place", "listed"], keep="first", maintain_order=True)
    replayed = said.filter(is_replayed).unique([*_TOOL, "text", "after", "listed"], keep="first", maintain_order=True)
    first = first.with_columns(said_before_ns=pl.col("time_ns").shift(fill_value=0).over(_TOOL))
    unheard = replayed.join(first, on=[*_TOOL, "text", "after", "listed"], how="anti", nulls_equal=True)
    unheard = _after_message_before(unheard, first).with_columns(said_before_ns=None)
    return (
        pl.concat([first, unheard], how="vertical_relaxed")
        .drop("text", "place", "after", "listed")
        .sort("time_ns", "row")
    )


def _after_message_before(unheard: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """What is only heard of later was said right after the message before it, as far as anybody can tell."""
    before = first.sort("place").select("scope", place=pl.col("place") + 1, before_ns="time_ns")
    met = unheard.sort("place").join_asof(before, on="place", by="scope", check_sortedness=False)
    return met.with_columns(time_ns=pl.min_horizontal("time_ns", pl.col("before_ns") + 1)).drop("before_ns")


def _same_output(said: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Rows of what was said with the output, or the error, of a run: the k-th meets the k-th."""
    output = pl.when(pl.col("state") == "failed").then("reason").otherwise("content_digest")
    by = [*_TOOL, "state", "output"]
    left, right = (
        frame.with_columns(output=output)
        .drop_nulls(by)
        .with_columns(rank=pl.int_range(pl.len()).over(by, order_by=[time, "row"]))
        for frame, time in ((said, "time_ns"), (runs, "done_ns"))
    )
    return left.join(right, on=[*by, "rank"], how="semi").select("row")


def _after(said: pl.DataFrame, began: pl.DataFrame) -> pl.DataFrame:
    """`row` of what was said next after a run of the tool, or after it was entered; `of_row` of that.

    What is only heard of in a repetition stands right before it (`_after_message_before`), if anywhere.
    """
    columns = began.sort("done_ns", "row").select(*_TOOL, began_ns="done_ns", of_row="row")
    heard = said.drop_nulls("said_before_ns").sort("time_ns", "row")
    met = heard.join_asof(
        columns,
        left_on="time_ns",
        right_on="began_ns",
        by=list(_TOOL),
        strategy="backward",
        check_sortedness=False,
    )
    return met.filter(pl.col("began_ns") > pl.col("said_before_ns")).select("row", "of_row")
