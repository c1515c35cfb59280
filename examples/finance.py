"""An agent sets a pool's fee from the pool's own trades; what it may not, the pool refuses."""

import random

import affiant
from affiant.kernel.house import Act
from affiant.verticals.finance.fee import FeeBounds, FeeSchedule
from affiant.verticals.finance.fee_setting import FeeModel, pool_input, trades_input
from affiant.verticals.finance.pool import open_pool

HOUR = 3600
SCHEDULE = FeeSchedule(thresholds=(20_000, 40_000), fees=(1_000, 3_000, 5_500))  # pips
RECKLESS = FeeSchedule(thresholds=(), fees=(19_900,))

with affiant.open_house(".affiant") as house:
    owner, trader = house.key("treasury"), house.key("trader")
    pool = open_pool(house, owner, agent=house.key("fee agent"))
    agent = house.agent("fee agent")
    pool.fill(owner, trader, price=100)

    def look(job: str, schedule: FeeSchedule, step: int = pool.bounds.step) -> Act:
        """Let the agent look at the pool's trades and its settings, and decide: once per job."""
        trades = pool.trades(block_seconds=HOUR)  # on a chain of one's own a block is an hour
        believed = FeeBounds(500, 20_000, step, delay=0)
        seen = pool_input(pool.address, pool.fee, pool.since, believed, schedule)
        inputs = [trades_input(trades, pool.fees(HOUR), trades[-1][0]), seen]
        return agent.recall(job) or agent.act(job, pool.mandate, FeeModel(), inputs)

    draw = random.Random(0)  # noqa: S311 (it must repeat)
    for _ in range(0 if agent.recall("fee/1") else 30):  # trades of a stormy day
        pool.arbitrage(trader, pool.price * draw.choice([0.98, 1.02]))
    print(look("fee/1", SCHEDULE))  # a step that the pool allows
    print(look("fee/2", RECKLESS, step=20_000))  # the agent is wrong about the largest step
