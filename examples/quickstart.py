"""An existing function put under oath; README.md shows the same lines."""

import affiant
from affiant.kernel.token import SettlementToken, units

with affiant.open_house(".affiant") as house:  # a log and a ledger, on this machine
    shop, buyer, supplier = house.key("shop"), house.key("buyer"), house.key("supplier").address
    money = SettlementToken.deploy(house, owner=shop)
    rules = [money.rule(to=[supplier], cap=50)]  # pay this supplier only, 50 at most at once
    buckets = [affiant.Bucket(limit=units(200), window=86_400)]  # and 200 at most in any day
    mandate = house.grant("tea", principal=shop, agent=buyer, rules=rules, buckets=buckets)
    money.fund(house, owner=shop, account=mandate, amount=200)

    @affiant.sworn(house.agent("buyer"), mandate)
    def reorder(stock: int, sold: list[int]) -> affiant.Proposal | affiant.Doubt:
        if (need := sum(sold) - stock) <= 0:
            return affiant.Doubt(rule="enough", reason=f"{stock} in stock")
        return affiant.Proposal(money.transfer(supplier, need), output={"need": need}, reason="low")

    print(reorder("week 47", stock=3, sold=[5, 9]))  # this job acts once, however often it is run
