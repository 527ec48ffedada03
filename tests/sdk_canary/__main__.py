"""
Reads the installed SDKs and says what in them nobody has looked at: `make sdk-canary`, or `python -m tests.sdk_canary`.

A new billable endpoint, usage field, stream event or kind of content block would otherwise be a silent hole.
What was looked at stands in `known.json`; after looking (does it bill? does the adapter read it?) `--learn` adds what is new.

Exit codes: 0 nothing is new; 1 something is, or the adapter takes an endpoint for something else than was noted; 2 no SDK is
installed.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.sdk_canary.reading import ADAPTERS, KINDS, Sdk

KNOWN = Path(__file__).with_name("known.json")


def news(sdk, known):
    """What is new in an SDK, as sentences."""
    found = sdk.read()
    told = []
    for kind in KINDS:
        noted = known[sdk.name][kind]
        for word, what in found[kind].items():
            if word not in noted:
                told.append(f"{kind}: {word} ({what})")
            elif kind == "endpoints" and noted[word] != what:
                told.append(
                    f"{kind}: {word} was noted as {noted[word]!r}, and the adapter takes it for {what!r}"
                )
    return told


def learned(sdk, known):
    """What was known and what is there now."""
    found = sdk.read()
    noted = known[sdk.name]
    mine = {kind: {**found[kind], **noted[kind]} for kind in KINDS}  # a place that moved is no news
    mine["endpoints"] |= found["endpoints"]
    return {**known, sdk.name: {kind: dict(sorted(words.items())) for kind, words in mine.items()}}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.sdk_canary", description=__doc__.split("\n\n")[0])
    parser.add_argument("--learn", action="store_true", help="note what is new as looked at")
    words = parser.parse_args(arguments)
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    seen, new = 0, 0
    for name in ADAPTERS:
        try:
            sdk = Sdk(name)
        except ModuleNotFoundError as missing:
            print(missing)
            continue
        seen += 1
        told = news(sdk, known)
        new += len(told)
        counts = ", ".join(f"{len(words)} {kind.replace('_', ' ')}" for kind, words in sdk.read().items())
        print(f"{name} {sdk.version}: {counts}; {len(told) or 'nothing'} new")
        for one in told:
            print(f"  {one}")
        known = learned(sdk, known)
    if words.learn:
        KNOWN.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        return 0
    return 2 if not seen else 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
