"""The vertical's verbs: `affiant finance …`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Finance: risk numbers, fees, parameters, weights.", no_args_is_help=True)

Home = Annotated[Path, typer.Option(help="Folder that keeps everything.", envvar="AFFIANT_HOME")]
Rpc = Annotated[str | None, typer.Option(help="EVM node to use instead of the embedded chain.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_HOME = Path(".affiant")


class What(StrEnum):
    """What an agent decides over."""

    FEE = "fee"
    PARAMETERS = "parameters"
    WEIGHTS = "weights"


class Side(StrEnum):
    """Who loses when: who holds, if the price falls; who owes, if it rises."""

    LONG = "long"
    SHORT = "short"


class Method(StrEnum):
    """How the tail is forecast."""

    FILTERED = "filtered historical"
    STUDENT = "GJR-GARCH-t"


def _check_extra() -> None:
    """Refuse to begin without the packages of this vertical.

    Raises:
        SetupError: with the command that installs them.
    """
    from importlib.util import find_spec

    from affiant.kernel.errors import SetupError
    from affiant.verticals.finance.vertical import VERTICAL

    missing = [name for name in VERTICAL.needs if find_spec(name) is None]
    if missing:
        told = f"this needs {', '.join(missing)}, not in the base set"
        raise SetupError(told, 'Run: make setup EXTRAS="finance"')


def _check_home(home: Path) -> None:
    """Refuse a home in which nothing was done yet.

    Raises:
        InputError: it holds no log.
    """
    from affiant.kernel.errors import InputError

    if not (home / "log.db").is_file():
        remedy = f"Run: affiant demo finance --home {home}; or name a home with --home"
        raise InputError(f"{home} holds no log", remedy)


def _check_desk(house: Any) -> None:
    """Refuse a house in which nobody has opened the desk.

    Raises:
        InputError: with the command that does.
    """
    from affiant.kernel.errors import InputError
    from affiant.verticals.finance.desk import TREASURY

    if not house.knows(TREASURY):
        remedy = f"Run: affiant demo finance --home {house.folder}"
        raise InputError(f"{house.folder} has no desk", remedy)


def _print(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))


@app.callback()
def finance() -> None:
    """Finance: risk numbers, fees, parameters, weights."""


@app.command()
def risk(
    file: Annotated[Path, typer.Argument(help="CSV of date and price, a header on top.")],
    column: Annotated[str | None, typer.Option(help="The column of prices; the second.")] = None,
    level: Annotated[float, typer.Option(help="Level of both numbers, 0.9 to 0.995.")] = 0.99,
    side: Annotated[Side, typer.Option(help="Whose loss.")] = Side.LONG,
    method: Annotated[Method, typer.Option(help="How the tail is forecast.")] = Method.FILTERED,
    plot: Annotated[Path | None, typer.Option(help="Draw changes and VaR to this SVG.")] = None,
    json: Json = False,
) -> None:
    """Value at risk and expected shortfall of the next period, with their backtests.

    Exit 1 if a backtest does not pass: then the numbers are not to be relied on.
    """
    _check_extra()
    from affiant.verticals.finance.risk import assess, report_json, report_lines
    from affiant.verticals.finance.risk_plot import plot as draw
    from affiant.verticals.finance.risk_prices import read_prices

    told = assess(read_prices(file, column), level, side.value, method.value)
    if plot is not None:
        _write(plot, draw(told))
    if json:
        _print(report_json(told))
    else:
        for line in report_lines(told):
            typer.echo(line)
    raise typer.Exit(0 if told.backtest.passes else 1)


@app.command()
def act(
    ctx: typer.Context,
    what: Annotated[What, typer.Argument(help="What to decide over.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen; swear and send nothing.")
    ] = False,
    job: Annotated[
        str | None, typer.Option(help="A name for this occasion: under it, act once.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day of closes that the allocator sees, YYYY-MM-DD.")
    ] = None,
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
    json: Json = False,
) -> None:
    """Let an agent of the desk decide under oath, and act; exit 1 if a contract refuses."""
    _check_extra()
    _check_home(home)
    from affiant.kernel.encoding import to_hex
    from affiant.kernel.errors import InputError
    from affiant.verticals.finance.desk import Desk, post_of

    if dry_run and job is not None:
        raise InputError("--job names an act, a dry run is none", "Leave one of them out")
    if job is not None and not (job and job.isprintable() and len(job) <= 100):
        raise InputError(f"{job!a:.60} names no job", "Give up to 100 printable characters")
    with ctx.obj(home, rpc=rpc, dry=dry_run) as house:
        _check_desk(house)
        name = f"finance/{what}/{house.clock.now() if job is None else job}"
        post = post_of(Desk.open(house), what, until)
        if dry_run:
            tried = post.rehearse(house)
            facts = {"refused": tried.refused, "reason": tried.reason, "gas": tried.gas}
            text, proposal = str(tried), tried.proposal
        else:
            done = house.agent(post.agent).recall(name) or post.act(house, name)
            facts = {
                "refused": done.refused,
                "reason": done.reason,
                "decision": to_hex(done.decision.leaf),
                "transaction": to_hex(done.execution.transaction) if done.execution else None,
                "gas": done.execution.gas if done.execution else None,
            }
            text, proposal = str(done), done.proposal
    output = None if proposal is None else proposal.output
    if json:
        _print({"what": what, "dryRun": dry_run, "output": output, **facts})
    else:
        typer.echo(text)
    # A doubt of the agent's own is an answer; a refusal of its proposal is not what was asked for.
    raise typer.Exit(1 if proposal is not None and facts["refused"] is not None else 0)


@app.command()
def history(
    ctx: typer.Context, home: Home = DEFAULT_HOME, rpc: Rpc = None, json: Json = False
) -> None:
    """List what agents changed on chain; each change names the decision behind it."""
    _check_extra()
    _check_home(home)
    from affiant.verticals.finance.desk import Desk
    from affiant.verticals.finance.history import history as read

    with ctx.obj(home, rpc=rpc, dry=True) as house:
        _check_desk(house)
        changes = read(Desk.open(house))
    if json:
        _print(changes)
        return
    for change in changes:
        before = "" if change["from"] is None else f"{change['from']} -> "
        moved = f"{before}{change['to']}"
        typer.echo(f"block {change['block']}  {change['what']}: {moved}  by {change['decision']}")


@app.command()
def walk(
    file: Annotated[Path, typer.Argument(help="CSV of date and one column of prices per fund.")],
    cost: Annotated[int, typer.Option(min=0, help="Cost of turnover, in ppm of it.")] = 1_000,
    json: Json = False,
) -> None:
    """Walk the vault's rule forward over your prices, beside 1/N, with costs: no forecast."""
    _check_extra()
    from affiant.verticals.finance.risk_prices import read_table
    from affiant.verticals.finance.strategy import decide
    from affiant.verticals.finance.walkforward import report_json, report_lines, walk_forward

    told = walk_forward([list(p.values) for p in read_table(file).values()], decide, cost=cost)
    if json:
        _print(report_json(told))
    else:
        for line in report_lines(told):
            typer.echo(line)


def _write(path: Path, text: str) -> None:
    """Write a file. Raises: InputError if it cannot be written."""
    from affiant.kernel.errors import InputError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "Name another") from error
