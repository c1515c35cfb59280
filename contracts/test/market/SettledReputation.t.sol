// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AgentIdentity} from "../../src/market/AgentIdentity.sol";
import {AgentReputation} from "../../src/market/AgentReputation.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {SettledReputation} from "../../src/market/SettledReputation.sol";
import {JobStage} from "./JobStage.sol";

/// @title Feedback that counts because a job was paid
contract SettledReputationTest is JobStage {
    AgentIdentity private _identity;
    AgentReputation private _reputation;
    SettledReputation private _settled;
    uint256 private _agent;

    function setUp() public override {
        super.setUp();
        _identity = newIdentity();
        _reputation = newReputation(_identity);
        _settled = SettledReputation(
            vm.deployCode("SettledReputation.sol:SettledReputation", abi.encode(_reputation, escrow))
        );
        vm.prank(PROVIDER);
        _agent = _identity.register();
    }

    function _gives(address who, uint256 agent, int128 value, bytes32 digest) private returns (uint64) {
        bytes memory data = abi.encodeCall(
            AgentReputation.giveFeedback, (agent, value, 0, "quality", "", "", "", digest)
        );
        does(who, address(_reputation), data);
        return _reputation.getLastIndex(agent, who);
    }

    function _digest(uint256 jobId) private view returns (bytes32) {
        return keccak256(abi.encode(address(escrow), jobId));
    }

    function _count(uint256 agent, address client, uint64 index, uint256 jobId) private pure returns (bytes memory) {
        return abi.encodeCall(SettledReputation.count, (agent, client, index, jobId));
    }

    function _refusesCount(uint64 index, uint256 jobId, bytes memory reason) private {
        refuses(BOB, address(_settled), _count(_agent, CLIENT, index, jobId), reason);
        assertTrue(!_settled.isSettled(_agent, CLIENT, index), "counts");
    }

    /// @notice Anyone has feedback of a settled job's client on the job's provider counted.
    function test_count() public {
        uint256 jobId = completed(false);
        assertEq(_settled.digestOf(jobId), _digest(jobId), "digest");
        uint64 index = _gives(CLIENT, _agent, 80, _digest(jobId));
        assertTrue(!_settled.isSettled(_agent, CLIENT, index), "not yet");
        vm.expectEmit(address(_settled));
        emit SettledReputation.Counted(jobId, _agent, CLIENT, index);
        does(BOB, address(_settled), _count(_agent, CLIENT, index, jobId));
        assertTrue(_settled.isSettled(_agent, CLIENT, index), "counts");
        assertEq(_settled.jobOf(_agent, CLIENT, index), jobId, "job");
    }

    /// @notice A job counts when it is settled, not when the verdict is given; and not if it is lost in a dispute.
    function test_onlySettled() public {
        uint256 jobId = completed(true);
        uint64 index = _gives(CLIENT, _agent, 80, _digest(jobId));
        bytes memory reason = abi.encodeWithSelector(SettledReputation.NotSettled.selector, jobId);
        _refusesCount(index, jobId, reason);
        uint256 state = more.snapshotState();
        disputed(jobId, CLIENT);
        _refusesCount(index, jobId, reason);
        does(ARBITER, address(escrow), resolve(jobId, 0));
        _refusesCount(index, jobId, reason);
        more.revertToState(state);
        does(CLIENT, address(escrow), settle(jobId));
        does(BOB, address(_settled), _count(_agent, CLIENT, index, jobId));
    }

    /// @notice Jobs that are rejected or expire count for nothing.
    function test_failedJobs() public {
        uint256 jobId = rejected(false);
        uint64 index = _gives(CLIENT, _agent, 0, _digest(jobId));
        _refusesCount(index, jobId, abi.encodeWithSelector(SettledReputation.NotSettled.selector, jobId));
        jobId = ignored(false);
        index = _gives(CLIENT, _agent, 0, _digest(jobId));
        _refusesCount(index, jobId, abi.encodeWithSelector(SettledReputation.NotSettled.selector, jobId));
    }

    /// @notice The digest must name this job of this escrow.
    function test_wrongDigest() public {
        uint256 jobId = completed(false);
        bytes32[3] memory digests = [bytes32(0), _digest(jobId + 1), keccak256(abi.encode(BOB, jobId))];
        for (uint256 i; i < 3; ++i) {
            uint64 index = _gives(CLIENT, _agent, 80, digests[i]);
            bytes memory reason =
                abi.encodeWithSelector(SettledReputation.WrongDigest.selector, digests[i], _digest(jobId));
            _refusesCount(index, jobId, reason);
        }
    }

    /// @notice Another's feedback does not count with a job that is not its own, though its digest names it.
    function test_notTheClient() public {
        uint256 jobId = completed(false);
        uint64 index = _gives(BOB, _agent, 0, _digest(jobId));
        refuses(
            BOB,
            address(_settled),
            _count(_agent, BOB, index, jobId),
            abi.encodeWithSelector(SettledReputation.NotTheClient.selector, BOB, CLIENT)
        );
    }

    /// @notice An agent counts with the jobs of its wallet and of its owner, and of nobody else.
    function test_notTheProvider() public {
        uint256 jobId = completed(false);
        vm.prank(ALICE);
        uint256 other = _identity.register();
        uint64 index = _gives(CLIENT, other, 80, _digest(jobId));
        refuses(
            BOB,
            address(_settled),
            _count(other, CLIENT, index, jobId),
            abi.encodeWithSelector(SettledReputation.NotTheProvider.selector, other, PROVIDER)
        );
        // An agent without a wallet is still its owner's.
        vm.prank(PROVIDER);
        _identity.unsetAgentWallet(_agent);
        index = _gives(CLIENT, _agent, 80, _digest(jobId));
        does(BOB, address(_settled), _count(_agent, CLIENT, index, jobId));
    }

    /// @notice An agent counts with the jobs of its wallet when that is not its owner.
    function test_walletIsProvider() public {
        uint256 jobId = completed(false);
        vm.prank(PROVIDER);
        _identity.transferFrom(PROVIDER, ALICE, _agent);
        uint64 index = _gives(CLIENT, _agent, 80, _digest(jobId));
        bytes memory reason = abi.encodeWithSelector(SettledReputation.NotTheProvider.selector, _agent, PROVIDER);
        _refusesCount(index, jobId, reason);

        uint256 key = 0xA11CE;
        address wallet = vm.createWallet(key).addr;
        vm.prank(CLIENT);
        jobId = escrow.createJob(wallet, EVALUATOR, EXPIRY, "", address(0));
        does(CLIENT, address(escrow), setBudget(jobId, BUDGET));
        does(CLIENT, address(escrow), fund(jobId, BUDGET));
        does(wallet, address(escrow), submit(jobId));
        does(EVALUATOR, address(escrow), complete(jobId));
        bytes32 structType =
            keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(structType, _agent, wallet, ALICE, START));
        (, string memory name, string memory version, uint256 chain, address where,,) = _identity.eip712Domain();
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain =
            keccak256(abi.encode(domainType, keccak256(bytes(name)), keccak256(bytes(version)), chain, where));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        vm.prank(ALICE);
        _identity.setAgentWallet(_agent, wallet, START, abi.encodePacked(r, s, v));
        index = _gives(CLIENT, _agent, 80, _digest(jobId));
        does(BOB, address(_settled), _count(_agent, CLIENT, index, jobId));
        assertTrue(_settled.isSettled(_agent, CLIENT, index), "counts");
    }

    /// @notice A job counts once: neither for more feedback on the agent, nor for another agent of the same provider.
    function test_once() public {
        uint256 jobId = completed(false);
        uint64 first = _gives(CLIENT, _agent, 80, _digest(jobId));
        uint64 second = _gives(CLIENT, _agent, 90, _digest(jobId));
        vm.prank(PROVIDER);
        uint256 twin = _identity.register();
        uint64 third = _gives(CLIENT, twin, 100, _digest(jobId));
        does(BOB, address(_settled), _count(_agent, CLIENT, first, jobId));
        bytes memory reason = abi.encodeWithSelector(SettledReputation.JobCounted.selector, jobId, _agent, first);
        _refusesCount(second, jobId, reason);
        refuses(BOB, address(_settled), _count(twin, CLIENT, third, jobId), reason);
        refuses(BOB, address(_settled), _count(_agent, CLIENT, first, jobId), reason);
    }

    /// @notice Revoked feedback does not count; its job may then count for other feedback, and does so once.
    function test_revoked() public {
        uint256 jobId = completed(false);
        uint64 first = _gives(CLIENT, _agent, 80, _digest(jobId));
        uint64 second = _gives(CLIENT, _agent, 30, _digest(jobId));
        does(BOB, address(_settled), _count(_agent, CLIENT, first, jobId));
        does(CLIENT, address(_reputation), abi.encodeCall(AgentReputation.revokeFeedback, (_agent, first)));
        assertTrue(!_settled.isSettled(_agent, CLIENT, first), "revoked");
        does(BOB, address(_settled), _count(_agent, CLIENT, second, jobId));
        assertTrue(!_settled.isSettled(_agent, CLIENT, first), "still revoked");
        assertTrue(_settled.isSettled(_agent, CLIENT, second), "counts");
        bytes memory reason =
            abi.encodeWithSelector(SettledReputation.FeedbackIsRevoked.selector, _agent, CLIENT, first);
        refuses(BOB, address(_settled), _count(_agent, CLIENT, first, jobId), reason);
        _assertSummary("", 1, 30);
    }

    /// @notice A summary averages what counts, and nothing else; by tags like the reputation registry.
    function test_summary() public {
        _gives(CLIENT, _agent, 1_000, 0);
        uint256 jobId = completed(false);
        uint64 index = _gives(CLIENT, _agent, 80, _digest(jobId));
        _assertSummary("", 0, 0);
        does(BOB, address(_settled), _count(_agent, CLIENT, index, jobId));
        jobId = completed(false);
        index = _gives(CLIENT, _agent, 50, _digest(jobId));
        does(BOB, address(_settled), _count(_agent, CLIENT, index, jobId));
        _assertSummary("", 2, 65);
        _assertSummary("quality", 2, 65);
        _assertSummary("speed", 0, 0);
        refuses(
            BOB,
            address(_settled),
            abi.encodeCall(SettledReputation.getSummary, (_agent, new address[](0), "", "")),
            abi.encodeWithSelector(SettledReputation.NoClients.selector)
        );
    }

    function _assertSummary(string memory tag1, uint64 count, int128 value) private view {
        address[] memory whose = new address[](2);
        (whose[0], whose[1]) = (CLIENT, BOB);
        (uint64 counted, int128 average,) = _settled.getSummary(_agent, whose, tag1, "");
        assertEq(counted, count, "count");
        assertEq(average, value, "average");
    }
}
