// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IACPHook} from "../../src/market/IACPHook.sol";
import {Bargain, Job, Money, Status} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {Purse} from "../../src/market/Purse.sol";
import {Campaign, Handler} from "./Handler.sol";
import {OddToken} from "./OddToken.sol";

/// @title A hook with moods: agrees, fails, burns gas, calls back
contract MoodyHook is IACPHook {
    uint256 public mood;
    bytes public data;

    function set(uint256 mood_, bytes calldata data_) external {
        (mood, data) = (mood_, data_);
    }

    function beforeAction(uint256, bytes4, bytes calldata) external {
        _act(0);
    }

    function afterAction(uint256, bytes4, bytes calldata) external {
        _act(1);
    }

    function _act(uint256 phase) private {
        if (mood == 1 + phase) revert("mood");
        if (mood == 3) {
            (bool success,) = msg.sender.call(data);
            require(!success, "called back");
        }
        if (mood == 4) {
            while (true) {}
        }
    }
}

/// @title Everybody around an escrow, each trying anything
contract JobHandler is Handler {
    JobEscrow public immutable escrow;
    OddToken public immutable token;
    MoodyHook public immutable hook = new MoodyHook();

    /// @dev Clients 0 to 2, providers 3 to 5, evaluators 6 and 7, arbiter 8, a stranger 9. One may play two parts.
    address[10] public people;
    mapping(uint256 jobId => uint256) public takenFor;
    mapping(uint256 jobId => uint256) public givenFor;
    uint256 private constant NONE = 1;
    uint256 private constant HELD = 2;
    uint256 private constant PENDING = 4;
    uint256 private constant DISPUTED = 8;

    /// @dev How often each of nine things succeeded.
    uint256[9] public reached;

    constructor(JobEscrow escrow_, OddToken token_) {
        (escrow, token) = (escrow_, token_);
        for (uint160 i; i < 10; ++i) {
            people[i] = address(0x1000 + i);
        }
        for (uint256 i; i < 3; ++i) {
            vm.prank(address(0xba4c));
            token.transfer(people[i], 1e24);
            vm.prank(people[i]);
            token.approve(address(escrow), type(uint256).max);
        }
    }

    // ---------------------------------------------------------------- actions

    function create(uint256 seed) external action(seed) {
        Bargain memory bargain = Bargain(keccak256("terms"), people[8], uint32(1 + pick(30 days)), uint32(1 + pick(90 days)));
        if (chance(25)) bargain = Bargain(0, address(0), 0, 0);
        address client = people[pick(3)];
        address evaluator = chance(10) ? client : people[6 + pick(2)];
        address provider = chance(10) ? address(0) : chance(10) ? evaluator : people[3 + pick(3)];
        address hook_ = chance(50) ? address(hook) : address(0);
        bytes memory data = abi.encodeCall(
            JobEscrow.createJobWith, (provider, evaluator, time + 1 + pick(20 days), "job", hook_, bargain)
        );
        assertTrue(tries(client, address(escrow), data), "created");
        uint256 jobId = escrow.jobCount();
        if (provider == address(0) && chance(80)) {
            _try(jobId, client, abi.encodeCall(JobEscrow.setProvider, (jobId, people[3 + pick(3)], "")));
        }
        uint256 amount = 1 + pick(1e6);
        if (chance(80)) _try(jobId, client, abi.encodeCall(JobEscrow.setBudget, (jobId, amount, "")));
        if (chance(70) && _try(jobId, client, abi.encodeCall(JobEscrow.fund, (jobId, amount, "")))) ++reached[0];
    }

    function budget(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(NONE);
        if (jobId == 0) return;
        address who = _who(chance(50) ? job.client : job.provider);
        _try(jobId, who, abi.encodeCall(JobEscrow.setBudget, (jobId, pick(1e6), "")));
    }

    function fund(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(NONE);
        if (jobId == 0) return;
        if (_try(jobId, _who(job.client), abi.encodeCall(JobEscrow.fund, (jobId, job.budget, "")))) ++reached[0];
    }

    function submit(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(HELD);
        if (jobId == 0) return;
        if (_try(jobId, _who(job.provider), abi.encodeCall(JobEscrow.submit, (jobId, 0, "")))) ++reached[1];
    }

    function complete(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(HELD);
        if (jobId == 0) return;
        if (_try(jobId, _who(job.evaluator), abi.encodeCall(JobEscrow.complete, (jobId, 0, "")))) ++reached[2];
    }

    function reject(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(NONE | HELD);
        if (jobId == 0 || chance(70)) return;
        address who = _who(job.status == Status.Open ? job.client : job.evaluator);
        if (_try(jobId, who, abi.encodeCall(JobEscrow.reject, (jobId, 0, "")))) ++reached[3];
    }

    function claimRefund(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(HELD);
        if (jobId == 0) return;
        bool ripe = (job.status == Status.Funded || job.status == Status.Submitted) && time >= job.expiredAt;
        bool done = _try(jobId, people[pick(10)], abi.encodeCall(JobEscrow.claimRefund, (jobId)));
        assertTrue(done == ripe, "a refund was blocked, or came early");
        if (done) ++reached[4];
    }

    function dispute(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(PENDING);
        if (jobId == 0) return;
        address who = _who(chance(50) ? job.client : job.provider);
        if (_try(jobId, who, abi.encodeCall(JobEscrow.dispute, (jobId, 0)))) ++reached[5];
    }

    function resolve(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(DISPUTED);
        if (jobId == 0) return;
        uint256 toProvider = chance(30) ? 0 : chance(30) ? job.budget : pick(job.budget + 2);
        if (_try(jobId, _who(people[8]), abi.encodeCall(JobEscrow.resolve, (jobId, toProvider)))) ++reached[6];
    }

    function settle(uint256 seed) external action(seed) {
        (uint256 jobId, Job memory job) = _someJob(PENDING | DISPUTED);
        if (jobId == 0) return;
        bool ripe = (job.money == Money.Pending || job.money == Money.Disputed) && time >= job.dueAt;
        bool done = _try(jobId, people[pick(10)], abi.encodeCall(JobEscrow.settle, (jobId)));
        assertTrue(done || !ripe, "a settlement was blocked");
        if (done) ++reached[7];
    }

    function withdraw(uint256 seed) external action(seed) {
        address who = people[pick(10)];
        for (uint256 i; i < 8 && escrow.owed(who) == 0; ++i) {
            who = people[pick(10)];
        }
        address to = chance(50) ? who : people[pick(10)];
        uint256 owed = escrow.owed(who);
        uint256 held = held_();
        address by = chance(50) ? who : people[pick(10)];
        bool done = tries(by, address(escrow), abi.encodeCall(Purse.withdraw, (who, to)));
        assertTrue(!done || (owed != 0 && (by == who || to == who)), "another's money");
        assertEq(held_(), held, "held");
        if (done) ++reached[8];
    }

    function wait(uint256 seed) external action(seed) {
        time += pick(chance(80) ? 1 days : 10 days);
        vm.warp(time);
    }

    function bar(uint256 seed) external action(seed) {
        token.bar(chance(70) ? people[pick(6)] : address(0));
    }

    function mood(uint256 seed) external action(seed) {
        bytes memory data = chance(50)
            ? abi.encodeCall(JobEscrow.claimRefund, (_jobId()))
            : abi.encodeCall(JobEscrow.settle, (_jobId()));
        hook.set(chance(60) ? 0 : 1 + pick(4), data);
    }

    // ---------------------------------------------------------------- judging

    /// @dev What the escrow holds that is owed to nobody yet.
    function held_() public view returns (uint256 held) {
        held = token.balanceOf(address(escrow));
        for (uint256 i; i < 10; ++i) {
            held -= escrow.owed(people[i]);
        }
    }

    /// @dev Whatever is tried on a job, money comes once, when it is funded, and goes once, all of it, when it is over.
    function _try(uint256 jobId, address who, bytes memory data) private returns (bool done) {
        Job memory job = escrow.getJob(jobId);
        uint256 before_ = held_();
        done = tries(who, address(escrow), data);
        Job memory now_ = escrow.getJob(jobId);
        uint256 after_ = held_();
        if (job.money == Money.None && now_.money == Money.Held) {
            takenFor[jobId] += after_ - before_;
            assertEq(after_, before_ + job.budget, "taken");
        } else if (job.money != Money.Paid && now_.money == Money.Paid) {
            givenFor[jobId] += before_ - after_;
            assertEq(before_, after_ + job.budget, "given");
        } else {
            assertEq(after_, before_, "moved");
        }
        assertTrue(done || keccak256(abi.encode(job)) == keccak256(abi.encode(now_)), "changed");
    }

    function _jobId() private returns (uint256) {
        uint256 count = escrow.jobCount();
        if (count == 0) return 0;
        // Mostly one of the last: the others are over.
        return chance(80) && count > 12 ? count - pick(12) : 1 + pick(count);
    }

    /// @dev Mostly a job with its money in one of these places, if the first few looked at have it.
    function _someJob(uint256 places) private returns (uint256 jobId, Job memory job) {
        uint256 looks = chance(85) ? 8 : 1;
        for (uint256 i; i < looks; ++i) {
            jobId = _jobId();
            if (jobId == 0) return (jobId, job);
            job = escrow.getJob(jobId);
            if (places >> uint256(job.money) & 1 == 1) return (jobId, job);
        }
    }

    function _who(address right) private returns (address) {
        return chance(85) && right != address(0) ? right : people[pick(10)];
    }

    /// @dev When all deadlines have passed, a stranger ends every job, against a hook at its worst; nothing is left.
    function sweep() external {
        address stranger = people[9];
        uint256 count = escrow.jobCount();
        hook.set(4, "");
        vm.warp(time + 400 days);
        for (uint256 jobId = 1; jobId <= count; ++jobId) {
            Status status = escrow.getJob(jobId).status;
            if (status != Status.Funded && status != Status.Submitted) continue;
            assertTrue(tries(stranger, address(escrow), abi.encodeCall(JobEscrow.claimRefund, (jobId))), "refund");
        }
        vm.warp(time + 800 days);
        for (uint256 jobId = 1; jobId <= count; ++jobId) {
            Money money = escrow.getJob(jobId).money;
            if (money != Money.Pending && money != Money.Disputed) continue;
            assertTrue(tries(stranger, address(escrow), abi.encodeCall(JobEscrow.settle, (jobId))), "settle");
        }
        assertEq(held_(), 0, "stuck");
        token.bar(address(0));
        for (uint256 i; i < 10; ++i) {
            if (escrow.owed(people[i]) == 0) continue;
            bytes memory data = abi.encodeCall(Purse.withdraw, (people[i], people[i]));
            assertTrue(tries(stranger, address(escrow), data), "withdraw");
        }
        assertEq(token.balanceOf(address(escrow)), 0, "left");
        for (uint256 jobId = 1; jobId <= count; ++jobId) {
            assertEq(givenFor[jobId] == 0 ? takenFor[jobId] : givenFor[jobId], takenFor[jobId], "each in full");
        }
    }
}

