"""The PromQL that dashboards share."""

from __future__ import annotations

from textwrap import dedent

from .names import labels_of, raw

__all__ = ["ALL", "ONE", "change", "pick", "saved_by_cache", "share", "yesterday"]

ALL = {"team": '=~"$team"', "feature": '=~"$feature"', "model": '=~"$model"'}
ONE = {"feature": '=~"$feature"', "model": '=~"$model"'}


def pick(name: str, variables: dict[str, str], **more: str) -> str:
    """A selector with the matchers of the dashboard's variables, of those labels that the metric has."""
    known = labels_of(name)
    return str(raw(name, **{label: value for label, value in variables.items() if label in known}, **more))


def share(part: str, whole: str) -> str:
    """A part of a whole; zero, not empty, where there is a whole and no part; empty where there is no whole."""
    return f"(({part}) or ({whole}) * 0) / (({whole}) > 0)"


def change(query: str, before: str) -> str:
    """Growth against before, 0.1 for ten per cent; empty where before was nothing."""
    return f"({query}) / (({before}) > 0) - 1"


def yesterday(selector: str, by: str) -> str:
    """
    What a counter gained in the last full UTC day, the first values of new series included.

    A subquery of one day steps on midnights of UTC, so its last sample is taken at the one just past.
    Three disjoint cases, a series being in the first or in both others: no reset that day (last value less the value
    before midnight, nothing before meaning that it was born that day); resets (increase); resets and born that day
    (increase, which misses the value it was born with, plus that value).
    Six hours before the day are looked at: a longer gap in scraping makes old counts look new.
    """
    day = dedent(f"""
        sum by ({by}) (
          label_replace(
            (
              last_over_time({selector}[1d])
              - (last_over_time({selector}[6h] offset 1d) or last_over_time({selector}[1d]) * 0)
            ) unless (resets({selector}[1d]) > 0),
            "case", "no reset", "", ""
          )
          or
          label_replace(increase({selector}[1d]) and (resets({selector}[1d]) > 0), "case", "reset", "", "")
          or
          label_replace(
            (min_over_time({selector}[1d]) unless last_over_time({selector}[6h] offset 1d))
            and (resets({selector}[1d]) > 0),
            "case", "born and reset", "", ""
          )
        )""").strip()
    return f"last_over_time((\n{day}\n)[1d:1d])"


def saved_by_cache(variables: dict[str, str], window: str) -> str:
    """
    Dollars that cached input saved at list prices, less what writing the cache cost beyond plain input.

    Zero where there is input and no cache; empty where there is no input.
    """
    asked = pick("ai_inference_tokens_total", variables, token_type='="input"')
    read = pick("ai_inference_tokens_total", variables, token_type='="cache_read"')
    written = pick("ai_inference_tokens_total", variables, token_type='=~"cache_write.*"')
    # A day back: a nightly job takes its prices along when it ends.
    plain, of_read, of_written = (
        f"last_over_time({raw('ai_inference_price_usd_per_token', token_type=matcher)}[1d])"
        for matcher in ('="input"', '="cache_read"', '=~"cache_write.*"')
    )
    plain_price = f"max by (model) ({plain})"
    written_price = f"max by (model, token_type) ({of_written})"
    nothing = f"sum(increase({asked}[{window}])) * 0"
    return dedent(f"""
        (
          sum (
            sum by (model) (increase({read}[{window}]))
            * ({plain_price} - max by (model) ({of_read}))
          )
          or {nothing}
        )
        - (
          sum (
            sum by (model, token_type) (increase({written}[{window}]))
            * ({written_price} - on (model) group_left () {plain_price})
          )
          or {nothing}
        )""").strip()
