// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {IACPHook} from "../../src/market/IACPHook.sol";
import {Money, Status} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {Purse} from "../../src/market/Purse.sol";
import {JobStage} from "./JobStage.sol";
import {OddToken} from "./OddToken.sol";

/// @title A hook that notes what it is told, and fails, burns gas or calls back when it is told to
contract Hook is IACPHook {
    error Objection(bytes4 selector);

    struct Note {
        bool isBefore;
        uint256 jobId;
        bytes4 selector;
        bytes data;
        uint256 gas;
        uint256 status;
    }

    Note[] public notes;
    bytes4 public refusesBefore;
    bytes4 public refusesAfter;
    bool public burns;
    address public called;
    bytes public callData;
    bytes public answer;

    function refuse(bytes4 before_, bytes4 after_) external {
        (refusesBefore, refusesAfter) = (before_, after_);
    }

    function burn() external {
        burns = true;
    }

    function callBack(address called_, bytes calldata data) external {
        (called, callData) = (called_, data);
    }

    function beforeAction(uint256 jobId, bytes4 selector, bytes calldata data) external {
        _note(true, jobId, selector, data);
        if (selector == refusesBefore) revert Objection(selector);
    }

    function afterAction(uint256 jobId, bytes4 selector, bytes calldata data) external {
        _note(false, jobId, selector, data);
        if (selector == refusesAfter) revert Objection(selector);
    }

    function _note(bool isBefore, uint256 jobId, bytes4 selector, bytes calldata data) private {
        uint256 left = gasleft();
        if (burns) {
            while (true) {}
        }
        uint256 status = uint256(JobEscrow(msg.sender).getJob(jobId).status);
        notes.push(Note(isBefore, jobId, selector, data, left, status));
        if (called != address(0)) {
            (bool success, bytes memory returned) = called.call(callData);
            answer = success ? bytes("success") : returned;
        }
    }

    function count() external view returns (uint256) {
        return notes.length;
    }
}

