"""
A vendor on the loopback interface, for tests, benchmarks and the demo: no network, no key, no bill.

It speaks the wire formats of Anthropic and OpenAI well enough for their own SDKs.
It says what it is told to say, and remembers what it was asked and what it billed.
"""

from tracked_inference.loopback.answer import AS_BILLED, Answer, ToolCall
from tracked_inference.loopback.reply import Bill, Delivery, Reply
from tracked_inference.loopback.request import Request
from tracked_inference.loopback.vendor import LoopbackVendor, Responder, Scripted

__all__ = [
    "AS_BILLED",
    "Answer",
    "Bill",
    "Delivery",
    "LoopbackVendor",
    "Reply",
    "Request",
    "Responder",
    "Scripted",
    "ToolCall",
]
