"""The vertical's verbs: `affiant market …`."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Market: run programs next to data, pay, look up.", no_args_is_help=True)

Home = Annotated[Path, typer.Option(help="Folder that keeps everything.", envvar="AFFIANT_HOME")]
Rpc = Annotated[str | None, typer.Option(help="EVM node to use instead of the embedded chain.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_HOME = Path(".affiant")


def _check_market(home: Path) -> None:
    """Refuse a home in which there is no market yet.

    Raises:
        InputError: with the command that makes one.
    """
    from affiant.kernel.errors import InputError

    if not (home / "keys" / "mint.secp256k1").is_file():
        raise InputError(f"{home} has no market", f"Run: affiant demo market --home {home}")


def _read(path: Path) -> bytes:
    """Read a file. Raises: InputError if it cannot be read."""
    from affiant.kernel.errors import InputError

    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "Check the path") from error


def _print(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))


@app.callback()
def market() -> None:
    """Market: run programs next to data, pay, look up."""


@app.command()
def run(
    program: Annotated[Path, typer.Argument(help="Python source with a function run(data).")],
    data: Annotated[Path, typer.Argument(help="JSON object that it is run over.")],
    allow: Annotated[
        list[str] | None, typer.Option(help="Digest (0x…) of an allowed program; none denies all.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="The longest it may run.")] = 10,
    json: Json = False,
) -> None:
    """Run an allowed program next to data, behind walls; exit 1 if there is no answer."""
    import json as encoder

    from affiant.kernel.encoding import from_hex, sha256, to_hex
    from affiant.kernel.errors import InputError, MalformedError
    from affiant.verticals.market import compute

    source = _read(program)
    try:
        value = encoder.loads(_read(data))
        allowed = {from_hex(text.lower(), 32) for text in allow or []}
    except (ValueError, RecursionError, MalformedError) as error:
        remedy = "Give data as a JSON object, digests as 0x and 64 digits"
        raise InputError(f"nothing was run: {error}", remedy) from error
    if not isinstance(value, dict):
        raise InputError(f"{data} is no JSON object", 'Give one such as {"readings": [1, 2]}')
    done = compute.run(source, value, allowed, compute.Limits(seconds=seconds))
    told: dict[str, Any]
    if isinstance(done, compute.Refused):
        told = {"refused": done.rule, "reason": done.reason, "program": to_hex(sha256(source))}
        text = f"refused ({done.rule}): {done.reason}"
        if done.rule == "not-allowed":
            text += f"\n   to allow it: --allow {told['program']}"
    else:
        told = {
            "output": done.output,
            "digest": to_hex(done.digest),
            "program": to_hex(done.program),
            "data": to_hex(done.data),
            "seconds": round(done.seconds, 3),
            "walls": list(done.walls),
        }
        text = f"{encoder.dumps(done.output)}\n   output {told['digest']}"
    if json:
        _print(told)
    else:
        typer.echo(text)
    raise typer.Exit(1 if isinstance(done, compute.Refused) else 0)


@app.command()
def jobs(
    ctx: typer.Context, home: Home = DEFAULT_HOME, rpc: Rpc = None, json: Json = False
) -> None:
    """List the jobs of this home's market: what was agreed on, and where each stands."""
    _check_market(home)
    from affiant.kernel.encoding import to_hex
    from affiant.verticals.market.bazaar import open_bazaar

    with ctx.obj(home, rpc=rpc, dry=True) as house:
        told = [
            {name: to_hex(v) if isinstance(v, bytes) else v for name, v in vars(job).items()}
            for job in open_bazaar(house).escrow.jobs()
        ]
    if json:
        _print(told)
        return
    for job in told:
        typer.echo(
            f"job {job['number']}: {job['status'].lower()}, money {job['money'].lower()}, "
            f"budget {job['budget']}, client {job['client']}, provider {job['provider']}"
        )


@app.command()
def reputation(
    ctx: typer.Context,
    agent: Annotated[int, typer.Argument(min=1, help="The agent's id in the registry.")],
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
    json: Json = False,
) -> None:
    """Tell what is said of an agent, and what counts of it: ratings of settled jobs."""
    _check_market(home)
    from affiant.verticals.market.bazaar import open_bazaar

    with ctx.obj(home, rpc=rpc, dry=True) as house:
        registry = open_bazaar(house).registry
        (said, plain), (counted, points) = registry.plain(agent), registry.earned(agent)
    told = {"agent": agent, "said": said, "average": plain, "counted": counted, "points": points}
    if json:
        _print(told)
    else:
        typer.echo(f"said:     {plain} of 100 from {said} ratings, whoever gave them")
        typer.echo(f"counted:  {points} of 100 from {counted} settled jobs")


@app.command()
def facilitate(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes any free one.")] = 4021,
    home: Home = DEFAULT_HOME,
    rpc: Rpc = None,
) -> None:
    """Verify and settle x402 payments for sellers, until stopped: /verify, /settle, /supported."""
    _check_market(home)
    import time

    from affiant.verticals.market.bazaar import open_bazaar
    from affiant.verticals.market.facilitator import Facilitator
    from affiant.verticals.market.facilitator_http import serve
    from affiant.verticals.market.shopping import sworn_to

    with ctx.obj(home, rpc=rpc) as house:
        token = open_bazaar(house).token
        with (
            Facilitator(
                house,
                [token],
                house.key("facilitator"),
                house.clock,
                lambda leaf: house.log.index_of(leaf) is not None,
                house.folder / "facilitator.db",
                agrees=lambda payment: sworn_to(house, payment),
            ) as facilitator,
            serve(facilitator, port=port) as server,
        ):
            typer.echo(f"settling payments in {token.name} at {server.url}")
            try:
                while True:
                    time.sleep(1)
            except KeyboardInterrupt:
                typer.echo("stopped", err=True)
                raise typer.Exit(130) from None