/// @title What hooks are told, and what they cannot do
contract JobHookTest is JobStage {
    Hook private _hook;

    function setUp() public override {
        super.setUp();
        _hook = new Hook();
        hook = address(_hook);
    }

    function _assertNote(uint256 i, uint256 jobId, bytes4 selector, bytes memory data, Status before_, Status after_)
        private
        view
    {
        for (uint256 j; j < 2; ++j) {
            (bool isBefore, uint256 job, bytes4 sel, bytes memory told, uint256 left, uint256 status) =
                _hook.notes(2 * i + j);
            assertTrue(isBefore == (j == 0), "order");
            assertEq(job, jobId, "job");
            assertEq(bytes32(sel), bytes32(selector), "selector");
            assertEq(told, data, "data");
            assertAtMost(left, 500_000, "gas");
            assertEq(status, uint256(j == 0 ? before_ : after_), "status");
        }
    }

    /// @notice A hook is told before and after of each function of the standard's table, with the data of the table.
    function test_told() public {
        vm.prank(CLIENT);
        uint256 jobId = escrow.createJob(address(0), EVALUATOR, EXPIRY, "", hook);
        does(CLIENT, address(escrow), setProvider(jobId, PROVIDER));
        does(CLIENT, address(escrow), setBudget(jobId, BUDGET));
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
        does(PROVIDER, address(escrow), submit(jobId));
        does(EVALUATOR, address(escrow), complete(jobId));
        assertEq(_hook.count(), 10, "count");
        (Status o, Status f) = (Status.Open, Status.Funded);
        _assertNote(0, jobId, JobEscrow.setProvider.selector, abi.encode(PROVIDER, bytes("p")), o, o);
        _assertNote(1, jobId, JobEscrow.setBudget.selector, abi.encode(BUDGET, bytes("b")), o, o);
        _assertNote(2, jobId, JobEscrow.fund.selector, "f", o, f);
        _assertNote(3, jobId, JobEscrow.submit.selector, abi.encode(WORK, bytes("s")), f, Status.Submitted);
        _assertNote(
            4, jobId, JobEscrow.complete.selector, abi.encode(WHY, bytes("c")), Status.Submitted, Status.Completed
        );
    }

    /// @notice A hook is told of a rejection.
    function test_toldOfRejection() public {
        uint256 jobId = rejected(false);
        assertEq(_hook.count(), 8, "count");
        bytes memory data = abi.encode(WHY, bytes("r"));
        _assertNote(3, jobId, JobEscrow.reject.selector, data, Status.Submitted, Status.Rejected);
    }

    /// @notice A hook is told nothing of refunds after the expiry, disputes, settlements and what an arbiter says.
    function test_notTold() public {
        uint256 jobId = ignored(true);
        uint256 count = _hook.count();
        disputed(jobId, PROVIDER);
        does(ARBITER, address(escrow), resolve(jobId, 1));
        assertEq(_hook.count(), count, "count");
        assertEq(count, 6, "before");
    }

    /// @notice A hook's objection, before or after, keeps what it objects to from happening, and is wrapped.
    function test_veto() public {
        bytes4[4] memory selectors = [
            JobEscrow.setBudget.selector,
            JobEscrow.fund.selector,
            JobEscrow.submit.selector,
            JobEscrow.complete.selector
        ];
        uint256 jobId = created(false);
        bytes[4] memory calls = [setBudget(jobId, BUDGET), fund(jobId, BUDGET), submit(jobId), complete(jobId)];
        address[4] memory who = [CLIENT, CLIENT, PROVIDER, EVALUATOR];
        for (uint256 i; i < 4; ++i) {
            bytes memory reason = abi.encodeWithSelector(
                JobEscrow.HookRefused.selector,
                hook,
                abi.encodeWithSelector(Hook.Objection.selector, selectors[i])
            );
            _hook.refuse(selectors[i], 0);
            refuses(who[i], calls[i], reason);
            _hook.refuse(0, selectors[i]);
            refuses(who[i], calls[i], reason);
            assertEq(uint256(escrow.getJob(jobId).status), i == 0 ? 0 : i - 1, "status");
            _hook.refuse(0, 0);
            does(who[i], address(escrow), calls[i]);
        }
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice A hook cannot keep the evaluator from paying the client back: it fails, is named, and the money moves.
    function test_noVetoOnRejection() public {
        uint256 jobId = submitted(false);
        _hook.refuse(JobEscrow.reject.selector, JobEscrow.reject.selector);
        vm.expectEmit(address(escrow));
        emit JobEscrow.HookFailed(jobId, hook, JobEscrow.reject.selector);
        does(EVALUATOR, address(escrow), reject(jobId));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
    }

    /// @notice A hook that burns all gas it gets cannot either, nor keep anyone from a refund after the expiry.
    function test_noVetoByGas() public {
        uint256 jobId = submitted(false);
        _hook.burn();
        does(EVALUATOR, address(escrow), reject(jobId));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
    }

    /// @notice A hook that fails always traps no money: after the expiry anyone has the client paid back.
    function test_noVetoOnRefund() public {
        uint256 jobId = funded(false);
        _hook.burn();
        vm.warp(EXPIRY);
        does(BOB, address(escrow), claimRefund(jobId));
        assertAt(jobId, Status.Expired, Money.Paid, 0, BUDGET);
    }

    /// @notice A client's hook that lets no work be completed does not cheat the provider, if there is an arbiter.
    function test_hookThatCheats() public {
        uint256 jobId = submitted(true);
        _hook.refuse(JobEscrow.complete.selector, 0);
        vm.warp(EXPIRY);
        does(PROVIDER, address(escrow), claimRefund(jobId));
        disputed(jobId, PROVIDER);
        does(ARBITER, address(escrow), resolve(jobId, BUDGET));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice Nobody makes a hook fail by sending little gas: either it gets what it is promised, or nothing happens.
    function test_littleGasForTheHook() public {
        uint256 jobId = submitted(false);
        uint256 heard = _hook.count();
        bool done;
        for (uint256 gas_ = 400_000; !done; gas_ += 20_000) {
            vm.prank(EVALUATOR);
            (done,) = address(escrow).call{gas: gas_}(reject(jobId));
            assertEq(_hook.count(), done ? heard + 2 : heard, "heard");
            assertAtMost(gas_, 2_000_000, "never enough");
        }
        (,,,, uint256 left,) = _hook.notes(heard + 1);
        assertAtMost(490_000, left, "promised");
        vm.prank(CLIENT);
        jobId = escrow.createJob(PROVIDER, EVALUATOR, EXPIRY, "", hook);
        vm.prank(CLIENT);
        (bool success, bytes memory returned) = address(escrow).call{gas: 300_000}(setBudget(jobId, 1));
        assertTrue(!success && bytes4(returned) == JobEscrow.TooLittleGas.selector, "reason");
    }

    /// @notice A hook that calls back changes nothing: every function that moves a job or money is closed meanwhile.
    function test_hookCallsBack() public {
        uint256 other = submitted(false);
        vm.warp(EXPIRY - 1);
        uint256 jobId = submitted(false);
        bytes[10] memory calls = [
            claimRefund(other),
            complete(jobId),
            reject(jobId),
            settle(jobId),
            dispute(jobId),
            resolve(jobId, 0),
            submit(jobId),
            setBudget(jobId, 1),
            fund(jobId, 1),
            abi.encodeCall(Purse.withdraw, (PROVIDER, PROVIDER))
        ];
        uint256 state = more.snapshotState();
        for (uint256 i; i < 10; ++i) {
            _hook.callBack(address(escrow), calls[i]);
            does(EVALUATOR, address(escrow), complete(jobId));
            assertEq(
                _hook.answer(), abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector), "answer"
            );
            assertEq(token.balanceOf(PROVIDER), BUDGET, "paid once");
            more.revertToState(state);
            state = more.snapshotState();
        }
    }

    /// @notice Nor does a token that calls back while it is paid out.
    function test_tokenCallsBack() public {
        hook = address(0);
        OddToken odd = new OddToken(CLIENT);
        escrow = newEscrow(address(odd));
        vm.prank(CLIENT);
        odd.approve(address(escrow), FOREVER);
        uint256 other = submitted(false);
        uint256 jobId = submitted(false);
        vm.warp(EXPIRY);
        odd.plan(address(escrow), claimRefund(other));
        does(EVALUATOR, address(escrow), complete(jobId));
        assertEq(
            odd.answer(), abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector), "answer"
        );
        assertEq(odd.balanceOf(address(escrow)), BUDGET, "the other's");
    }
}