/// @title An escrow under everybody's attempts
contract JobInvariantTest is Campaign {
    JobHandler private _handler;
    bytes4[] private _selectors;

    function setUp() public {
        vm.warp(1_790_000_000);
        OddToken token = new OddToken(address(0xba4c));
        JobEscrow escrow = JobEscrow(vm.deployCode("JobEscrow.sol:JobEscrow", abi.encode(token)));
        _handler = new JobHandler(escrow, token);
        _selectors = [
            JobHandler.create.selector,
            JobHandler.budget.selector,
            JobHandler.fund.selector,
            JobHandler.submit.selector,
            JobHandler.complete.selector,
            JobHandler.reject.selector,
            JobHandler.claimRefund.selector,
            JobHandler.dispute.selector,
            JobHandler.resolve.selector,
            JobHandler.settle.selector,
            JobHandler.withdraw.selector,
            JobHandler.wait.selector,
            JobHandler.bar.selector,
            JobHandler.mood.selector
        ];
        aim(address(_handler), _selectors);
    }

    /// @notice The actions do what they are for: everything that can happen to a job happens.
    function test_actionsReach() public {
        for (uint256 i; i < 1_000; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            (bool success,) = address(_handler).call(abi.encodeWithSelector(_selectors[seed % 14], seed));
            assertTrue(success, "action");
        }
        for (uint256 i; i < 9; ++i) {
            assertAtMost(1, _handler.reached(i), "reached");
        }
        _handler.sweep();
    }

    /// @notice What the escrow holds is, at any time, what is owed and the budgets of the jobs that are not paid: no job is
    /// paid with another's money.
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_escrowConserves() public view {
        JobEscrow escrow = _handler.escrow();
        uint256 sum;
        uint256 count = escrow.jobCount();
        for (uint256 jobId = 1; jobId <= count; ++jobId) {
            Job memory job = escrow.getJob(jobId);
            if (job.money != Money.None && job.money != Money.Paid) sum += job.budget;
        }
        assertEq(_handler.held_(), sum, "held");
    }

    /// @notice At the end, when time has passed all deadlines, anyone empties the escrow, whatever hooks do.
    function afterInvariant() public {
        _handler.sweep();
    }
}
