// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Job, Money, Status} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {JobStage} from "./JobStage.sol";

/// @title Verdicts that wait, disputes, and what happens when nobody answers
contract JobDisputeTest is JobStage {
    // ---------------------------------------------------------------- verdicts wait

    /// @notice With an arbiter a verdict pays nobody at first, whichever it is, and says from when it can be settled.
    function test_verdictWaits() public {
        uint256 jobId = submitted(true);
        vm.expectEmit(address(escrow));
        emit JobEscrow.VerdictPending(jobId, START + DISPUTE);
        does(EVALUATOR, address(escrow), complete(jobId));
        assertAt(jobId, Status.Completed, Money.Pending, 0, 0);
        assertEq(escrow.getJob(jobId).dueAt, START + DISPUTE, "due");
        assertTrue(!escrow.isSettled(jobId), "settled");
    }

    /// @notice An undisputed verdict is settled by anyone, to the second.
    function test_settleCompleted() public {
        uint256 jobId = completed(true);
        vm.warp(START + DISPUTE - 1);
        refuses(BOB, settle(jobId), tooEarly(START + DISPUTE, START + DISPUTE - 1));
        refuses(PROVIDER, settle(jobId), tooEarly(START + DISPUTE, START + DISPUTE - 1));
        vm.warp(START + DISPUTE);
        vm.expectEmit(address(escrow));
        emit JobEscrow.PaymentReleased(jobId, PROVIDER, BUDGET);
        does(BOB, address(escrow), settle(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
        assertTrue(escrow.isSettled(jobId), "settled");
        refuses(BOB, settle(jobId), wrongMoney(jobId, Money.Paid));
    }

    /// @notice The same for a rejection, of submitted work or of none.
    function test_settleRejected() public {
        uint256 jobId = funded(true);
        does(EVALUATOR, address(escrow), reject(jobId));
        assertAt(jobId, Status.Rejected, Money.Pending, 0, 0);
        vm.warp(START + DISPUTE);
        does(BOB, address(escrow), settle(jobId));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
    }

    /// @notice The evaluator's silence is a verdict: submitted work that expires is refunded, but not before the provider
    /// could dispute it.
    function test_settleIgnored() public {
        uint256 jobId = ignored(true);
        assertAt(jobId, Status.Expired, Money.Pending, 0, 0);
        refuses(EVALUATOR, complete(jobId), wrongStatus(jobId, Status.Expired));
        refuses(CLIENT, settle(jobId), tooEarly(EXPIRY + DISPUTE, EXPIRY));
        vm.warp(EXPIRY + DISPUTE);
        does(BOB, address(escrow), settle(jobId));
        assertAt(jobId, Status.Expired, Money.Paid, 0, BUDGET);
    }

    /// @notice Whom a verdict is against may accept it at once: nobody waits for nothing. Whom it favours may not.
    function test_loserAccepts() public {
        uint256 jobId = completed(true);
        refuses(PROVIDER, settle(jobId), tooEarly(START + DISPUTE, START));
        does(CLIENT, address(escrow), settle(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice The provider may accept a rejection, also after it has disputed it.
    function test_loserAcceptsAfterDispute() public {
        uint256 jobId = disputed(rejected(true), PROVIDER);
        refuses(CLIENT, settle(jobId), tooEarly(START + ANSWER, START));
        does(PROVIDER, address(escrow), settle(jobId));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
    }

    // ---------------------------------------------------------------- a cheating evaluator

    /// @notice An evaluator in league with the provider completes worthless work; the client disputes and is paid back.
    function test_cheatForTheProvider() public {
        uint256 jobId = completed(true);
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobDisputed(jobId, CLIENT, WHY, START + ANSWER);
        does(CLIENT, address(escrow), dispute(jobId));
        assertAt(jobId, Status.Completed, Money.Disputed, 0, 0);
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobResolved(jobId, ARBITER, 0, BUDGET);
        does(ARBITER, address(escrow), resolve(jobId, 0));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
        assertTrue(!escrow.isSettled(jobId), "settled");
    }

    /// @notice An evaluator in league with the client rejects good work; the provider disputes and is paid.
    function test_cheatForTheClient() public {
        uint256 jobId = disputed(rejected(true), PROVIDER);
        does(ARBITER, address(escrow), resolve(jobId, BUDGET));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
        assertTrue(escrow.isSettled(jobId), "settled");
    }

    /// @notice An evaluator in league with the client says nothing; the provider lets the job expire, disputes and is paid.
    function test_cheatBySilence() public {
        uint256 jobId = disputed(ignored(true), PROVIDER);
        does(ARBITER, address(escrow), resolve(jobId, BUDGET));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice The arbiter may divide, and every part goes where it says.
    function test_divide() public {
        uint256 jobId = disputed(completed(true), CLIENT);
        vm.expectEmit(address(escrow));
        emit JobEscrow.PaymentReleased(jobId, PROVIDER, 1);
        vm.expectEmit(address(escrow));
        emit JobEscrow.Refunded(jobId, CLIENT, BUDGET - 1);
        does(ARBITER, address(escrow), resolve(jobId, 1));
        assertAt(jobId, Status.Completed, Money.Paid, 1, BUDGET - 1);
    }

    /// @notice An arbiter that finds for the client changes no rejection and no expiry.
    function test_arbiterAgrees() public {
        uint256 jobId = disputed(ignored(true), PROVIDER);
        does(ARBITER, address(escrow), resolve(jobId, 0));
        assertAt(jobId, Status.Expired, Money.Paid, 0, BUDGET);
    }

    // ---------------------------------------------------------------- who may, and when

    /// @notice Only client and provider dispute, before the verdict is due, and once.
    function test_disputeRefusals() public {
        uint256 jobId = completed(true);
        address[3] memory others = [EVALUATOR, ARBITER, BOB];
        for (uint256 i; i < 3; ++i) {
            bytes memory reason = abi.encodeWithSelector(JobEscrow.NotParty.selector, others[i], CLIENT, PROVIDER);
            refuses(others[i], dispute(jobId), reason);
        }
        vm.warp(START + DISPUTE);
        refuses(CLIENT, dispute(jobId), tooLate(START + DISPUTE, START + DISPUTE));
        vm.warp(START + DISPUTE - 1);
        does(CLIENT, address(escrow), dispute(jobId));
        refuses(CLIENT, dispute(jobId), wrongMoney(jobId, Money.Disputed));
        refuses(PROVIDER, dispute(jobId), wrongMoney(jobId, Money.Disputed));
    }

    /// @notice There is nothing to dispute before a verdict, nor in a job without an arbiter after one.
    function test_nothingToDispute() public {
        uint256 jobId = submitted(true);
        refuses(CLIENT, dispute(jobId), wrongMoney(jobId, Money.Held));
        refuses(ARBITER, resolve(jobId, 0), wrongMoney(jobId, Money.Held));
        refuses(BOB, settle(jobId), wrongMoney(jobId, Money.Held));
        jobId = completed(false);
        refuses(CLIENT, dispute(jobId), wrongMoney(jobId, Money.Paid));
        refuses(address(0), resolve(jobId, 0), wrongMoney(jobId, Money.Paid));
    }

    /// @notice Only the arbiter resolves, only a dispute, no more than there is, in its window, and once.
    function test_resolveRefusals() public {
        uint256 jobId = completed(true);
        refuses(ARBITER, resolve(jobId, 0), wrongMoney(jobId, Money.Pending));
        disputed(jobId, CLIENT);
        address[4] memory others = [EVALUATOR, CLIENT, PROVIDER, BOB];
        for (uint256 i; i < 4; ++i) {
            refuses(
                others[i], resolve(jobId, 0), abi.encodeWithSelector(JobEscrow.NotArbiter.selector, others[i], ARBITER)
            );
        }
        bytes memory over = abi.encodeWithSelector(JobEscrow.OverBudget.selector, BUDGET + 1, BUDGET);
        refuses(ARBITER, resolve(jobId, BUDGET + 1), over);
        vm.warp(START + ANSWER);
        refuses(ARBITER, resolve(jobId, 0), tooLate(START + ANSWER, START + ANSWER));
        vm.warp(START + ANSWER - 1);
        does(ARBITER, address(escrow), resolve(jobId, 0));
        refuses(ARBITER, resolve(jobId, BUDGET), wrongMoney(jobId, Money.Paid));
        refuses(BOB, settle(jobId), wrongMoney(jobId, Money.Paid));
    }

    /// @notice An arbiter that does not answer in time decides nothing: the verdict stands, whichever it was.
    function test_silentArbiter() public {
        uint256 jobId = disputed(completed(true), CLIENT);
        vm.warp(START + ANSWER - 1);
        refuses(BOB, settle(jobId), tooEarly(START + ANSWER, START + ANSWER - 1));
        vm.warp(START + ANSWER);
        does(BOB, address(escrow), settle(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice Nobody waits longer for a verdict's money than both windows, whatever the other does.
    function test_longestWait() public {
        uint256 jobId = completed(true);
        vm.warp(START + DISPUTE - 1);
        disputed(jobId, CLIENT);
        vm.warp(START + DISPUTE - 1 + ANSWER);
        does(BOB, address(escrow), settle(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }
}
