"""`affiant`: the commands, their options, and one place for errors.

Exit codes: 0 all is well, 1 something was checked and does not hold, 2 it could not be done.
"""

import importlib
import json as encoder
import sys
from pathlib import Path
from typing import Annotated

import typer

from affiant.apps.wiring import VERTICALS, open_house

Home = Annotated[Path, typer.Option(help="Folder that keeps everything.", envvar="AFFIANT_HOME")]
Rpc = Annotated[str | None, typer.Option(help="EVM node to use instead of the embedded chain.")]
Port = Annotated[int, typer.Option(help="Port of the embedded chain; 0 takes any free one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_HOME = Path(".affiant")

app = typer.Typer(
    help="AI under oath: no sworn decision, no action.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
chain = typer.Typer(help="The ledger beneath.", no_args_is_help=True)
app.add_typer(chain, name="chain")


@app.command()
def demo(
    story: Annotated[str, typer.Argument(help="The vertical whose story to tell.")] = "supply",
    sales: Annotated[Path | None, typer.Option(help="Your CSV: item, period, quantity.")] = None,
    orders: Annotated[
        Path | None, typer.Option(help="Where the orders go, with --sales (orders.csv).")
    ] = None,
    periods: Annotated[int | None, typer.Option(min=1, help="Periods to order for (24).")] = None,
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
    port: Port = 0,
    json: Json = False,
) -> None:
    """Tell a vertical's story end to end on this machine, and audit it."""
    from affiant.apps.cli.demo import tell

    given = {"sales": sales, "orders": orders, "periods": periods}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        code = tell(story, options, home=home, rpc=rpc, port=port, json=json)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where this one ended", err=True)
        code = 130
    raise typer.Exit(code)


@app.command()
def audit(
    target: Annotated[
        str | None, typer.Argument(help="Transaction, statement or agent (0x…); all without.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Run the models again.")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="A function of yours to replay: module:function.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write a bundle to this file.")] = None,
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
    port: Port = 0,
    json: Json = False,
) -> None:
    """Walk back from what was done to what was seen; a verdict per check."""
    from affiant.apps.cli.audit import live

    raise typer.Exit(
        live(
            target,
            replay=replay,
            own=model or [],
            export=export,
            home=home,
            rpc=rpc,
            port=port,
            json=json,
        )
    )


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    log_id: Annotated[str | None, typer.Option(help="The log you trust (0x…).")] = None,
    json: Json = False,
) -> None:
    """Check a bundle offline, and say which claims need a chain."""
    from affiant.apps.cli.verify import offline

    raise typer.Exit(offline(file, log_id=log_id, json=json))


@chain.command()
def install() -> None:
    """Install the embedded chain's engine, by npm or by pip."""
    from affiant.apps.house import ENGINE_FOLDER
    from affiant.chain.install import install_anvil

    typer.echo(f"installed: {install_anvil(ENGINE_FOLDER)}")


@chain.command()
def status(home: Home = DEFAULT_HOME, rpc: Rpc = None, port: Port = 0, json: Json = False) -> None:
    """Show the chain, its core contracts and what it holds of this log."""
    from affiant.kernel.encoding import to_hex

    with open_house(home, rpc=rpc, port=port) as house:
        ledger, log = house.ledger, house.log
        anchored = ledger.anchored(log.policy.log_id)
        told = {
            "chain": ledger.name,
            "chainId": ledger.chain_id,
            "time": ledger.now(),
            "logAnchor": to_hex(ledger.anchor_address),
            "mandateFactory": to_hex(ledger.factory_address),
            "logId": to_hex(log.policy.log_id),
            "logSize": log.head().size,
            "anchoredSize": anchored[-1].size if anchored else 0,
            "anchors": len(anchored),
        }
    if json:
        typer.echo(encoder.dumps(told, indent=2))
    else:
        for name, value in told.items():
            typer.echo(f"{name:>15}  {value}")


def main() -> None:
    """Run the command; tell an error with its remedy, and exit 2."""
    from affiant.kernel.errors import AffiantError

    for name in VERTICALS:
        app.add_typer(importlib.import_module(f"affiant.verticals.{name}.cli").app, name=name)
    try:
        app(obj=open_house)
    except AffiantError as error:
        typer.echo(f"error: {error.message}", err=True)
        typer.echo(f"   do: {error.remedy}", err=True)
        sys.exit(2)
