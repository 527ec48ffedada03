"""What the reasons of a cost mean, in a sentence each."""

from __future__ import annotations

from tracked_inference.usage import NOTES

__all__ = ["REASONS", "meaning"]

REASONS = {
    **{name: text for name, text in NOTES.items() if name != "summed_passes"},
    "assumed_alias": "an unlisted dated snapshot, taken at the price of its model because the overlay says so",
    "attempt_timed_out": "an earlier attempt of the call timed out, and may be billed beside the one that answered",
    "background_never_retrieved": "a background response or video whose end nobody asked for",
    "batch_factor": "the documented half price of batches, on what the list has no batch rate for",
    "body_not_decodable": "a raw answer whose compression could not be undone",
    "body_not_read": "a raw answer that was left before its end",
    "body_too_large": "a raw answer too large to be kept for its usage",
    "cancelled": "the call was cancelled before its answer; the vendor may bill it",
    "connection_error": "the connection broke before the answer; the vendor may bill it",
    "deployment_type": "Azure's global price; data zone and regional deployments cost 10 % more, and no response says which it was",
    "disputed_rate": "a rate on which public price lists disagree",
    "earlier_answer": "client-side middleware got more than one answer, and only the usage of the last one is known",
    "endpoint_region": "Vertex's global price; regional endpoints cost 10 % more, and the region was not given",
    "engine_error": "a fault of the price engine; please report it",
    "failed_video": "a video that failed is not billed",
    "flex_factor": "the documented half price of flex, on a model whose list has no flex rate",
    "free_model": "a model that costs nothing",
    "gateway": "the cost that the gateway printed itself",
    "incomplete": "the stream ended before its last counts: the true cost is at least this",
    "inference_geo": "a place of inference that the table has no price for",
    "inference_profile": "Bedrock's regional price; global profiles cost a tenth less, and the name does not say which it was",
    "local": "a model on machines of your own, free because you say so",
    "moderations": "moderations are free",
    "naive_time": "a time without a zone, taken as UTC",
    "no_cache_write_rate": "cache writes of a model without a rate for them, at its input rate",
    "no_cached_rate": "cached input of a model without a rate for it, at its input rate",
    "no_usage": "the vendor reported no usage",
    "not_billed": "the vendor answered with an error, which it does not bill",
    "price_error": "a fault while the call was priced; please report it",
    "refusal_not_billed": "a refusal before any output that is not billed",
    "response_failed": "a response that failed and reports no usage",
    "self_hosted_rate": "your price per GPU-hour over the tokens per hour that you measured",
    "seller_rates": "the maker's price, as this seller's own is not known",
    "served_tier_unknown": "a tier was asked for and the response does not say which one served: the standard price",
    "service_tier": "a tier that the table has no price for: a contract, and not the list price",
    "speed": "a speed that the table has no price for",
    "stream_cancelled": "a stream that was cancelled; the vendor bills it all the same",
    "stream_cut": "a stream that broke off or was left before its end; the vendor bills it all the same",
    "stream_without_usage": "a stream that ended without usage, which has to be asked for",
    "summed_passes": "counts summed over hidden passes, at the rates below the long-context threshold",
    "tier_history": "the tier's rate of the day it was recorded, carried back in time",
    "timeout": "no answer came in time; the vendor may bill it",
    "unknown_model": "a model that the table does not know",
    "unknown_seller": "a seller that the table does not know; name it under base_urls in your overlay",
    "unobserved": "an answer that could not be looked at",
    "unpriced_unit": "a unit that the model has no price for",
    "unverified_rate": "a rate that the vendor has not published",
    "zero_rate": "a rate of zero",
}
"""Each reason that `Cost.reasons` can carry; some are followed by a colon and a name."""


def meaning(reason: str) -> str:
    """A reason in a sentence."""
    name, _, subject = reason.partition(":")
    text = REASONS.get(name, name.replace("_", " "))
    return f"{text} ({subject})" if subject else text
