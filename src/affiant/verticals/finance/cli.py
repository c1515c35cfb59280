"""The vertical's verbs: `affiant finance …`."""

import typer

app = typer.Typer(help="Finance: risk numbers, fees, parameters, weights.", no_args_is_help=True)


@app.callback()
def finance() -> None:
    """Finance: risk numbers, fees, parameters, weights."""
