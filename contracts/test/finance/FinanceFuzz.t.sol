// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Action} from "../../src/core/Action.sol";
import {Policy} from "../../src/core/Checkpoint.sol";
import {Head} from "../../src/core/ILogAnchor.sol";
import {Oath, SeatRef} from "../../src/core/Oath.sol";
import {Terms} from "../../src/core/Terms.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {FinanceHouse} from "./FinanceHouse.sol";
import {MoreVm} from "./MoreVm.sol";

/// @title A target that lets everything happen
contract Sink {
    fallback() external payable {}
}

/// @title A hostile agent under a real mandate, and a judge who does not trust the contracts
/// @notice The agent tries what it likes: any function of any contract, arguments at and beyond the edges, at any time,
/// each try sworn, logged and anchored as it should be. After each, the judge reads what changed and says from bounds of
/// its own, written below in numbers, whether that was the agent's to change. FINANCE_ACTIONS is how many it tries,
/// FINANCE_SEED which.
contract FinanceFuzzTest is FinanceHouse {
    using Strings for uint256;

    MoreVm private constant MORE = MoreVm(address(vm));
    address private constant CONSOLE = address(0x000000000000000000636F6e736F6c652e6c6f67);

    uint256 private constant LOG_KEY = 0x106;
    address private constant NOBODY = address(0xdead);

    // ---------------------------------------------------------------- the campaign

    /// @dev What came of the actions: `kinds` counts executed calls of the three functions.
    struct Tally {
        uint256 executed;
        uint256 refused;
        uint256 outside;
        uint256[3] kinds;
        string firstOutside;
    }

    /// @dev After so many actions the world begins anew, since the engine slows down as a world grows.
    uint256 private constant EPISODE = 5_000;

    Tally private _tally;

    bytes4[] private _selectors;
    address[] private _targets;

    /// @notice However an agent acts, nothing changes that its mandate and the bounds do not let it change.
    function test_campaign() public {
        uint256 actions = MORE.envOr("FINANCE_ACTIONS", 500);
        uint256 seed = MORE.envOr("FINANCE_SEED", 1);
        // A test has gas for some 700 actions.
        MORE.pauseGasMetering();
        Tally memory sum;
        uint256 world = MORE.snapshotState();
        for (uint256 i; i < actions; ++i) {
            // A call of its own, so that the memory it takes is given back.
            this.step(uint256(keccak256(abi.encode(seed, i))));
            if ((i + 1) % EPISODE == 0 || i + 1 == actions) {
                _addTo(sum);
                assertTrue(MORE.revertToState(world), "anew");
            }
        }
        _print(
            string.concat(
                "actions=",
                actions.toString(),
                " executed=",
                sum.executed.toString(),
                " refused=",
                sum.refused.toString(),
                " outside=",
                sum.outside.toString()
            )
        );
        _print(
            string.concat(
                "fees=",
                sum.kinds[0].toString(),
                " updates=",
                sum.kinds[1].toString(),
                " rebalances=",
                sum.kinds[2].toString()
            )
        );
        assertEq(sum.outside, 0, sum.firstOutside);
        assertEq(sum.executed + sum.refused, actions, "each is one or the other");
        if (actions >= 500) {
            assertTrue(sum.kinds[0] != 0 && sum.kinds[1] != 0 && sum.kinds[2] != 0, "each function was reached");
        }
    }

    function _addTo(Tally memory sum) private view {
        Tally memory t = _tally;
        (sum.executed, sum.refused) = (sum.executed + t.executed, sum.refused + t.refused);
        if (sum.outside == 0) sum.firstOutside = t.firstOutside;
        sum.outside += t.outside;
        for (uint256 i; i < 3; ++i) {
            sum.kinds[i] += t.kinds[i];
        }
    }

    function _print(string memory line) private view {
        (bool success,) = CONSOLE.staticcall(abi.encodeWithSignature("log(string)", line));
        assertTrue(success, "console");
    }

    function step(uint256 seed) external {
        _pass(seed);
        if (seed % 8 == 0) _othersAct(seed >> 8);
        uint256 random = uint256(keccak256(abi.encode("action", seed)));
        Action memory a = _anyAction(random);
        (Oath memory oath, bool honest) = _oathFor(a, random >> 8);
        Facts memory before = _facts();
        try mandate.execute(a, oath) {
            ++_tally.executed;
            _judge(before, a, honest);
        } catch {
            ++_tally.refused;
            if (_digest(before) != _digest(_facts())) _report("a refusal changed something", a);
            if (seed % 4 == 0) _tryDirectly(a);
        }
    }

    /// @dev What the mandate refuses, the agent tries past it.
    function _tryDirectly(Action memory a) private {
        Facts memory before = _facts();
        vm.prank(agent.addr);
        (bool success,) = a.target.call(a.data);
        success;
        _noteRecord();
        before.nonce = _nonce();
        if (_digest(before) != _digest(_facts())) _report("a direct call changed something", a);
    }

    function _report(string memory what, Action memory a) private {
        if (_tally.outside == 0) {
            _tally.firstOutside =
                string.concat(what, ": ", Strings.toHexString(a.target), " ", Strings.toHexString(a.data));
        }
        ++_tally.outside;
    }

    // ---------------------------------------------------------------- time and other people

    function _pass(uint256 seed) private {
        uint256 kind = (seed >> 200) % 100;
        uint256 wait = (seed >> 208) % 61;
        if (kind >= 98) wait = 3 days - 1 + (seed >> 208) % 3;
        else if (kind >= 88) wait = 1 days - 1 + (seed >> 208) % 3;
        else if (kind >= 58) wait = 1 hours - 1 + (seed >> 208) % 3;
        vm.warp(vm.getBlockTimestamp() + wait);
        if (vm.getBlockTimestamp() >= _recordTimes[_recordTimes.length - 1] + 1 days) {
            // Now and then more in a day than the cap grows in a week.
            int256 gain = int256(source.totalAssets() / ((seed >> 216) % 30 == 0 ? 250 : 100_000));
            vm.prank(MANAGER);
            source.mark(gain);
            record.record();
            _noteRecord();
        }
    }

    function _othersAct(uint256 seed) private {
        uint256 amount = (seed >> 8) % 100_000_000;
        address who = seed % 2 == 0 ? ALICE : BOB;
        uint256 kind = (seed >> 1) % 6;
        if (kind == 0) {
            vm.prank(who);
            vault.deposit(amount, who);
        } else if (kind == 1) {
            amount = within(amount, 0, vault.maxWithdraw(who) / 10);
            vm.prank(who);
            vault.withdraw(amount, who, who);
        } else if (kind == 2) {
            vm.prank(who);
            pool.swap(address(seed % 4 < 2 ? token0 : token1), amount + 10, 0, who, FOREVER);
        } else if (kind == 3) {
            vm.prank(who);
            pool.add(amount + 10, 10 * amount + 100, 0, who);
        } else {
            Fund fund = funds[(seed >> 100) % 3];
            int256 loss = int256(fund.totalAssets() / 50);
            vm.prank(MANAGER);
            fund.mark(kind == 4 ? -loss : loss);
        }
    }

    // ---------------------------------------------------------------- what the agent tries

    function _anyAction(uint256 seed) private view returns (Action memory a) {
        uint256 kind = (seed >> 8) % 8;
        uint256 more_ = uint256(keccak256(abi.encode("data", seed)));
        if (kind < 2) a = call(address(pool), 0, _fee(more_));
        else if (kind < 4) a = call(address(steward), 0, _anyUpdate(more_));
        else if (kind < 6) a = call(address(vault), 0, _anyWeights(more_));
        else a = call(_targets[(seed >> 16) % _targets.length], 0, _garbage(more_));
        a.salt = bytes32(seed);
        a.model = bytes32(more_);
        // Now and then what the call is not about is wrong.
        uint256 wrong = (seed >> 32) % 64;
        if (wrong == 0) a.nonce = (seed >> 40) % 3 == 0 ? a.nonce + 1 : seed >> 40;
        else if (wrong == 1) a.epoch = uint32(seed >> 40);
        else if (wrong == 2) a.deadline = uint64(vm.getBlockTimestamp() - 1 + (seed >> 40) % 2);
        else if (wrong == 3) a.deadline = uint64(vm.getBlockTimestamp() + 1 days + (seed >> 40) % 2);
        else if (wrong == 4) a.relayer = (seed >> 40) % 2 == 0 ? address(this) : agent.addr;
        else if (wrong == 5) a.value = (seed >> 40) % 2;
        else if (wrong == 6) a.target = _targets[(seed >> 40) % _targets.length];
        else if (wrong == 7) a.data = bytes.concat(a.data, bytes32(seed));
    }

    /// @dev A step away, or nearly, or a little less; the edges; anything.
    function _fee(uint256 seed) private view returns (bytes memory) {
        uint256[7] memory edges = [uint256(499), 500, 10_000, 10_001, 0, type(uint24).max, seed >> 8];
        uint256 present = pool.fee();
        uint256 away = seed % 16 < 6 ? 999 + (seed >> 4) % 3 : (seed >> 4) % 1_001;
        uint256 fee = (seed >> 24) % 2 == 0 ? present + away : present - Math.min(present, away);
        return abi.encodeWithSelector(SET_FEE, seed % 16 == 0 ? edges[(seed >> 4) % 7] : fee);
    }

    function _anyUpdate(uint256 seed) private view returns (bytes memory) {
        if (seed % 16 == 0) return update(RATIO, _near(seed >> 8, _values[1]));
        if (seed % 16 == 1) return update(TIMESTAMP, vm.getBlockTimestamp() - 7 days);
        if (seed % 16 == 2) return update(THRESHOLD, _near(seed >> 8, _values[3]), LTV, _near(seed >> 80, _values[0]));
        if (seed % 16 == 3) return snapshot(_values[1] * 103 / 100, vm.getBlockTimestamp() - 7 days);
        if (seed % 16 == 4) return _elsewhere(_values[1] * 103 / 100, vm.getBlockTimestamp() - 7 days);
        if (seed % 256 == 5) return update(bytes32(seed), seed >> 8);
        if (seed % 16 < 9) {
            // A recorded pair, or nearly.
            uint256 length = _recordTimes.length;
            uint256 i = length - 1 - (seed >> 8) % ((seed >> 50) % 2 == 0 ? 12 : length);
            uint256 ratio = _recordRatios[i] * (1e6 - 101 + (seed >> 40) % 203) / 1e6;
            if (seed % 2 == 0) ratio = _recordRatios[i];
            return snapshot(ratio, _recordTimes[i] + ((seed >> 20) % 4 == 0 ? 1 days - 1 + (seed >> 60) % 3 : 0));
        }
        if (seed % 16 < 11) return update(LTV, _near(seed >> 8, _values[0]));
        if (seed % 16 < 13) return update(THRESHOLD, _near(seed >> 8, _values[3]));
        return update(LTV, _near(seed >> 8, _values[0]), THRESHOLD, _near(seed >> 80, _values[3]));
    }

    /// @dev Encoded in another way, which the steward reads as well: the arrays lie further back.
    function _elsewhere(uint256 ratio, uint256 timestamp) private pure returns (bytes memory) {
        return abi.encodeWithSelector(UPDATE, 192, 288, 0, 0, 0, 0, 2, RATIO, TIMESTAMP, 2, ratio, timestamp);
    }

    /// @dev Within a little more than a step, often just at it, now and then anything.
    function _near(uint256 seed, uint256 value) private pure returns (uint256) {
        if (seed % 16 == 0) return seed >> (seed % 256);
        uint256 step_ = value / 50;
        if (seed % 16 < 4) return value + step_ + (seed >> 8) % 2;
        if (seed % 16 < 7) return value - step_ - (seed >> 8) % 2;
        return value - step_ - 1 + (seed >> 8) % (2 * step_ + 3);
    }

    function _anyWeights(uint256 seed) private view returns (bytes memory) {
        uint256 a = (seed >> 8) % 610_000;
        uint256 b = (seed >> 40) % 410_000;
        uint256 c = (seed >> 72) % 310_000;
        if (seed % 8 == 0) (a, b, c) = (600_000 + seed % 2, 100_000, 300_000 + (seed >> 3) % 2);
        if (seed % 32 == 1) a = seed;
        uint256[4] memory most = [FOREVER, TURNOVER_CAP, mandate.level(0) + seed % 2, (seed >> 104) % TURNOVER_CAP];
        if (seed % 32 == 2) {
            return abi.encodeWithSelector(REBALANCE, most[3], 64, 2, a, b);
        }
        return rebalancing(most[(seed >> 110) % 4], a, b, c);
    }

    /// @dev Any function and any arguments; now and then less than a selector.
    function _garbage(uint256 seed) private view returns (bytes memory data) {
        if (seed % 16 == 0) return new bytes((seed >> 8) % 5);
        bytes4 selector = seed % 16 == 1 ? bytes4(bytes32(seed << 64)) : _selectors[(seed >> 8) % _selectors.length];
        data = abi.encodePacked(selector);
        uint256 length = (seed >> 4) % 6;
        for (uint256 i; i < length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256[8] memory words = [
                uint256(uint160(agent.addr)),
                uint160(address(mandate)),
                uint160(_targets[(seed >> 8) % _targets.length]),
                uint160(ALICE),
                (seed >> 8) % 1_000_000,
                FOREVER,
                0,
                seed
            ];
            data = bytes.concat(data, bytes32(words[seed % 8]));
        }
    }

    /// @dev Sworn and logged as it should be; now and then sworn by another, not logged, or changed afterwards.
    function _oathFor(Action memory a, uint256 seed) private returns (Oath memory oath, bool honest) {
        bytes32 subject = subjectOf(block.chainid, address(mandate), a);
        uint256 wrong = seed % 64;
        oath = swornBy(wrong == 0 ? THIEF_KEY : AGENT_KEY, header(), DECISION, subject);
        bytes32 leaf = leafOf(a, oath);
        _log(oath, wrong == 1 ? keccak256("another leaf") : leaf);
        if (wrong == 2) a.model = bytes32(seed);
        if (wrong == 3) a.target = address(vault);
        if (wrong == 4) a.data = _fee(seed);
        if (wrong == 5) a.deadline -= 1;
        honest = wrong > 1 && subject == subjectOf(block.chainid, address(mandate), a);
    }

    // ---------------------------------------------------------------- the judge

    bytes4 private constant SET_FEE = bytes4(keccak256("setFee(uint24)"));
    bytes4 private constant UPDATE = bytes4(keccak256("update(bytes32[],uint256[])"));
    bytes4 private constant REBALANCE = bytes4(keccak256("rebalance(uint256,uint256[])"));

    /// @dev All that an agent could wish to change, read from the contracts.
    struct Facts {
        uint256 nonce;
        /// @dev Balances, shares, supplies, owners, mandates: nobody's but theirs.
        bytes32 others;
        uint256 fee;
        uint256 feeChangedAt;
        uint256[4] values;
        uint256[4] changedAt;
        uint256 rebalancedAt;
        uint256 idle;
        uint256[3] held;
        uint256[3] shares;
        uint256 manager;
    }

    /// @dev The parameters in ascending order, and what the judge knows of them.
    bytes32[4] private _ids = [LTV, RATIO, TIMESTAMP, THRESHOLD];
    uint256[4] private _values = [uint256(930_000), SNAPSHOT, BEGIN, 950_000];
    uint256[4] private _changed;
    uint256 private _feeChanged;
    uint256 private _rebalanced;
    uint256[] private _recordTimes;
    uint256[] private _recordRatios;
    /// @dev When how much was let through.
    uint256[] private _turnoverTimes;
    uint256[] private _turnovers;
    uint256[] private _callTimes;

    function _judge(Facts memory before, Action memory a, bool honest) private {
        Facts memory now_ = _facts();
        if (!honest) _report("what was not sworn, or not logged, was executed", a);
        if (a.nonce != before.nonce || now_.nonce != before.nonce + 1 || a.epoch != 0) _report("nonce or epoch", a);
        uint256 time = vm.getBlockTimestamp();
        bool timely = a.deadline >= time && a.deadline <= time + 1 days;
        if (!timely || a.value != 0 || (a.relayer != address(0) && a.relayer != address(this))) _report("terms", a);
        before.nonce = now_.nonce;

        bytes4 selector = bytes4(a.data);
        if (a.target == address(pool) && selector == SET_FEE) {
            if (!_feeIsInside(before, now_, a.data)) _report("fee", a);
            _note(_callTimes, time);
            ++_tally.kinds[0];
            (before.fee, before.feeChangedAt) = (now_.fee, now_.feeChangedAt);
        } else if (a.target == address(steward) && selector == UPDATE) {
            if (!_updateIsInside(now_, a.data)) _report("update", a);
            _note(_callTimes, time);
            ++_tally.kinds[1];
            (before.values, before.changedAt) = (now_.values, now_.changedAt);
        } else if (a.target == address(vault) && selector == REBALANCE) {
            if (!_rebalanceIsInside(before, now_, a.data)) _report("rebalance", a);
            ++_tally.kinds[2];
            (before.rebalancedAt, before.idle, before.manager) = (now_.rebalancedAt, now_.idle, now_.manager);
            (before.held, before.shares) = (now_.held, now_.shares);
        } else {
            _report("a call that no rule names", a);
        }
        if (_callsIn(1 days) > 12) _report("calls in a day", a);
        if (_turnoverIn(3 days) > 1_500_000_000) _report("turnover in three days", a);
        if (_digest(before) != _digest(now_)) _report("something else changed", a);
    }

    function _feeIsInside(Facts memory before, Facts memory now_, bytes memory data) private returns (bool) {
        uint256 time = vm.getBlockTimestamp();
        uint256 asked = _word(data, 0);
        uint256 step_ = asked > before.fee ? asked - before.fee : before.fee - asked;
        bool inside = asked >= 500 && asked <= 10_000 && step_ <= 1_000
            && (_feeChanged == 0 || time >= _feeChanged + 3_600) && now_.fee == asked && now_.feeChangedAt == time;
        _feeChanged = time;
        return inside;
    }

    function _updateIsInside(Facts memory now_, bytes memory data) private returns (bool inside) {
        uint256 time = vm.getBlockTimestamp();
        (bytes32[] memory ids, uint256[] memory values) = this.arraysOf(data);
        uint256[4] memory next_ = _values;
        bool[4] memory carried;
        inside = ids.length == values.length;
        for (uint256 i; i < ids.length; ++i) {
            uint256 k = _indexOf(ids[i]);
            if (k == 4 || carried[k] || (i != 0 && ids[i] < ids[i - 1])) return false;
            inside = inside && _valueIsInside(k, values[i], _values[k]);
            uint256 delay = k == 1 || k == 2 ? 3 days : 1 days;
            inside = inside && (_changed[k] == 0 || time >= _changed[k] + delay);
            (carried[k], next_[k]) = (true, values[i]);
        }
        if (carried[1] != carried[2]) return false;
        if (carried[1]) inside = inside && _pairIsInside(next_[1], next_[2]);
        if (carried[0] || carried[3]) inside = inside && next_[3] >= next_[0] + 5_000;
        for (uint256 k; k < 4; ++k) {
            if (carried[k]) _changed[k] = time;
            inside = inside && now_.values[k] == next_[k] && now_.changedAt[k] == _changed[k];
        }
        _values = next_;
    }

    function arraysOf(bytes calldata data) external pure returns (bytes32[] memory ids, uint256[] memory values) {
        return abi.decode(data[4:], (bytes32[], uint256[]));
    }

    function _indexOf(bytes32 id) private view returns (uint256 k) {
        while (k < 4 && _ids[k] != id) ++k;
    }

    function _valueIsInside(uint256 k, uint256 value, uint256 previous) private pure returns (bool) {
        uint256 step_ = value > previous ? value - previous : previous - value;
        if (k == 0) return value >= 500_000 && value <= 960_000 && step_ * 50 <= previous;
        if (k == 1) return value >= 1e18 && value <= 2e18 && step_ * 100 <= previous * 3;
        if (k == 2) return value >= 1 && value < 1 << 40;
        return value >= 500_000 && value <= 970_000 && step_ * 50 <= previous;
    }

    /// @dev True to what the judge saw recorded, old enough, and no cap below the market.
    function _pairIsInside(uint256 ratio, uint256 timestamp) private view returns (bool) {
        uint256 time = vm.getBlockTimestamp();
        if (timestamp + 3 days > time) return false;
        uint256 i = _recordTimes.length;
        while (i != 0 && _recordTimes[i - 1] > timestamp) --i;
        if (i == 0 || _recordTimes[i - 1] + 1 days < timestamp) return false;
        uint256 recorded = _recordRatios[i - 1];
        uint256 off = ratio > recorded ? ratio - recorded : recorded - ratio;
        uint256 cap = ratio + ratio * 968 * (time - timestamp) / (10_000 * 365 days);
        uint256 market = (staked.balanceOf(address(source)) + 1) * 1e18 / (source.totalSupply() + 1);
        return off * 10_000 <= recorded && cap >= market;
    }

    function _rebalanceIsInside(Facts memory before, Facts memory now_, bytes memory data)
        private
        returns (bool inside)
    {
        uint256 time = vm.getBlockTimestamp();
        uint256 asked = _word(data, 0);
        inside = asked <= 700_000_000 && (_rebalanced == 0 || time >= _rebalanced + 1 days) && now_.rebalancedAt == time;
        _rebalanced = time;
        _note(_turnoverTimes, time);
        _turnovers.push(asked);
        return inside && _weightsAreKept(before, now_, data) && _movedIsInside(before, now_, asked);
    }

    function _weightsAreKept(Facts memory before, Facts memory now_, bytes memory data) private pure returns (bool) {
        uint256[3] memory weights = [_word(data, 3), _word(data, 4), _word(data, 5)];
        if (weights[0] > 600_000 || weights[1] > 400_000 || weights[2] > 300_000) return false;
        if (weights[0] + weights[1] + weights[2] > 1_000_000) return false;
        for (uint256 i; i < 3; ++i) {
            // What was there may stay by a unit's rounding.
            if (_worth(now_, i) > _total(before) * weights[i] / 1_000_000 + 2) return false;
        }
        return true;
    }

    /// @dev Assets moved between vault and funds, no more than was asked for, and nowhere else but the fee on what left
    /// the second fund, which is a five-hundredth; and the vault lost no more than 0.15 % of what was moved.
    function _movedIsInside(Facts memory before, Facts memory now_, uint256 asked) private pure returns (bool) {
        uint256 fee = now_.manager - before.manager;
        uint256 sumBefore = before.idle;
        uint256 sumNow = now_.idle + fee;
        uint256[3] memory moved;
        for (uint256 i; i < 3; ++i) {
            (sumBefore, sumNow) = (sumBefore + before.held[i], sumNow + now_.held[i]);
            moved[i] = before.held[i] > now_.held[i] ? before.held[i] - now_.held[i] : now_.held[i] - before.held[i];
        }
        if (fee * 500 > moved[1] + 500) return false;
        uint256 turnover = moved[0] + moved[1] + moved[2] - fee;
        uint256 kept = _total(now_) + (turnover * 1_500 + 999_999) / 1_000_000;
        return sumBefore == sumNow && turnover <= asked && kept >= _total(before);
    }

    function _total(Facts memory facts) private pure returns (uint256) {
        return facts.idle + _worth(facts, 0) + _worth(facts, 1) + _worth(facts, 2);
    }

    /// @dev Of its shares, from the fund's balance; nobody else has shares of these funds.
    function _worth(Facts memory facts, uint256 i) private pure returns (uint256 worth) {
        worth = (facts.held[i] + 1) * facts.shares[i] / (facts.shares[i] + 1);
        if (i == 1) worth = worth * 998_000 / 1_000_000;
    }

    function _facts() private view returns (Facts memory f) {
        f.nonce = _nonce();
        f.others = _others();
        (f.fee, f.feeChangedAt) = (pool.fee(), pool.feeChangedAt());
        for (uint256 k; k < 4; ++k) {
            (f.values[k], f.changedAt[k]) = (steward.value(_ids[k]), steward.parameter(_ids[k]).changedAt);
        }
        f.rebalancedAt = vault.rebalancedAt();
        f.idle = token.balanceOf(address(vault));
        f.manager = token.balanceOf(MANAGER);
        for (uint256 i; i < 3; ++i) {
            f.held[i] = token.balanceOf(address(funds[i]));
            f.shares[i] = funds[i].balanceOf(address(vault));
        }
    }

    /// @dev What no executed call may ever change.
    function _others() private view returns (bytes32) {
        address[6] memory people = [principal, address(mandate), agent.addr, ALICE, BOB, OWNER];
        uint256[] memory numbers = new uint256[](64);
        uint256 n;
        for (uint256 i; i < 6; ++i) {
            numbers[n++] = token.balanceOf(people[i]);
            numbers[n++] = token0.balanceOf(people[i]);
            numbers[n++] = token1.balanceOf(people[i]);
            numbers[n++] = pool.balanceOf(people[i]);
            numbers[n++] = vault.balanceOf(people[i]);
            numbers[n++] = people[i].balance;
        }
        numbers[n++] = pool.balanceOf(NOBODY);
        numbers[n++] = pool.totalSupply();
        numbers[n++] = pool.reserve0();
        numbers[n++] = pool.reserve1();
        numbers[n++] = token0.balanceOf(address(pool));
        numbers[n++] = token1.balanceOf(address(pool));
        numbers[n++] = vault.totalSupply();
        numbers[n++] = token.totalSupply();
        numbers[n++] = staked.balanceOf(address(source));
        numbers[n++] = source.balanceOf(MANAGER);
        numbers[n++] = source.totalSupply();
        for (uint256 i; i < 3; ++i) {
            // But for the vault's.
            numbers[n++] = funds[i].totalSupply() - funds[i].balanceOf(address(vault));
        }
        numbers[n++] = uint160(pool.owner());
        numbers[n++] = uint160(steward.owner());
        numbers[n++] = uint160(vault.owner());
        numbers[n++] = uint160(token.owner());
        numbers[n++] = uint160(pool.mandate());
        numbers[n++] = uint160(steward.mandate());
        numbers[n++] = uint160(vault.mandate());
        (bool revoked, uint32 epoch,, uint40 suspendedUntil) = mandate.state();
        return keccak256(abi.encode(numbers, revoked, epoch, suspendedUntil));
    }

    function _digest(Facts memory f) private pure returns (bytes32) {
        return keccak256(abi.encode(f));
    }

    function _nonce() private view returns (uint256) {
        return nonce();
    }

    function _noteRecord() private {
        (uint256 time, uint256 ratio) = record.atOrBefore(type(uint48).max);
        if (_recordTimes.length != 0 && time == _recordTimes[_recordTimes.length - 1]) return;
        _recordTimes.push(time);
        _recordRatios.push(ratio);
    }

    function _note(uint256[] storage times, uint256 time) private {
        times.push(time);
    }

    function _callsIn(uint256 window) private view returns (uint256 sum) {
        uint256 i = _callTimes.length;
        while (i != 0 && _callTimes[i - 1] + window >= vm.getBlockTimestamp()) (sum, i) = (sum + 1, i - 1);
    }

    function _turnoverIn(uint256 window) private view returns (uint256 sum) {
        uint256 i = _turnoverTimes.length;
        while (i != 0 && _turnoverTimes[i - 1] + window >= vm.getBlockTimestamp()) {
            (sum, i) = (sum + _turnovers[i - 1], i - 1);
        }
    }

    function _word(bytes memory data, uint256 i) private pure returns (uint256 word) {
        assembly {
            word := mload(add(data, add(36, mul(32, i))))
        }
    }

    // ---------------------------------------------------------------- the log

    /// @dev One leaf at a time and no witnesses, so that a hundred thousand actions take minutes: who must sign is for
    /// the tests of the anchor. The peaks are all that must be kept to extend it.
    bytes32[] private _peaks;
    uint64 private _size;

    function setUp() public override {
        super.setUp();
        for (uint256 time = BEGIN; time <= NOW; time += time < DAILY ? 7 days : 1 days) {
            (uint256 at_, uint256 ratio) = record.atOrBefore(uint48(time));
            _recordTimes.push(at_);
            _recordRatios.push(ratio);
        }
        _targets = [
            address(pool),
            address(steward),
            address(vault),
            address(token),
            address(token0),
            address(token1),
            address(staked),
            address(funds[0]),
            address(funds[1]),
            address(funds[2]),
            address(source),
            address(record),
            address(guard),
            address(oracle),
            address(mandate),
            address(anchor),
            address(factory),
            ALICE,
            agent.addr,
            address(new Sink())
        ];
        string[44] memory functions = [
            "setFee(uint24)",
            "update(bytes32[],uint256[])",
            "rebalance(uint256,uint256[])",
            "appoint(address)",
            "transferOwnership(address)",
            "acceptOwnership()",
            "renounceOwnership()",
            "defineParameter(bytes32,(uint96,uint96,uint32,uint32),uint96)",
            "add(uint256,uint256,uint256,address)",
            "remove(uint256,uint256,uint256,address)",
            "swap(address,uint256,uint256,address,uint256)",
            "transfer(address,uint256)",
            "transferFrom(address,address,uint256)",
            "approve(address,uint256)",
            "mint(address,uint256)",
            "mint(uint256,address)",
            "deposit(uint256,address)",
            "withdraw(uint256,address,address)",
            "redeem(uint256,address,address)",
            "mark(int256)",
            "record()",
            "atOrBefore(uint48)",
            "withdraw(address,uint256)",
            "revoke()",
            "cancel(uint256)",
            "resume(uint40)",
            "terms()",
            "executing()",
            "value(bytes32)",
            "parameter(bytes32)",
            "quote(address,uint256)",
            "totalAssets()",
            "holdings()",
            "places()",
            "maxRedeem(address)",
            "previewRedeem(uint256)",
            "cap()",
            "ratio()",
            "capFor(uint256,uint256)",
            "isMandate(address)",
            "headOf(bytes32)",
            "frozen(bytes32)",
            "owner()",
            "level(uint8)"
        ];
        for (uint256 i; i < functions.length; ++i) {
            _selectors.push(bytes4(keccak256(bytes(functions[i]))));
        }
    }

    function financeTerms() internal override returns (Terms memory t) {
        t = super.financeTerms();
        Policy memory p = _policy();
        t.logId = keccak256(abi.encode(p.originHash, p.signer, p.witnesses, p.threshold));
    }

    function _policy() private returns (Policy memory) {
        return Policy(sha256("log.example/fuzz"), vm.createWallet(LOG_KEY).addr, new address[](0), 0);
    }

    /// @dev Appends and anchors a leaf, and completes the oath with the proof of it.
    function _log(Oath memory oath, bytes32 node) private {
        Head memory head = Head(_size, _size, _peaks);
        bytes32[] memory nodes = new bytes32[](1);
        nodes[0] = node;
        uint64 size = ++_size;

        // The new leaf is the last; each older peak as wide as what there is already is the sibling on its left.
        uint256 levels;
        while ((size >> levels) & 1 == 0) ++levels;
        oath.path = new bytes32[](levels);
        for (uint256 i; i < levels; ++i) {
            oath.path[i] = _peaks[_peaks.length - 1];
            node = sha256(abi.encodePacked(hex"01", oath.path[i], node));
            _peaks.pop();
        }
        _peaks.push(node);
        for (uint256 i = _peaks.length - 1; i != 0; --i) {
            node = sha256(abi.encodePacked(hex"01", _peaks[i - 1], node));
        }
        bytes[] memory signatures = new bytes[](1);
        Policy memory p = _policy();
        signatures[0] = log.signed(LOG_KEY, _checkpoint(p, size, node));
        anchor.anchor(p, head, nodes, size, signatures);
        oath.index = size - 1;
        oath.seat = SeatRef(head.count, uint64(size - (1 << levels)), size, uint64(vm.getBlockTimestamp()));
    }

    function _checkpoint(Policy memory p, uint64 size, bytes32 root) private pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(keccak256("EIP712Domain(string name,string version)"), keccak256("Affiant Log"), keccak256("1"))
        );
        bytes32 logId = keccak256(abi.encode(p.originHash, p.signer, p.witnesses, p.threshold));
        bytes32 structType = keccak256("Checkpoint(bytes32 logId,uint64 size,bytes32 root)");
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(structType, logId, size, root))));
    }
}
