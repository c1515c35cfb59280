// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAgentIdentity} from "./IAgentIdentity.sol";
import {MAX_DECIMALS, Tally, Tallying} from "./Tally.sol";

/// @title The agents' reputation registry (ERC-8004)
/// @notice Anyone but an agent's owner, and who acts for it, may give feedback. It proves nothing by itself: who reads it
/// names the clients to trust, or asks `SettledReputation` for feedback on work that was paid.
/// @dev A client's feedback on an agent is numbered from 1. The standard keeps its hash in the event only; here it is kept
/// as well, so that other contracts can tell what the feedback is about.
contract AgentReputation {
    using Tallying for Tally;

    /// @notice A value has at most 18 decimals.
    error TooManyDecimals(uint8 decimals);
    /// @notice A value is between -10^38 and 10^38.
    error ValueTooLarge(int128 value);
    /// @notice The caller owns the agent or acts for its owner.
    error OwnAgent(address caller, uint256 agentId);
    /// @notice No such feedback.
    error NoFeedback(uint256 agentId, address client, uint64 index);
    /// @notice The client has revoked it before.
    error AlreadyRevoked(uint256 agentId, address client, uint64 index);
    /// @notice A response says where it is.
    error NoResponse();
    /// @notice A summary is of clients that its reader names.
    error NoClients();

    /// @notice Feedback was given.
    event NewFeedback(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        int128 value,
        uint8 valueDecimals,
        string indexed indexedTag1,
        string tag1,
        string tag2,
        string endpoint,
        string feedbackURI,
        bytes32 feedbackHash
    );

    /// @notice A client revoked feedback.
    event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, uint64 indexed feedbackIndex);

    /// @notice Somebody responded to feedback.
    event ResponseAppended(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        address indexed responder,
        string responseURI,
        bytes32 responseHash
    );

    /// @dev Feedback, as far as it is kept.
    struct Feedback {
        int128 value;
        uint8 valueDecimals;
        bool isRevoked;
        bytes32 hash;
        string tag1;
        string tag2;
    }

    /// @dev What a reader wants: empty tags for any.
    struct Filter {
        bytes32 tag1;
        bytes32 tag2;
        bool includeRevoked;
    }

    /// @dev Who responded to feedback, and how often.
    struct Responses {
        address[] responders;
        mapping(address responder => uint64) count;
    }

    /// @dev What does not count as a tag to filter by.
    bytes32 private constant ANY = keccak256("");

    int128 private constant MAX_VALUE = 1e38;

    IAgentIdentity private immutable _identity;

    mapping(uint256 agentId => address[]) private _clients;
    mapping(uint256 agentId => mapping(address client => Feedback[])) private _feedback;
    mapping(uint256 agentId => mapping(address client => mapping(uint64 index => Responses))) private _responses;

    /// @param identity the registry of the agents
    constructor(IAgentIdentity identity) {
        _identity = identity;
    }

    /// @notice Gives feedback on an agent; anyone but its owner and who acts for it.
    /// @param agentId which agent
    /// @param value how good, in whatever scale the tags name
    /// @param valueDecimals how many of the value's digits are decimals
    /// @param tag1 what it is about; may be empty
    /// @param tag2 what else; may be empty
    /// @param endpoint which of the agent's endpoints; may be empty, only told
    /// @param feedbackURI where more is said; may be empty, only told
    /// @param feedbackHash digest of what is said there, or of the job it is about (`SettledReputation`); may be 0
    function giveFeedback(
        uint256 agentId,
        int128 value,
        uint8 valueDecimals,
        string calldata tag1,
        string calldata tag2,
        string calldata endpoint,
        string calldata feedbackURI,
        bytes32 feedbackHash
    ) external {
        if (valueDecimals > MAX_DECIMALS) revert TooManyDecimals(valueDecimals);
        if (value > MAX_VALUE || value < -MAX_VALUE) revert ValueTooLarge(value);
        if (_identity.isAuthorizedOrOwner(msg.sender, agentId)) revert OwnAgent(msg.sender, agentId);
        Feedback[] storage given = _feedback[agentId][msg.sender];
        if (given.length == 0) _clients[agentId].push(msg.sender);
        given.push(Feedback(value, valueDecimals, false, feedbackHash, tag1, tag2));
        emit NewFeedback(
            agentId,
            msg.sender,
            uint64(given.length),
            value,
            valueDecimals,
            tag1,
            tag1,
            tag2,
            endpoint,
            feedbackURI,
            feedbackHash
        );
    }

    /// @notice Revokes the caller's own feedback, for ever.
    /// @param agentId which agent
    /// @param feedbackIndex which of the caller's feedback on it
    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external {
        Feedback storage given = _given(agentId, msg.sender, feedbackIndex);
        if (given.isRevoked) revert AlreadyRevoked(agentId, msg.sender, feedbackIndex);
        given.isRevoked = true;
        emit FeedbackRevoked(agentId, msg.sender, feedbackIndex);
    }

    /// @notice Responds to feedback; anyone.
    /// @param agentId which agent
    /// @param clientAddress whose feedback
    /// @param feedbackIndex which of it
    /// @param responseURI where the response is
    /// @param responseHash digest of the response; may be 0
    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    ) external {
        if (bytes(responseURI).length == 0) revert NoResponse();
        _given(agentId, clientAddress, feedbackIndex);
        Responses storage responses = _responses[agentId][clientAddress][feedbackIndex];
        if (++responses.count[msg.sender] == 1) responses.responders.push(msg.sender);
        emit ResponseAppended(agentId, clientAddress, feedbackIndex, msg.sender, responseURI, responseHash);
    }

    /// @notice The average of feedback that was not revoked. It has as many decimals as most of the values.
    /// @param agentId which agent
    /// @param clientAddresses whose feedback; at least one, as anyone can give feedback under any number of addresses
    /// @param tag1 only with this first tag; empty for any
    /// @param tag2 only with this second tag; empty for any
    /// @return count of how many values
    /// @return summaryValue the average, rounded towards zero
    /// @return summaryValueDecimals how many of its digits are decimals
    function getSummary(
        uint256 agentId,
        address[] calldata clientAddresses,
        string calldata tag1,
        string calldata tag2
    ) external view returns (uint64 count, int128 summaryValue, uint8 summaryValueDecimals) {
        if (clientAddresses.length == 0) revert NoClients();
        Filter memory filter = _filter(tag1, tag2, false);
        Tally memory tally;
        for (uint256 i; i < clientAddresses.length; ++i) {
            Feedback[] storage given = _feedback[agentId][clientAddresses[i]];
            for (uint256 j; j < given.length; ++j) {
                if (_passes(given[j], filter)) tally.add(given[j].value, given[j].valueDecimals);
            }
        }
        count = tally.count;
        (summaryValue, summaryValueDecimals) = tally.average();
    }

    /// @notice One piece of feedback.
    /// @param agentId which agent
    /// @param clientAddress whose feedback
    /// @param feedbackIndex which of it, from 1
    /// @return value how good
    /// @return valueDecimals how many of the value's digits are decimals
    /// @return tag1 what it is about
    /// @return tag2 what else
    /// @return isRevoked whether the client has revoked it
    function readFeedback(uint256 agentId, address clientAddress, uint64 feedbackIndex)
        external
        view
        returns (int128 value, uint8 valueDecimals, string memory tag1, string memory tag2, bool isRevoked)
    {
        Feedback storage given = _given(agentId, clientAddress, feedbackIndex);
        return (given.value, given.valueDecimals, given.tag1, given.tag2, given.isRevoked);
    }

    /// @notice The digest that came with feedback.
    /// @param agentId which agent
    /// @param clientAddress whose feedback
    /// @param feedbackIndex which of it, from 1
    /// @return the digest
    function getFeedbackHash(uint256 agentId, address clientAddress, uint64 feedbackIndex)
        external
        view
        returns (bytes32)
    {
        return _given(agentId, clientAddress, feedbackIndex).hash;
    }

    /// @notice All feedback on an agent that passes. Grows without bound: not for other contracts.
    /// @param agentId which agent
    /// @param clientAddresses whose feedback; empty for everybody's
    /// @param tag1 only with this first tag; empty for any
    /// @param tag2 only with this second tag; empty for any
    /// @param includeRevoked whether also revoked feedback
    /// @return clients whose, for each
    /// @return feedbackIndexes its number
    /// @return values how good
    /// @return valueDecimals how many of the value's digits are decimals
    /// @return tag1s what it is about
    /// @return tag2s what else
    /// @return revokedStatuses whether it was revoked
    function readAllFeedback(
        uint256 agentId,
        address[] calldata clientAddresses,
        string calldata tag1,
        string calldata tag2,
        bool includeRevoked
    )
        external
        view
        returns (
            address[] memory clients,
            uint64[] memory feedbackIndexes,
            int128[] memory values,
            uint8[] memory valueDecimals,
            string[] memory tag1s,
            string[] memory tag2s,
            bool[] memory revokedStatuses
        )
    {
        address[] memory whose = clientAddresses;
        if (whose.length == 0) whose = _clients[agentId];
        Filter memory filter = _filter(tag1, tag2, includeRevoked);
        uint256 count = _countPassing(agentId, whose, filter);
        (clients, feedbackIndexes, values) = (new address[](count), new uint64[](count), new int128[](count));
        (valueDecimals, tag1s, tag2s) = (new uint8[](count), new string[](count), new string[](count));
        revokedStatuses = new bool[](count);
        uint256 next;
        for (uint256 i; i < whose.length; ++i) {
            Feedback[] storage given = _feedback[agentId][whose[i]];
            for (uint256 j; j < given.length; ++j) {
                if (!_passes(given[j], filter)) continue;
                (clients[next], feedbackIndexes[next], values[next]) = (whose[i], uint64(j + 1), given[j].value);
                (valueDecimals[next], tag1s[next], tag2s[next]) = (given[j].valueDecimals, given[j].tag1, given[j].tag2);
                revokedStatuses[next] = given[j].isRevoked;
                ++next;
            }
        }
    }

    /// @notice How many responses there are.
    /// @param agentId which agent
    /// @param clientAddress to whose feedback; 0 for everybody's
    /// @param feedbackIndex to which of it; 0 for all
    /// @param responders by whom; empty for anybody
    /// @return count how many
    function getResponseCount(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        address[] calldata responders
    ) external view returns (uint64 count) {
        if (clientAddress != address(0)) return _countOf(agentId, clientAddress, feedbackIndex, responders);
        address[] storage clients = _clients[agentId];
        for (uint256 i; i < clients.length; ++i) {
            count += _countOf(agentId, clients[i], 0, responders);
        }
    }

    /// @notice Everybody who has given feedback on an agent, in the order of their first.
    /// @param agentId which agent
    /// @return the clients
    function getClients(uint256 agentId) external view returns (address[] memory) {
        return _clients[agentId];
    }

    /// @notice How much feedback a client has given on an agent; the last one's number.
    /// @param agentId which agent
    /// @param clientAddress whose feedback
    /// @return the number; 0 for none
    function getLastIndex(uint256 agentId, address clientAddress) external view returns (uint64) {
        return uint64(_feedback[agentId][clientAddress].length);
    }

    /// @notice The registry of the agents.
    /// @return its address
    function getIdentityRegistry() external view returns (address) {
        return address(_identity);
    }

    function _given(uint256 agentId, address client, uint64 index) private view returns (Feedback storage) {
        Feedback[] storage given = _feedback[agentId][client];
        if (index == 0 || index > given.length) revert NoFeedback(agentId, client, index);
        return given[index - 1];
    }

    function _filter(string calldata tag1, string calldata tag2, bool includeRevoked)
        private
        pure
        returns (Filter memory)
    {
        return Filter(keccak256(bytes(tag1)), keccak256(bytes(tag2)), includeRevoked);
    }

    function _passes(Feedback storage given, Filter memory filter) private view returns (bool) {
        if (given.isRevoked && !filter.includeRevoked) return false;
        if (filter.tag1 != ANY && filter.tag1 != keccak256(bytes(given.tag1))) return false;
        return filter.tag2 == ANY || filter.tag2 == keccak256(bytes(given.tag2));
    }

    function _countPassing(uint256 agentId, address[] memory whose, Filter memory filter)
        private
        view
        returns (uint256 count)
    {
        for (uint256 i; i < whose.length; ++i) {
            Feedback[] storage given = _feedback[agentId][whose[i]];
            for (uint256 j; j < given.length; ++j) {
                if (_passes(given[j], filter)) ++count;
            }
        }
    }

    function _countOf(uint256 agentId, address client, uint64 index, address[] calldata responders)
        private
        view
        returns (uint64 count)
    {
        if (index != 0) return _countBy(_responses[agentId][client][index], responders);
        uint256 last = _feedback[agentId][client].length;
        for (uint64 i = 1; i <= last; ++i) {
            count += _countBy(_responses[agentId][client][i], responders);
        }
    }

    function _countBy(Responses storage responses, address[] calldata responders) private view returns (uint64 count) {
        address[] memory whose = responders;
        if (whose.length == 0) whose = responses.responders;
        for (uint256 i; i < whose.length; ++i) {
            count += responses.count[whose[i]];
        }
    }
}
