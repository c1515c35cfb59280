"""An audit's report as text: a tree with a mark per check, then the summary."""

from __future__ import annotations

from collections.abc import Iterator

from affiant.audit.findings import Check, Node, Report
from affiant.kernel.encoding import to_hex

MARK = {True: "✓", False: "✗", None: "·"}


def render(report: Report, *, whole: bool = True) -> str:
    """Return the text; without `whole`, only what failed is shown of the tree."""
    lines = [f"independent witnesses: {report.witnesses}"]
    if report.witnesses == 0:
        lines.append("  the log's operator is the only one who vouches for its order and time")
    if whole:
        for node in report.nodes:
            lines += _tree(node, "")
    findings, open_ = report.findings(), report.open()
    for check in findings:
        lines += _finding(check)
    lines.append(_summary(report, len(findings), len(open_)))
    for name, count in _counts(open_).items():
        why = next(check.detail for check in open_ if check.name == name)
        needs = "needs the chain" if report.ledger is None and _of_chain(name) else why
        lines.append(f"  {MARK[None]} {name} ({count}): {needs}")
    return "\n".join(lines)


def _tree(node: Node, indent: str) -> Iterator[str]:
    yield f"{indent}{node.title}"
    for check in node.checks:
        yield f"{indent}  {MARK[check.good]} {check.name}: {check.detail}"
    for child in node.children:
        yield from _tree(child, indent + "    ")


def _finding(check: Check) -> list[str]:
    lines = [f"FINDING {check.name}: {check.detail}"]
    if check.statement is not None:
        lines.append(f"  statement {to_hex(check.statement)}")
    if check.at_fault is not None:
        lines.append(f"  bytes     {to_hex(check.at_fault[:64])}{'…' * (len(check.at_fault) > 64)}")
    return lines


def _summary(report: Report, findings: int, not_checked: int) -> str:
    held = len(report.checks()) - findings - not_checked
    where = f"against {report.ledger}" if report.ledger else "offline"
    verdict = "everything checked holds" if report.good else "DOES NOT HOLD"
    return (
        f"{verdict}: {held} checks hold, {findings} findings, {not_checked} not checked, {where}; "
        f"log id {to_hex(report.log_id)}"
    )


def _counts(checks: list[Check]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for check in checks:
        counts[check.name] = counts.get(check.name, 0) + 1
    return counts


def _of_chain(name: str) -> bool:
    own = ("decision.replay", "observation.data", "log.id")
    return name not in own and not name.startswith("statement.")
