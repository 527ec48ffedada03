"""
Load balancers that lead nowhere, and load balancers that nobody uses.

A balancer that only redirects or answers by itself has no targets by design; its traffic alone judges it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.costs import load_balancer_cost
from tracked_inference.cloud.orphans.detectors.base import (
    Aws,
    ScanContext,
    age_in_days,
    detector,
    is_kept,
    tags_of,
)
from tracked_inference.cloud.orphans.errors import IncompleteMetricsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tracked_inference.cloud.orphans.model import OrphanedResource

__all__ = [
    "forwarded_groups",
    "idle_load_balancers",
    "judge_targets",
    "judge_traffic",
    "load_balancers_without_targets",
    "sum_by_balancer",
    "traffic_queries",
]

# Traffic is the sum of these. RequestCount leaves out what never reaches a target: a balancer that redirects
# would look idle by it alone. A flow that has stayed open for weeks is active and never new.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
_METRICS = {
    "application": (
        "AWS/ApplicationELB",
        ("RequestCount", "HTTP_Redirect_Count", "HTTP_Fixed_Response_Count"),
    ),
    "network": ("AWS/NetworkELB", ("NewFlowCount", "ActiveFlowCount")),
}
_QUERIES_A_CALL = 500  # the most that GetMetricData takes
_TAGS_A_CALL = 20  # the most that DescribeTags takes
_DAY_SECONDS = 86_400


@detector(
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "elasticloadbalancing:DescribeTags",
)
def load_balancers_without_targets(aws: Aws, context: ScanContext) -> Iterator[OrphanedResource]:
    """Yield load balancers without a listener, or without a registered target in any of their groups."""
    balancers = _active(aws)
    if not balancers:
        return
    groups = aws.pages("elbv2", "describe_target_groups", "TargetGroups")
    candidates = []
    for balancer in balancers:
        arn = balancer["LoadBalancerArn"]
        listeners = aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
        own = forwarded_groups(listeners)
        own |= {group["TargetGroupArn"] for group in groups if arn in group.get("LoadBalancerArns", ())}
        health = [
            aws.pages("elbv2", "describe_target_health", "TargetHealthDescriptions", TargetGroupArn=group)
            for group in sorted(own)
        ]
        if reason := judge_targets(listeners, [len(targets) for targets in health]):
            candidates.append((balancer, reason))
    tags = _tags(aws, [balancer["LoadBalancerArn"] for balancer, _ in candidates])
    for balancer, reason in candidates:
        if found := _finding(balancer, reason, tags[balancer["LoadBalancerArn"]], context):
            yield found


@detector(
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "cloudwatch:GetMetricData",
)
def idle_load_balancers(aws: Aws, context: ScanContext) -> Iterator[OrphanedResource]:
    """Yield application and network load balancers without traffic."""
    balancers = [
        balancer
        for balancer in _active(aws)
        if balancer.get("Type") in _METRICS
        # A younger one has not had its chance.
        and age_in_days(balancer["CreatedTime"], context.now) >= context.thresholds.idle_days
    ]
    queries = traffic_queries(balancers)
    results: list[dict[str, Any]] = []
    start = context.now - timedelta(days=context.thresholds.idle_days)
    for first in range(0, len(queries), _QUERIES_A_CALL):
        results += aws.pages(
            "cloudwatch",
            "get_metric_data",
            "MetricDataResults",
            MetricDataQueries=queries[first : first + _QUERIES_A_CALL],
            StartTime=start,
            EndTime=context.now,
        )
    traffic = sum_by_balancer(results, len(balancers))
    idle = [
        (balancer, reason)
        for balancer, total in zip(balancers, traffic, strict=True)
        if (reason := judge_traffic(total, context))
    ]
    tags = _tags(aws, [balancer["LoadBalancerArn"] for balancer, _ in idle])
    for balancer, reason in idle:
        if found := _finding(balancer, reason, tags[balancer["LoadBalancerArn"]], context):
            yield found


def forwarded_groups(listeners: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the target groups that listeners forward to by default; those of rules know their balancer."""
    groups = set()
    for listener in listeners:
        for action in listener.get("DefaultActions", ()):
            weighted = (action.get("ForwardConfig") or {}).get("TargetGroups", ())
            groups |= {group["TargetGroupArn"] for group in weighted if "TargetGroupArn" in group}
            if "TargetGroupArn" in action:
                groups.add(action["TargetGroupArn"])
    return groups


