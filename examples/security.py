"""A clerk pays invoices under oath; whoever steals its key is stopped on a sworn alert."""

import affiant
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.security.invoices import Hijacked, PayInvoice, invoice
from affiant.verticals.security.watch import Watch

with affiant.open_house(".affiant") as house:
    firm, landlord, thief = house.key("firm"), house.key("landlord"), house.key("thief")
    money = SettlementToken.deploy(house, owner=firm)
    mandate = house.grant(
        "clerk",
        principal=firm,
        agent=house.key("clerk"),
        rules=[money.rule(to=None, cap=500)],
        buckets=[affiant.Bucket(limit=units(10_000), window=86_400)],
        guardian=house.key("sentinel"),  # may keep the clerk still, and nothing else
    )
    money.fund(house, owner=firm, account=mandate, amount=1_000)
    watch = Watch(house, guardian="sentinel")

    def pay(number: str, model: PayInvoice) -> None:
        """Pay an invoice that the desk swore to, with the clerk's key, and let the watch look."""
        due = invoice(money, number, landlord.address, 120)
        seen = house.affiant("desk").observe(f"invoice/{number}", due)
        clerk = house.agent("clerk", careful=False)  # who holds the key need not be careful
        print(number, clerk.act(f"pay/{number}", mandate, model, [seen]))
        watch.step()

    pay("2026-1", PayInvoice())
    pay("2026-2", Hijacked(call=money.transfer(thief.address, 2)))  # under the limits: it runs
    pay("2026-3", Hijacked(call=money.transfer(thief.address, 2)))  # suspended by then
