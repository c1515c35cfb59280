// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bargain, Job, Money, Status} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {MarketStage} from "./MarketStage.sol";

/// @title An escrow, and jobs on their way through it
abstract contract JobStage is MarketStage {
    JobEscrow internal escrow;
    address internal hook;

    function setUp() public virtual override {
        super.setUp();
        escrow = newEscrow(address(token));
        token.mint(CLIENT, 1e12);
        vm.prank(CLIENT);
        token.approve(address(escrow), FOREVER);
    }

    /// @dev With an arbiter, or as the standard has it.
    function created(bool withArbiter) internal returns (uint256 jobId) {
        vm.prank(CLIENT);
        if (!withArbiter) return escrow.createJob(PROVIDER, EVALUATOR, EXPIRY, "translate", hook);
        return escrow.createJobWith(PROVIDER, EVALUATOR, EXPIRY, "translate", hook, arbitrated());
    }

    function budgeted(bool withArbiter) internal returns (uint256 jobId) {
        jobId = created(withArbiter);
        does(PROVIDER, address(escrow), setBudget(jobId, BUDGET));
    }

    function funded(bool withArbiter) internal returns (uint256 jobId) {
        jobId = budgeted(withArbiter);
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
    }

    function submitted(bool withArbiter) internal returns (uint256 jobId) {
        jobId = funded(withArbiter);
        does(PROVIDER, address(escrow), submit(jobId));
    }

    function completed(bool withArbiter) internal returns (uint256 jobId) {
        jobId = submitted(withArbiter);
        does(EVALUATOR, address(escrow), complete(jobId));
    }

    function rejected(bool withArbiter) internal returns (uint256 jobId) {
        jobId = submitted(withArbiter);
        does(EVALUATOR, address(escrow), reject(jobId));
    }

    /// @dev Work was submitted and nobody judged it.
    function ignored(bool withArbiter) internal returns (uint256 jobId) {
        jobId = submitted(withArbiter);
        vm.warp(EXPIRY);
        does(BOB, address(escrow), claimRefund(jobId));
    }

    function disputed(uint256 jobId, address by) internal returns (uint256) {
        does(by, address(escrow), dispute(jobId));
        return jobId;
    }

    function setProvider(uint256 jobId, address provider) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.setProvider, (jobId, provider, "p"));
    }

    function setBudget(uint256 jobId, uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.setBudget, (jobId, amount, "b"));
    }

    function fund(uint256 jobId, uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.fund, (jobId, amount, "f"));
    }

    function submit(uint256 jobId) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.submit, (jobId, WORK, "s"));
    }

    function complete(uint256 jobId) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.complete, (jobId, WHY, "c"));
    }

    function reject(uint256 jobId) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.reject, (jobId, WHY, "r"));
    }

    function claimRefund(uint256 jobId) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.claimRefund, (jobId));
    }

    function dispute(uint256 jobId) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.dispute, (jobId, WHY));
    }

    function resolve(uint256 jobId, uint256 toProvider) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.resolve, (jobId, toProvider));
    }

    function settle(uint256 jobId) internal pure returns (bytes memory) {
        return abi.encodeCall(JobEscrow.settle, (jobId));
    }

    function refuses(address who, bytes memory data, bytes memory reason) internal {
        refuses(who, address(escrow), data, reason);
    }

    function wrongStatus(uint256 jobId, Status status) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(JobEscrow.WrongStatus.selector, jobId, status);
    }

    function wrongMoney(uint256 jobId, Money money) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(JobEscrow.WrongMoney.selector, jobId, money);
    }

    function tooLate(uint256 end, uint256 time) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(JobEscrow.TooLate.selector, end, time);
    }

    function tooEarly(uint256 start, uint256 time) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(JobEscrow.TooEarly.selector, start, time);
    }

    /// @dev Where a job stands, and who has its money: the provider, the client (beyond what it did not pay in), the escrow.
    function assertAt(uint256 jobId, Status status, Money money, uint256 toProvider, uint256 toClient) internal view {
        Job memory job = escrow.getJob(jobId);
        assertIs(job.status, status);
        assertIs(job.money, money);
        assertEq(token.balanceOf(PROVIDER), toProvider, "provider");
        assertEq(token.balanceOf(CLIENT), 1e12 - BUDGET + toClient, "client");
        assertEq(token.balanceOf(address(escrow)), BUDGET - toProvider - toClient, "escrow");
    }
}
