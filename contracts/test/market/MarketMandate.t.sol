// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bucket} from "../../src/core/Bucket.sol";
import {Mandate} from "../../src/core/Mandate.sol";
import {PER_CALL, Pin, Rule, Terms} from "../../src/core/Terms.sol";
import {AgentIdentity} from "../../src/market/AgentIdentity.sol";
import {Bargain} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {ServiceCredits} from "../../src/market/ServiceCredits.sol";
import {House} from "../House.sol";

/// @title An agent in the market under a real mandate
/// @notice Every call is sworn, logged and anchored; the mandate is the client, and what comes back comes back to it.
contract MarketMandateTest is House {
    address private constant PROVIDER = address(0x9607);
    address private constant EVALUATOR = address(0xE7A1);
    address private constant ARBITER = address(0xA4B1);
    bytes32 private constant OFFER = keccak256("sworn offer");
    uint256 private constant BUDGET = 5_000;

    JobEscrow private _escrow;
    ServiceCredits private _credits;
    AgentIdentity private _identity;
    uint256 private _expiry;

    function setUp() public override {
        super.setUp();
        _escrow = JobEscrow(vm.deployCode("JobEscrow.sol:JobEscrow", abi.encode(token)));
        _credits = ServiceCredits(vm.deployCode("ServiceCredits.sol:ServiceCredits", abi.encode(token)));
        _identity = AgentIdentity(vm.deployCode("AgentIdentity.sol:AgentIdentity", ""));
        _expiry = vm.getBlockTimestamp() + 7 days;
        mandate = create(_terms());
        token.mint(address(mandate), 1_000_000);
    }

    // Rules: a job by this evaluator, arbiter and offer only; money only by `fund`, metered by the budget.
    function _terms() private returns (Terms memory t) {
        t = terms();
        t.rules = new Rule[](9);
        address escrow = address(_escrow);
        t.rules[0] = Rule(address(token), token.approve.selector, PER_CALL, 1, 1, _pinned(0, escrow, address(_credits)));
        t.rules[1] = Rule(escrow, JobEscrow.createJobWith.selector, PER_CALL, 1, 1, new Pin[](4));
        t.rules[1].pins[0] = _pin(1, bytes32(uint256(uint160(EVALUATOR))));
        t.rules[1].pins[1] = _pin(4, 0);
        t.rules[1].pins[2] = _pin(5, OFFER);
        t.rules[1].pins[3] = _pin(6, bytes32(uint256(uint160(ARBITER))));
        t.rules[2] = Rule(escrow, JobEscrow.setBudget.selector, PER_CALL, 1, 1, new Pin[](0));
        t.rules[3] = Rule(escrow, JobEscrow.fund.selector, 1, 0, 10_000, new Pin[](0));
        t.rules[4] = Rule(escrow, JobEscrow.dispute.selector, PER_CALL, 1, 1, new Pin[](0));
        t.rules[5] = Rule(address(_credits), ServiceCredits.buy.selector, 1, 0, 10, new Pin[](1));
        t.rules[5].pins[0] = _pin(3, bytes32(uint256(uint160(principal))));
        t.rules[6] = Rule(address(_credits), ServiceCredits.useFrom.selector, PER_CALL, 1, 1, new Pin[](0));
        t.rules[7] = Rule(address(_identity), bytes4(0x1aa3a008), PER_CALL, 1, 1, new Pin[](0));
        t.rules[8] = Rule(escrow, JobEscrow.reject.selector, PER_CALL, 1, 1, new Pin[](0));
        t.buckets[1] = Bucket(40, 1 hours);
    }

    function _pin(uint8 word, bytes32 value) private pure returns (Pin memory pin) {
        pin = Pin(word, new bytes32[](1));
        pin.allowed[0] = value;
    }

    function _pinned(uint8 word, address a, address b) private pure returns (Pin[] memory pins) {
        pins = new Pin[](1);
        pins[0] = Pin(word, new bytes32[](2));
        (pins[0].allowed[0], pins[0].allowed[1]) = (bytes32(uint256(uint160(a))), bytes32(uint256(uint160(b))));
    }

    function _act(address target, bytes memory data) private {
        execute(call(target, 0, data));
    }

    function _creating(address arbiter) private view returns (bytes memory) {
        Bargain memory bargain = Bargain(OFFER, arbiter, 1 days, 1 days);
        return abi.encodeCall(JobEscrow.createJobWith, (PROVIDER, EVALUATOR, _expiry, "job", address(0), bargain));
    }

    function _completed() private returns (uint256 jobId) {
        _act(address(token), abi.encodeCall(token.approve, (address(_escrow), BUDGET)));
        _act(address(_escrow), _creating(ARBITER));
        jobId = _escrow.jobCount();
        _act(address(_escrow), abi.encodeCall(JobEscrow.setBudget, (jobId, BUDGET, "")));
        _act(address(_escrow), abi.encodeCall(JobEscrow.fund, (jobId, BUDGET, "")));
        vm.prank(PROVIDER);
        _escrow.submit(jobId, keccak256("nothing"), "");
        vm.prank(EVALUATOR);
        _escrow.complete(jobId, 0, "");
    }

    /// @notice A cheating evaluator completes worthless work; the agent disputes under oath, the arbiter finds for it, and the
    /// money is back in the mandate.
    function test_disputeUnderOath() public {
        uint256 before_ = token.balanceOf(address(mandate));
        uint256 jobId = _completed();
        assertEq(_escrow.getJob(jobId).client, address(mandate), "client");
        assertEq(token.balanceOf(address(mandate)), before_ - BUDGET, "paid in");
        _act(address(_escrow), abi.encodeCall(JobEscrow.dispute, (jobId, keccak256("worthless"))));
        vm.prank(ARBITER);
        _escrow.resolve(jobId, 0);
        assertEq(token.balanceOf(address(mandate)), before_, "back");
        assertEq(token.balanceOf(PROVIDER), 0, "provider");
    }

    /// @notice An agent cannot name an arbiter of its own, as the mandate pins it.
    function test_pinnedArbiter() public {
        bytes memory reason =
            abi.encodeWithSelector(Mandate.PinMismatch.selector, 6, bytes32(uint256(uint160(PROVIDER))));
        refuses(call(address(_escrow), 0, _creating(PROVIDER)), reason);
    }

    /// @notice An agent buys credits for its principal, which it may use but not give back for money of its own.
    function test_credits() public {
        vm.prank(PROVIDER);
        uint256 listing = _credits.list(OFFER, 100, "");
        _act(address(token), abi.encodeCall(token.approve, (address(_credits), 1_000)));
        _act(address(_credits), abi.encodeCall(ServiceCredits.buy, (listing, 3, 100, principal)));
        uint256 credit = _credits.creditOf(listing, 100);
        assertEq(_credits.balanceOf(principal, credit), 3, "units");
        bytes memory useOne = abi.encodeCall(ServiceCredits.useFrom, (principal, credit, 1, keccak256("request")));
        bytes memory notHolder =
            abi.encodeWithSelector(ServiceCredits.NotHolder.selector, address(mandate), principal);
        refuses(call(address(_credits), 0, useOne), abi.encodeWithSelector(Mandate.CallFailed.selector, notHolder));
        vm.prank(principal);
        _credits.setApprovalForAll(address(mandate), true);
        _act(address(_credits), useOne);
        assertEq(_credits.owed(PROVIDER), 100, "earned");
        bytes memory refunding = abi.encodeCall(ServiceCredits.refund, (credit, 1));
        refuses(
            call(address(_credits), 0, refunding),
            abi.encodeWithSelector(Mandate.NoRule.selector, address(_credits), ServiceCredits.refund.selector)
        );
    }

    /// @notice A mandate registers an agent, although it knows nothing of ERC-721.
    function test_register() public {
        _act(address(_identity), abi.encodeWithSelector(bytes4(0x1aa3a008)));
        assertEq(_identity.ownerOf(1), address(mandate), "owner");
    }
}