def judge_targets(listeners: Collection[object], targets_in_groups: Sequence[int]) -> str | None:
    """Return why a balancer leads nowhere, from its listeners and how many targets each group has."""
    if not listeners:
        return "Load balancer has no listener"
    if not targets_in_groups:
        return None  # it redirects or answers by itself: no targets by design
    if any(targets_in_groups):
        return None
    groups = len(targets_in_groups)
    where = "its target group" if groups == 1 else f"any of its {groups} target groups"
    return f"No target is registered in {where}"


def judge_traffic(total: float, context: ScanContext) -> str | None:
    """Return why a balancer counts as idle, from the sum of its traffic in the window."""
    limit = context.thresholds.idle_requests
    if total > limit:
        return None
    days = context.thresholds.idle_days
    if limit == 0:
        return f"Zero requests in past {days} days"
    return f"{total:.0f} requests in past {days} days, {limit} or fewer count as idle"


def traffic_queries(balancers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the metric queries for some balancers; each id begins with the balancer's place among them."""
    queries = []
    for index, balancer in enumerate(balancers):
        namespace, metrics = _METRICS[balancer["Type"]]
        dimension = {
            "Name": "LoadBalancer",
            "Value": balancer["LoadBalancerArn"].partition("loadbalancer/")[2],
        }
        for number, metric in enumerate(metrics):
            stat = {
                "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": [dimension]},
                "Period": _DAY_SECONDS,
                "Stat": "Sum",
            }
            queries.append({"Id": f"b{index}_{number}", "MetricStat": stat, "ReturnData": True})
    return queries


def sum_by_balancer(results: Iterable[Mapping[str, Any]], balancers: int) -> list[float]:
    """
    Return the traffic of each balancer; a silent one has no datapoints at all, which is zero.

    Raises:
        IncompleteMetricsError: A query was not answered to its end, so that nothing would not mean zero.

    """
    totals = [0.0] * balancers
    status: dict[str, str] = {}
    for result in results:
        totals[int(result["Id"][1:].partition("_")[0])] += sum(result.get("Values") or ())
        status[result["Id"]] = result.get("StatusCode", "Complete")
    if unfinished := [query for query, code in status.items() if code != "Complete"]:
        raise IncompleteMetricsError(
            f"CloudWatch answered {status[unfinished[0]]} to {len(unfinished)} queries"
        )
    return totals


def _active(aws: Aws) -> list[dict[str, Any]]:
    balancers = aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")
    return [entry for entry in balancers if (entry.get("State") or {}).get("Code") != "provisioning"]


def _tags(aws: Aws, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of each balancer: DescribeLoadBalancers does not have them."""
    tags: dict[str, dict[str, str]] = {arn: {} for arn in arns}
    for first in range(0, len(arns), _TAGS_A_CALL):
        chunk = list(arns[first : first + _TAGS_A_CALL])
        for entry in aws.pages("elbv2", "describe_tags", "TagDescriptions", ResourceArns=chunk):
            tags[entry["ResourceArn"]] = tags_of(entry.get("Tags"))
    return tags


def _finding(
    balancer: Mapping[str, Any], reason: str, tags: Mapping[str, str], context: ScanContext
) -> OrphanedResource | None:
    if is_kept(tags, context.now):
        return None
    return context.finding(
        balancer["LoadBalancerArn"],
        f"{balancer.get('Type', 'application')}_load_balancer",
        load_balancer_cost(balancer, context.region, context.prices),
        age_days=age_in_days(balancer["CreatedTime"], context.now),
        reason=reason,
        tags=tags,
    )
