"""Two agents bargain under oath; the buyer's pays what was agreed into an escrow, and no more."""

import affiant
from affiant.kernel.house import Act
from affiant.verticals.market.bargain import Bargain, Mine
from affiant.verticals.market.bazaar import open_bazaar
from affiant.verticals.market.negotiation import Agreement, Party, negotiate
from affiant.verticals.market.ordering import OrderModel, order_input, standing_input
from affiant.verticals.market.orders import Order
from affiant.verticals.market.wants import Issue, Wants

UNIT, HOUR = 1_000_000, 3_600

with affiant.open_house(".affiant") as house:
    bazaar, seller, arbiter = open_bazaar(house), house.key("seller"), house.key("arbiter")
    mandate = house.grant(
        "shopping",
        principal=house.key("buyer"),
        agent=house.key("shopper"),
        rules=bazaar.escrow.desk.rules(cap=100 * UNIT, arbiter=arbiter.address),
        buckets=[affiant.Bucket(1_000 * UNIT, 86_400)] * 2 + [affiant.Bucket(100, 86_400)],
    )
    bazaar.fund(mandate, 1_000 * UNIT)
    buyer = Wants(Issue(best=20 * UNIT, reservation=90 * UNIT), Issue(HOUR, 8 * HOUR))
    offer = Wants(Issue(best=95 * UNIT, reservation=50 * UNIT), Issue(24 * HOUR, 2 * HOUR))
    end, sworn = negotiate(
        house,
        "a translation",
        Bargain("a translation", rounds=10),
        Party("shopper", Mine("buyer", buyer)),
        Party("seller", Mine("seller", offer)),
    )
    assert isinstance(end, Agreement)
    print(f"{len(sworn)} offers, agreed on {end.terms.price / UNIT:.2f}")
    order = Order(
        terms=end.accepted.leaf,
        provider=seller.address,
        evaluator=house.key("evaluator").address,
        arbiter=arbiter.address,
        price=end.terms.price,
        expires=house.clock.now() + end.terms.deadline,
        dispute=HOUR,
        answer=HOUR,
        description="a translation",
    )
    agent = house.agent("shopper")

    def step(job: str) -> Act:
        """Let the agent take the order's next step: once per job."""
        seen = [
            order_input(bazaar.escrow, order),
            standing_input(bazaar.escrow, order, mandate),
        ]
        return agent.recall(job) or agent.act(job, mandate, OrderModel(), seen)

    print(step("create"))
    job = bazaar.escrow.find(order.terms)
    assert job is not None
    if job.status == "Open":
        bazaar.escrow.send(seller, "setBudget", job.number, order.price, b"")
    print(step("approve"))
    print(step("fund"))
