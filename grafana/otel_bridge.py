"""
Our metrics under the names of OpenTelemetry's GenAI semantic conventions, as Prometheus writes those names.

Opt-in: load `rules/otel-bridge.yaml` beside the others where dashboards made for the conventions are in use.
Series stay one for each process, so that rate() still sees restarts; nothing is summed over instances here.
`gen_ai.operation.name` and `gen_ai.provider.name` are missing: our metrics do not carry them.
The buckets of `gen_ai.client.token.usage` are missing too: we count tokens, we do not spread them over a histogram.
"""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

from .names import raw

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["bridge_groups"]


def bridge_groups(settings: Settings | None = None) -> list[dict[str, Any]]:
    """The group of `rules/otel-bridge.yaml`."""
    extra = settings.matchers if settings is not None else ()
    tokens_in = raw("ai_inference_tokens_total", *extra, token_type='!~"output.*"')
    tokens_out = raw("ai_inference_tokens_total", *extra, token_type='=~"output.*"')
    rules = [
        *(
            {
                "record": f"gen_ai_client_operation_{theirs}_seconds_{part}",
                "expr": _model(str(raw(f"ai_inference_{ours}_seconds_{part}", *extra))),
            }
            for ours, theirs in (("duration", "duration"), ("time_to_first_token", "time_to_first_chunk"))
            for part in ("bucket", "count", "sum")
        ),
        {
            "record": "gen_ai_client_token_usage_sum",
            "expr": dedent(f"""
            {_tokens("input", str(tokens_in))}
            or
            {_tokens("output", str(tokens_out))}
            """).strip(),
        },
    ]
    return [{"name": "tracked-inference.otel-bridge", "interval": "1m", "rules": rules}]


def _model(vector: str) -> str:
    return f'label_replace({vector}, "gen_ai_response_model", "$1", "model", "(.*)")'


def _tokens(kind: str, selector: str) -> str:
    kept = f"sum without (token_type) ({selector})"
    return f'label_replace({_model(kept)}, "gen_ai_token_type", "{kind}", "", "")'
