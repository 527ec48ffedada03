"""The least that a scan needs: an IAM policy made of what the detectors declare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.detectors import DETECTORS
from tracked_inference.cloud.orphans.engine import ENGINE_ACTIONS
from tracked_inference.cloud.orphans.live_prices import LIVE_PRICE_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = ["declared_actions", "iam_policy"]


def declared_actions(only: Collection[str] = (), *, live_prices: bool = False) -> frozenset[str]:
    """Return every action of a scan with these detectors; by default with all of them."""
    actions: set[str] = set(ENGINE_ACTIONS)
    for detector in DETECTORS:
        if not only or detector.name in only:
            actions |= detector.actions
    return frozenset(actions | LIVE_PRICE_ACTIONS) if live_prices else frozenset(actions)


def iam_policy(actions: Iterable[str], role_arns: Sequence[str] = ()) -> str:
    """
    Return the policy document that allows these actions, and taking these roles, and nothing else.

    The actions are on every resource because none of them can be limited to one.
    """
    statements: list[dict[str, Any]] = [
        {"Sid": "OrphanScanReadOnly", "Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    ]
    if role_arns:
        statements.append(
            {
                "Sid": "OrphanScanRoles",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": sorted(role_arns),
            }
        )
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"
