"""The vertical's verbs: `affiant security …`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Security: watch agents, appeal, score accounts.", no_args_is_help=True)

Home = Annotated[Path, typer.Option(help="Folder that keeps everything.", envvar="AFFIANT_HOME")]
Rpc = Annotated[str | None, typer.Option(help="EVM node to use instead of the embedded chain.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_HOME = Path(".affiant")


def _check_extra() -> None:
    """Refuse to begin without the packages of this vertical.

    Raises:
        SetupError: with the command that installs them.
    """
    from importlib.util import find_spec

    from affiant.kernel.errors import SetupError
    from affiant.verticals.security.vertical import VERTICAL

    missing = [name for name in VERTICAL.needs if find_spec(name) is None]
    if missing:
        told = f"this needs {', '.join(missing)}, not in the base set"
        raise SetupError(told, 'Run: make setup EXTRAS="security"')


@app.callback()
def security() -> None:
    """Security: watch agents, appeal, score accounts."""


@app.command()
def watch(
    ctx: typer.Context,
    answer: Annotated[
        str | None, typer.Option(help="Suspend and warn with the guardian's key of that name.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV of labelled accounts.")] = None,
    out: Annotated[Path | None, typer.Option(help="Append events as JSON lines.")] = None,
    webhook: Annotated[str | None, typer.Option(help="Post events to a SIEM.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Tell also what an earlier watch has told.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until stopped.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 2.0,
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
    json: Json = False,
) -> None:
    """Read log and chain, tell what is new and wrong, and who stands where; exit 1 if anything."""
    _check_extra()
    from affiant.verticals.security.feed import Feed
    from affiant.verticals.security.labels import Labels
    from affiant.verticals.security.patrol import Patrol

    patrol = Patrol(
        open_house=lambda: ctx.obj(home, rpc=rpc, reading=answer is None),
        home=home,
        feed=Feed(out, webhook),
        guardian=answer,
        labels=Labels.read(labels) if labels else Labels(),
        again=again,
    )
    try:
        for line in patrol.lines(every=every if follow else None, json=json):
            typer.echo(line)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(patrol.code)


@app.command()
def appeal(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(help="The alert (0x…), as `watch` told it.")],
    reason: Annotated[str, typer.Option(help="Why the agent may go on.")],
    principal: Annotated[str, typer.Option("--as", help="Name of the principal's key.")],
    cured: Annotated[
        bool, typer.Option("--cured", help="The alert was right, its cause is gone.")
    ] = False,
    silence: Annotated[
        int,
        typer.Option(min=0, max=10**9, help="Keep the guardian silent, seconds."),
    ] = 0,
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
    json: Json = False,
) -> None:
    """Swear that an alert was wrong, or that its cause is gone, and lift the suspension."""
    import json as encoder

    from affiant.kernel.encoding import from_hex, to_hex
    from affiant.kernel.errors import InputError, MalformedError
    from affiant.verticals.security.appeal import CURED, WRONG, charge_of
    from affiant.verticals.security.appeal import appeal as swear

    try:
        leaf = from_hex(alert.lower(), 32)
    except MalformedError as error:
        raise InputError(error.message, "Give the alert as 0x and 64 digits") from error
    if not (home / "log.db").is_file():
        raise InputError(f"{home} holds no log", "Name a home with --home")
    verdict = CURED if cured else WRONG
    with ctx.obj(home, rpc=rpc) as house:
        told = swear(house, principal, leaf, reason, verdict=verdict, silence=silence)
        mandate = charge_of(house.log, house.ledger, leaf).bound.mandate
        state, now = house.ledger.state(mandate), house.clock.now()
    after = "the agent may act again"
    if state.revoked:
        after = "the mandate is revoked, and stays so"
    elif state.suspended_until > now:
        after = "another alert keeps the agent still"
    if json:
        typer.echo(encoder.dumps({"appeal": to_hex(told.leaf), "alert": alert, "verdict": verdict}))
    else:
        typer.echo(f"appeal sworn in {to_hex(told.leaf)}; {after}")


@app.command()
def accounts(
    file: Annotated[Path, typer.Argument(help="CSV of accounts; the columns are the model's.")],
    json: Json = False,
) -> None:
    """Score accounts for fraud, with reasons. A score is a hint to a person, no proof."""
    import json as encoder

    _check_extra()
    from affiant.verticals.security.fraud import assess

    found = assess(file)
    if json:
        typer.echo(encoder.dumps(found, indent=2))
        return
    for told in found:
        typer.echo(f"{told['address']}  {told['probability']:.3f}  {told['verdict']}")
        for reason in told["reasons"]:
            typer.echo(f"    {reason}")
