"""
From a request to its one record, in the order in which it happens.

| module | what it does |
|---|---|
| `subclass` | the client's class, with `request` overridden |
| `meter` | before a request: what is it, who is it for, may it be made |
| `stream_usage` | asks for the usage of streams that report it on request only |
| `call` | the call in flight; its first end is the one that counts |
| `observe` | after it: what did the SDK return |
| `streams`, `raw`, `background` | answers that come in pieces, as bytes, or later |
| `recorder` | the end of a call becomes a record: usage, price, sinks |
| `handover` | a way out of finalizers |
| `faults` | what goes wrong in any of this stays here |
"""
