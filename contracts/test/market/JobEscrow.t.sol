// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bargain, Job, Money, Status} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {Purse} from "../../src/market/Purse.sol";
import {JobStage} from "./JobStage.sol";
import {OddToken} from "./OddToken.sol";

/// @title Jobs as ERC-8183 has them
contract JobEscrowTest is JobStage {
    // ---------------------------------------------------------------- creation

    /// @notice A job is created with what its client says, open and without money; ids count from 1.
    function test_createJob() public {
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobCreated(1, CLIENT, PROVIDER, EVALUATOR, EXPIRY, address(0));
        uint256 jobId = created(false);
        assertEq(jobId, 1, "id");
        Job memory job = escrow.getJob(1);
        assertEq(job.client, CLIENT, "client");
        assertEq(job.provider, PROVIDER, "provider");
        assertEq(job.evaluator, EVALUATOR, "evaluator");
        assertEq(job.hook, address(0), "hook");
        assertEq(job.expiredAt, EXPIRY, "expiry");
        assertEq(job.budget, 0, "budget");
        assertEq(bytes(job.description), "translate", "description");
        assertEq(keccak256(abi.encode(job.bargain)), keccak256(abi.encode(Bargain(0, address(0), 0, 0))), "bargain");
        assertIs(job.status, Status.Open);
        assertIs(job.money, Money.None);
        assertEq(created(true), 2, "second");
        assertEq(escrow.jobCount(), 2, "count");
    }

    /// @notice A bargain is kept and told: the offer's digest, the arbiter, the windows.
    function test_createJobWith() public {
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobBound(1, TERMS, ARBITER, DISPUTE, ANSWER);
        Job memory job = escrow.getJob(created(true));
        assertEq(keccak256(abi.encode(job.bargain)), keccak256(abi.encode(arbitrated())), "bargain");
    }

    /// @notice An offer can be bound without an arbiter; then verdicts pay at once.
    function test_termsWithoutArbiter() public {
        vm.prank(CLIENT);
        uint256 jobId = escrow.createJobWith(PROVIDER, EVALUATOR, EXPIRY, "", address(0), Bargain(TERMS, address(0), 0, 0));
        does(CLIENT, address(escrow), setBudget(jobId, BUDGET));
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
        does(PROVIDER, address(escrow), submit(jobId));
        does(EVALUATOR, address(escrow), complete(jobId));
        assertEq(escrow.getJob(jobId).bargain.terms, TERMS, "terms");
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice A job needs an evaluator, an expiry in the future, and a hook that is a contract.
    function test_creationRefusals() public {
        _refusesJob(address(0), EXPIRY, address(0), abi.encodeWithSelector(JobEscrow.NoEvaluator.selector));
        _refusesJob(
            EVALUATOR, START, address(0), abi.encodeWithSelector(JobEscrow.InvalidExpiry.selector, START, START)
        );
        _refusesJob(
            EVALUATOR, 2 ** 48, address(0), abi.encodeWithSelector(JobEscrow.InvalidExpiry.selector, 2 ** 48, START)
        );
        _refusesJob(EVALUATOR, EXPIRY, BOB, abi.encodeWithSelector(JobEscrow.HookWithoutCode.selector, BOB));
    }

    function _refusesJob(address evaluator, uint256 expiry, address hook_, bytes memory reason) private {
        refuses(CLIENT, abi.encodeCall(JobEscrow.createJob, (PROVIDER, evaluator, expiry, "", hook_)), reason);
    }

    /// @notice An arbiter without a window, a window without an arbiter, and a window that is too long are refused.
    function test_unsoundBargains() public {
        Bargain[5] memory unsound = [
            Bargain(TERMS, ARBITER, 0, ANSWER),
            Bargain(TERMS, ARBITER, DISPUTE, 0),
            Bargain(TERMS, address(0), DISPUTE, ANSWER),
            Bargain(TERMS, ARBITER, 90 days + 1, ANSWER),
            Bargain(TERMS, ARBITER, DISPUTE, 90 days + 1)
        ];
        for (uint256 i; i < 5; ++i) {
            bytes memory reason = abi.encodeWithSelector(JobEscrow.InvalidBargain.selector, unsound[i]);
            refuses(CLIENT, _with(PROVIDER, unsound[i]), reason);
        }
        does(CLIENT, address(escrow), _with(PROVIDER, Bargain(TERMS, ARBITER, 90 days, 90 days)));
    }

    /// @notice Neither client, provider nor evaluator is the arbiter, also when the provider is named later.
    function test_arbiterIsNeutral() public {
        address[3] memory parties = [CLIENT, PROVIDER, EVALUATOR];
        for (uint256 i; i < 3; ++i) {
            bytes memory reason = abi.encodeWithSelector(JobEscrow.NotNeutral.selector, parties[i]);
            refuses(CLIENT, _with(PROVIDER, Bargain(TERMS, parties[i], DISPUTE, ANSWER)), reason);
        }
        uint256 jobId = abi.decode(does(CLIENT, address(escrow), _with(address(0), arbitrated())), (uint256));
        refuses(CLIENT, setProvider(jobId, ARBITER), abi.encodeWithSelector(JobEscrow.NotNeutral.selector, ARBITER));
    }

    function _with(address provider, Bargain memory bargain) private pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.createJobWith, (provider, EVALUATOR, EXPIRY, "", address(0), bargain));
    }

    /// @notice The evaluator may be the client, who then judges alone.
    function test_clientEvaluates() public {
        vm.prank(CLIENT);
        uint256 jobId = escrow.createJob(PROVIDER, CLIENT, EXPIRY, "", address(0));
        does(CLIENT, address(escrow), setBudget(jobId, BUDGET));
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
        does(PROVIDER, address(escrow), submit(jobId));
        does(CLIENT, address(escrow), complete(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    /// @notice Nothing can be done to a job that does not exist.
    function test_noJob() public {
        bytes[10] memory calls = [
            setProvider(1, BOB),
            setBudget(1, 1),
            fund(1, 1),
            submit(1),
            complete(1),
            reject(1),
            claimRefund(1),
            dispute(1),
            resolve(1, 0),
            settle(1)
        ];
        for (uint256 i; i < 10; ++i) {
            refuses(CLIENT, calls[i], abi.encodeWithSelector(JobEscrow.NoJob.selector, 1));
        }
        refuses(CLIENT, abi.encodeCall(JobEscrow.getJob, (1)), abi.encodeWithSelector(JobEscrow.NoJob.selector, 1));
        refuses(CLIENT, abi.encodeCall(JobEscrow.isSettled, (0)), abi.encodeWithSelector(JobEscrow.NoJob.selector, 0));
    }

    /// @notice An escrow needs a token that is a contract.
    function test_noToken() public {
        bytes memory reason = abi.encodeWithSelector(Purse.NoToken.selector, BOB);
        refusesToDeploy("JobEscrow.sol:JobEscrow", abi.encode(BOB), reason);
    }

    // ---------------------------------------------------------------- before the money

    /// @notice The client names the provider of a job that has none, once.
    function test_setProvider() public {
        vm.prank(CLIENT);
        uint256 jobId = escrow.createJob(address(0), EVALUATOR, EXPIRY, "", address(0));
        does(CLIENT, address(escrow), setBudget(jobId, BUDGET));
        refuses(CLIENT, fund(jobId, BUDGET), abi.encodeWithSelector(JobEscrow.NoProvider.selector));
        refuses(BOB, setProvider(jobId, BOB), abi.encodeWithSelector(JobEscrow.NotClient.selector, BOB, CLIENT));
        refuses(CLIENT, setProvider(jobId, address(0)), abi.encodeWithSelector(JobEscrow.NoProvider.selector));
        vm.expectEmit(address(escrow));
        emit JobEscrow.ProviderSet(jobId, PROVIDER);
        does(CLIENT, address(escrow), setProvider(jobId, PROVIDER));
        assertEq(escrow.getJob(jobId).provider, PROVIDER, "provider");
        refuses(CLIENT, setProvider(jobId, BOB), abi.encodeWithSelector(JobEscrow.ProviderKnown.selector, PROVIDER));
    }

    /// @notice Client and provider set the budget while the job is open; nobody else does.
    function test_setBudget() public {
        uint256 jobId = created(false);
        vm.expectEmit(address(escrow));
        emit JobEscrow.BudgetSet(jobId, 7);
        does(CLIENT, address(escrow), setBudget(jobId, 7));
        does(PROVIDER, address(escrow), setBudget(jobId, 8));
        assertEq(escrow.getJob(jobId).budget, 8, "budget");
        bytes memory reason = abi.encodeWithSelector(JobEscrow.NotParty.selector, EVALUATOR, CLIENT, PROVIDER);
        refuses(EVALUATOR, setBudget(jobId, 9), reason);
    }

    /// @notice The client funds exactly the budget it expects. A provider who raises it just before gets nothing.
    function test_fund() public {
        uint256 jobId = budgeted(false);
        refuses(PROVIDER, fund(jobId, BUDGET), abi.encodeWithSelector(JobEscrow.NotClient.selector, PROVIDER, CLIENT));
        does(PROVIDER, address(escrow), setBudget(jobId, BUDGET + 1));
        bytes memory raised = abi.encodeWithSelector(JobEscrow.WrongBudget.selector, BUDGET + 1, BUDGET);
        refuses(CLIENT, fund(jobId, BUDGET), raised);
        does(PROVIDER, address(escrow), setBudget(jobId, BUDGET));
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobFunded(jobId, CLIENT, BUDGET);
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
        assertAt(jobId, Status.Funded, Money.Held, 0, 0);
    }

    /// @notice Nobody funds a job of no budget, or one that has expired.
    function test_fundRefusals() public {
        uint256 jobId = created(false);
        refuses(CLIENT, fund(jobId, 0), abi.encodeWithSelector(JobEscrow.WrongBudget.selector, 0, 0));
        does(CLIENT, address(escrow), setBudget(jobId, BUDGET));
        vm.warp(EXPIRY);
        refuses(CLIENT, fund(jobId, BUDGET), tooLate(EXPIRY, EXPIRY));
        vm.warp(EXPIRY - 1);
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
    }

    /// @notice A token that keeps a part of what is paid in is refused when it does.
    function test_feeOnTransfer() public {
        OddToken odd = new OddToken(CLIENT);
        escrow = newEscrow(address(odd));
        vm.prank(CLIENT);
        odd.approve(address(escrow), FOREVER);
        uint256 jobId = budgeted(false);
        odd.keep(1);
        refuses(
            CLIENT, fund(jobId, BUDGET), abi.encodeWithSelector(Purse.Undelivered.selector, BUDGET, BUDGET - 1)
        );
        odd.keep(0);
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
    }

    /// @notice The client gives up an open job; nobody else does, and there is nothing to pay.
    function test_rejectOpen() public {
        uint256 jobId = budgeted(true);
        address[3] memory others = [EVALUATOR, PROVIDER, BOB];
        for (uint256 i; i < 3; ++i) {
            refuses(others[i], reject(jobId), abi.encodeWithSelector(JobEscrow.NotClient.selector, others[i], CLIENT));
        }
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobRejected(jobId, CLIENT, WHY);
        does(CLIENT, address(escrow), reject(jobId));
        Job memory job = escrow.getJob(jobId);
        assertIs(job.status, Status.Rejected);
        assertIs(job.money, Money.None);
        refuses(CLIENT, settle(jobId), wrongMoney(jobId, Money.None));
    }

    // ---------------------------------------------------------------- the work

    /// @notice The provider submits, in time.
    function test_submit() public {
        uint256 jobId = funded(false);
        refuses(CLIENT, submit(jobId), abi.encodeWithSelector(JobEscrow.NotProvider.selector, CLIENT, PROVIDER));
        vm.warp(EXPIRY);
        refuses(PROVIDER, submit(jobId), tooLate(EXPIRY, EXPIRY));
        vm.warp(EXPIRY - 1);
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobSubmitted(jobId, PROVIDER, WORK);
        does(PROVIDER, address(escrow), submit(jobId));
        assertAt(jobId, Status.Submitted, Money.Held, 0, 0);
    }

    /// @notice The evaluator completes, and the provider is paid all of it at once.
    function test_complete() public {
        uint256 jobId = submitted(false);
        address[3] memory others = [CLIENT, PROVIDER, BOB];
        for (uint256 i; i < 3; ++i) {
            refuses(
                others[i], complete(jobId), abi.encodeWithSelector(JobEscrow.NotEvaluator.selector, others[i], EVALUATOR)
            );
        }
        assertTrue(!escrow.isSettled(jobId), "settled before");
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobCompleted(jobId, EVALUATOR, WHY);
        vm.expectEmit(address(escrow));
        emit JobEscrow.PaymentReleased(jobId, PROVIDER, BUDGET);
        does(EVALUATOR, address(escrow), complete(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
        assertTrue(escrow.isSettled(jobId), "settled");
    }

    /// @notice The evaluator rejects submitted work, and the client is paid back all of it at once.
    function test_rejectSubmitted() public {
        uint256 jobId = submitted(false);
        refuses(CLIENT, reject(jobId), abi.encodeWithSelector(JobEscrow.NotEvaluator.selector, CLIENT, EVALUATOR));
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobRejected(jobId, EVALUATOR, WHY);
        vm.expectEmit(address(escrow));
        emit JobEscrow.Refunded(jobId, CLIENT, BUDGET);
        does(EVALUATOR, address(escrow), reject(jobId));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
        assertTrue(!escrow.isSettled(jobId), "settled");
    }

    /// @notice The evaluator may reject before anything was submitted; the client, who could when it was open, may not.
    function test_rejectFunded() public {
        uint256 jobId = funded(false);
        refuses(CLIENT, reject(jobId), abi.encodeWithSelector(JobEscrow.NotEvaluator.selector, CLIENT, EVALUATOR));
        does(EVALUATOR, address(escrow), reject(jobId));
        assertAt(jobId, Status.Rejected, Money.Paid, 0, BUDGET);
    }

    /// @notice An evaluator may judge after the expiry, as long as nobody has claimed the refund.
    function test_lateVerdict() public {
        uint256 jobId = submitted(false);
        vm.warp(EXPIRY + 1);
        does(EVALUATOR, address(escrow), complete(jobId));
        assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
    }

    // ---------------------------------------------------------------- the expiry

    /// @notice From its expiry on, and not a second before, anyone has the client of a funded job paid back.
    function test_claimRefundFunded() public {
        uint256 jobId = funded(false);
        vm.warp(EXPIRY - 1);
        refuses(BOB, claimRefund(jobId), tooEarly(EXPIRY, EXPIRY - 1));
        vm.warp(EXPIRY);
        vm.expectEmit(address(escrow));
        emit JobEscrow.JobExpired(jobId);
        vm.expectEmit(address(escrow));
        emit JobEscrow.Refunded(jobId, CLIENT, BUDGET);
        does(BOB, address(escrow), claimRefund(jobId));
        assertAt(jobId, Status.Expired, Money.Paid, 0, BUDGET);
    }

    /// @notice As the standard has it, submitted work that nobody judged is refunded at once too.
    function test_claimRefundSubmitted() public {
        assertAt(ignored(false), Status.Expired, Money.Paid, 0, BUDGET);
    }

    /// @notice With an arbiter, a job without submitted work is still refunded at once: there is nothing to dispute.
    function test_claimRefundFundedWithArbiter() public {
        uint256 jobId = funded(true);
        vm.warp(EXPIRY);
        does(BOB, address(escrow), claimRefund(jobId));
        assertAt(jobId, Status.Expired, Money.Paid, 0, BUDGET);
    }

    // ---------------------------------------------------------------- no other way

    /// @notice In each state, only what the standard allows is allowed, whoever asks, also after the expiry.
    function test_noOtherTransition() public {
        uint256[6] memory jobs =
            [budgeted(false), funded(false), submitted(false), completed(false), rejected(false), ignored(false)];
        vm.warp(EXPIRY);
        address[4] memory who = [CLIENT, PROVIDER, EVALUATOR, BOB];
        // Of setProvider, setBudget, fund, submit, complete, reject, claimRefund; one bit each state.
        uint8[7] memory allowed = [0x01, 0x01, 0x01, 0x02, 0x04, 0x07, 0x06];
        for (uint256 state; state < 6; ++state) {
            for (uint256 action; action < 7; ++action) {
                if (allowed[action] >> state & 1 == 1) continue;
                for (uint256 i; i < 4; ++i) {
                    refuses(who[i], _action(action, jobs[state]), wrongStatus(jobs[state], Status(state)));
                }
            }
        }
    }

    function _action(uint256 action, uint256 jobId) private pure returns (bytes memory) {
        if (action == 0) return setProvider(jobId, BOB);
        if (action == 1) return setBudget(jobId, 1);
        if (action == 2) return fund(jobId, BUDGET);
        if (action == 3) return submit(jobId);
        if (action == 4) return complete(jobId);
        if (action == 5) return reject(jobId);
        return claimRefund(jobId);
    }

    // ---------------------------------------------------------------- who cannot be paid

    /// @notice Whom the token will not pay is owed the money; the job ends, and others are paid.
    function test_barredReceiver() public {
        OddToken odd = new OddToken(CLIENT);
        escrow = newEscrow(address(odd));
        vm.prank(CLIENT);
        odd.approve(address(escrow), FOREVER);
        uint256 jobId = disputed(completed(true), CLIENT);
        odd.bar(PROVIDER);
        vm.expectEmit(address(escrow));
        emit Purse.Owed(PROVIDER, 1_000_000);
        does(ARBITER, address(escrow), resolve(jobId, 1_000_000));
        assertEq(escrow.owed(PROVIDER), 1_000_000, "owed");
        assertEq(odd.balanceOf(CLIENT), 1e30 - 1_000_000, "client");
        assertTrue(escrow.isSettled(jobId), "settled");

        // Nobody else says where it goes; the provider does.
        refuses(
            BOB,
            abi.encodeCall(Purse.withdraw, (PROVIDER, BOB)),
            abi.encodeWithSelector(Purse.NotTheirs.selector, BOB, PROVIDER)
        );
        vm.expectEmit(address(escrow));
        emit Purse.Withdrawn(PROVIDER, ALICE, 1_000_000);
        does(PROVIDER, address(escrow), abi.encodeCall(Purse.withdraw, (PROVIDER, ALICE)));
        assertEq(odd.balanceOf(ALICE), 1_000_000, "elsewhere");
        refuses(
            PROVIDER,
            abi.encodeCall(Purse.withdraw, (PROVIDER, ALICE)),
            abi.encodeWithSelector(Purse.NothingOwed.selector, PROVIDER)
        );
    }

    /// @notice Anyone has what is owed to an account sent to the account itself.
    function test_withdrawForSomebody() public {
        OddToken odd = new OddToken(CLIENT);
        escrow = newEscrow(address(odd));
        vm.prank(CLIENT);
        odd.approve(address(escrow), FOREVER);
        uint256 jobId = submitted(false);
        odd.bar(PROVIDER);
        does(EVALUATOR, address(escrow), complete(jobId));
        odd.bar(address(0));
        does(BOB, address(escrow), abi.encodeCall(Purse.withdraw, (PROVIDER, PROVIDER)));
        assertEq(odd.balanceOf(PROVIDER), BUDGET, "paid");
        assertEq(escrow.owed(PROVIDER), 0, "owed");
    }

    /// @notice Little gas does not make a payment fail alone: however much is sent, the provider is paid or nothing happens.
    function test_littleGas() public {
        uint256 jobId = submitted(false);
        for (uint256 gas_ = 30_000; gas_ < 200_000; gas_ += 1_000) {
            vm.prank(EVALUATOR);
            (bool success,) = address(escrow).call{gas: gas_}(complete(jobId));
            assertEq(escrow.owed(PROVIDER), 0, "owed");
            if (success) return assertAt(jobId, Status.Completed, Money.Paid, BUDGET, 0);
        }
        assertTrue(false, "never enough");
    }
}
