// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AgentReputation} from "./AgentReputation.sol";
import {IAgentIdentity} from "./IAgentIdentity.sol";
import {Job} from "./Job.sol";
import {JobEscrow} from "./JobEscrow.sol";
import {Tally, Tallying} from "./Tally.sol";

/// @title Feedback on work that was paid
/// @notice Counts feedback only if its digest names a job of the escrow that is completed and settled, whose client gave it,
/// and whose provider is the agent's wallet or owner; and each job once. Anyone may have feedback counted.
/// @dev It is worth what a job costs: who pays itself under two names can buy feedback for the gas. So a reader still names
/// the clients to trust, and `jobOf` leads to what was paid. That an agent failed does not show here: a job that was
/// rejected or expired was not paid for.
contract SettledReputation {
    using Tallying for Tally;

    /// @notice The feedback was revoked.
    error FeedbackIsRevoked(uint256 agentId, address client, uint64 index);
    /// @notice The feedback's digest names something else than this job.
    error WrongDigest(bytes32 digest, bytes32 expected);
    /// @notice The job is not completed, or not settled.
    error NotSettled(uint256 jobId);
    /// @notice Another client's job.
    error NotTheClient(address client, address jobClient);
    /// @notice Another provider's job.
    error NotTheProvider(uint256 agentId, address provider);
    /// @notice The job counts for other feedback, which was not revoked.
    error JobCounted(uint256 jobId, uint256 agentId, uint64 index);
    /// @notice A summary is of clients that its reader names.
    error NoClients();

    /// @notice Feedback was found to be about a settled job.
    event Counted(uint256 indexed jobId, uint256 indexed agentId, address indexed client, uint64 index);

    /// @dev For which feedback a job counts; its client is the job's.
    struct Place {
        uint256 agentId;
        uint64 index;
    }

    /// @notice Where feedback is given.
    AgentReputation public immutable reputation;
    /// @notice Where jobs are paid.
    JobEscrow public immutable escrow;

    IAgentIdentity private immutable _identity;

    mapping(uint256 jobId => Place) private _places;

    /// @notice The job that feedback counts for; 0 for none. It is not asked here whether it was revoked.
    mapping(uint256 agentId => mapping(address client => mapping(uint64 index => uint256))) public jobOf;

    /// @param reputation_ where feedback is given
    /// @param escrow_ where jobs are paid
    constructor(AgentReputation reputation_, JobEscrow escrow_) {
        (reputation, escrow) = (reputation_, escrow_);
        _identity = IAgentIdentity(reputation_.getIdentityRegistry());
    }

    /// @notice Has feedback counted; anyone. If the client has revoked the feedback for which the job counted, it counts for
    /// this.
    /// @param agentId which agent
    /// @param client whose feedback
    /// @param index which of it
    /// @param jobId the job that its digest names
    function count(uint256 agentId, address client, uint64 index, uint256 jobId) external {
        if (_isRevoked(agentId, client, index)) revert FeedbackIsRevoked(agentId, client, index);
        bytes32 digest = reputation.getFeedbackHash(agentId, client, index);
        if (digest != digestOf(jobId)) revert WrongDigest(digest, digestOf(jobId));
        if (!escrow.isSettled(jobId)) revert NotSettled(jobId);
        Job memory job = escrow.getJob(jobId);
        if (client != job.client) revert NotTheClient(client, job.client);
        // The owner too, as an agent that was sold has no wallet at first.
        if (job.provider != _identity.getAgentWallet(agentId) && job.provider != _identity.ownerOf(agentId)) {
            revert NotTheProvider(agentId, job.provider);
        }
        Place memory place = _places[jobId];
        if (place.index != 0 && !_isRevoked(place.agentId, client, place.index)) {
            revert JobCounted(jobId, place.agentId, place.index);
        }
        _places[jobId] = Place(agentId, index);
        jobOf[agentId][client][index] = jobId;
        emit Counted(jobId, agentId, client, index);
    }

    /// @notice Whether feedback was counted and is not revoked.
    /// @param agentId which agent
    /// @param client whose feedback
    /// @param index which of it
    /// @return whether it counts
    function isSettled(uint256 agentId, address client, uint64 index) public view returns (bool) {
        return jobOf[agentId][client][index] != 0 && !_isRevoked(agentId, client, index);
    }

    /// @notice The average of the feedback that counts, as the reputation registry averages.
    /// @param agentId which agent
    /// @param clientAddresses whose feedback; at least one
    /// @param tag1 only with this first tag; empty for any
    /// @param tag2 only with this second tag; empty for any
    /// @return number of how many values
    /// @return summaryValue the average, rounded towards zero
    /// @return summaryValueDecimals how many of its digits are decimals
    function getSummary(
        uint256 agentId,
        address[] calldata clientAddresses,
        string calldata tag1,
        string calldata tag2
    ) external view returns (uint64 number, int128 summaryValue, uint8 summaryValueDecimals) {
        if (clientAddresses.length == 0) revert NoClients();
        Tally memory tally;
        for (uint256 i; i < clientAddresses.length; ++i) {
            uint64 last = reputation.getLastIndex(agentId, clientAddresses[i]);
            for (uint64 index = 1; index <= last; ++index) {
                _add(tally, agentId, clientAddresses[i], index, tag1, tag2);
            }
        }
        number = tally.count;
        (summaryValue, summaryValueDecimals) = tally.average();
    }

    /// @notice The digest with which a job's client gives feedback on it.
    /// @param jobId which job
    /// @return keccak256(abi.encode(escrow, jobId))
    function digestOf(uint256 jobId) public view returns (bytes32) {
        return keccak256(abi.encode(escrow, jobId));
    }

    function _add(
        Tally memory tally,
        uint256 agentId,
        address client,
        uint64 index,
        string calldata tag1,
        string calldata tag2
    ) private view {
        if (jobOf[agentId][client][index] == 0) return;
        (int128 value, uint8 decimals, string memory first, string memory second, bool revoked) =
            reputation.readFeedback(agentId, client, index);
        if (!revoked && _matches(tag1, first) && _matches(tag2, second)) tally.add(value, decimals);
    }

    function _matches(string calldata wanted, string memory tag) private pure returns (bool) {
        return bytes(wanted).length == 0 || keccak256(bytes(wanted)) == keccak256(bytes(tag));
    }

    function _isRevoked(uint256 agentId, address client, uint64 index) private view returns (bool revoked) {
        (,,,, revoked) = reputation.readFeedback(agentId, client, index);
    }
}
