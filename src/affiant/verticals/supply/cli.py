"""The vertical's verbs: `affiant supply …`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Supply chain: forecasts and orders.", no_args_is_help=True)


@app.callback()
def supply() -> None:
    """Supply chain: forecasts and orders."""


@app.command()
def forecast(
    sales: Annotated[Path | None, typer.Option(help="CSV with item, period, quantity.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plan the next order of every item, without placing it."""
    import json as encoder

    from affiant.verticals.supply.demand import air_passengers, next_period, read_sales
    from affiant.verticals.supply.newsvendor import plan_next

    plans = []
    for demand in [air_passengers()] if sales is None else read_sales(sales):
        order = plan_next(demand)
        period = next_period(demand.periods[-1], demand.lead_time)
        plans.append({"item": demand.item, "period": period, **order.numbers()})
        if not json:
            typer.echo(f"{demand.item}, {period}: {order.reason}")
    if json:
        typer.echo(encoder.dumps(plans, indent=2))
