// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {AgentIdentity} from "../../src/market/AgentIdentity.sol";
import {AgentReputation} from "../../src/market/AgentReputation.sol";
import {MarketStage} from "./MarketStage.sol";

/// @title Feedback, responses and averages
contract AgentReputationTest is MarketStage {
    AgentIdentity private _identity;
    AgentReputation private _reputation;
    uint256 private _agent;

    function setUp() public override {
        super.setUp();
        _identity = newIdentity();
        _reputation = newReputation(_identity);
        vm.prank(OWNER);
        _agent = _identity.register();
    }

    function _give(int128 value, uint8 decimals, string memory tag1, string memory tag2)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(
            AgentReputation.giveFeedback, (_agent, value, decimals, tag1, tag2, "https://e", "ipfs://f", WORK)
        );
    }

    function _gives(address who, int128 value, uint8 decimals) private {
        does(who, address(_reputation), _give(value, decimals, "", ""));
    }

    function _refuses(address who, bytes memory data, bytes memory reason) private {
        refuses(who, address(_reputation), data, reason);
    }

    function _only(address who) private pure returns (address[] memory whose) {
        whose = new address[](1);
        whose[0] = who;
    }

    function _both() private pure returns (address[] memory whose) {
        whose = new address[](2);
        (whose[0], whose[1]) = (ALICE, BOB);
    }

    function _assertSummary(address[] memory whose, string memory tag1, string memory tag2, uint64 count, int128 value)
        private
        view
    {
        (uint64 counted, int128 average,) = _reputation.getSummary(_agent, whose, tag1, tag2);
        assertEq(counted, count, "count");
        assertEq(average, value, "average");
    }

    // ---------------------------------------------------------------- giving

    /// @notice Feedback is kept, numbered from 1 for each client, and told with all that came.
    function test_giveFeedback() public {
        assertEq(_reputation.getIdentityRegistry(), address(_identity), "registry");
        vm.expectEmit(address(_reputation));
        emit AgentReputation.NewFeedback(
            _agent, ALICE, 1, -32, 1, "speed", "speed", "eu", "https://e", "ipfs://f", WORK
        );
        does(ALICE, address(_reputation), _give(-32, 1, "speed", "eu"));
        _gives(ALICE, 5, 0);
        _gives(BOB, 6, 0);
        (int128 value, uint8 decimals, string memory tag1, string memory tag2, bool revoked) =
            _reputation.readFeedback(_agent, ALICE, 1);
        assertEq(value, -32, "value");
        assertEq(decimals, 1, "decimals");
        assertEq(bytes(tag1), "speed", "tag 1");
        assertEq(bytes(tag2), "eu", "tag 2");
        assertTrue(!revoked, "revoked");
        assertEq(_reputation.getFeedbackHash(_agent, ALICE, 1), WORK, "digest");
        assertEq(_reputation.getLastIndex(_agent, ALICE), 2, "Alice's");
        assertEq(_reputation.getLastIndex(_agent, BOB), 1, "Bob's");
        assertEq(_reputation.getLastIndex(_agent, OWNER), 0, "nobody's");
        assertEq(keccak256(abi.encode(_reputation.getClients(_agent))), keccak256(abi.encode(_both())), "clients");
    }

    /// @notice Neither the owner, nor its operator, nor whom it approved rates an agent; nor does anyone rate none.
    function test_ownAgent() public {
        address[3] memory own = [OWNER, ALICE, BOB];
        vm.prank(OWNER);
        _identity.setApprovalForAll(ALICE, true);
        vm.prank(OWNER);
        _identity.approve(BOB, _agent);
        for (uint256 i; i < 3; ++i) {
            bytes memory reason = abi.encodeWithSelector(AgentReputation.OwnAgent.selector, own[i], _agent);
            _refuses(own[i], _give(1, 0, "", ""), reason);
        }
        _agent = 2;
        bytes memory missing = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 2);
        _refuses(CLIENT, _give(1, 0, "", ""), missing);
    }

    /// @notice A value has at most 18 decimals and is between -10^38 and 10^38, both included.
    function test_valueBounds() public {
        _refuses(ALICE, _give(1, 19, "", ""), abi.encodeWithSelector(AgentReputation.TooManyDecimals.selector, 19));
        int128[2] memory outside = [int128(1e38 + 1), -1e38 - 1];
        for (uint256 i; i < 2; ++i) {
            bytes memory reason = abi.encodeWithSelector(AgentReputation.ValueTooLarge.selector, outside[i]);
            _refuses(ALICE, _give(outside[i], 0, "", ""), reason);
        }
        _gives(ALICE, 1e38, 18);
        _gives(ALICE, -1e38, 0);
    }

    /// @notice The client revokes its own feedback, once; it stays readable and no longer counts.
    function test_revoke() public {
        _gives(ALICE, 10, 0);
        _gives(ALICE, 20, 0);
        bytes memory data = abi.encodeCall(AgentReputation.revokeFeedback, (_agent, 1));
        _refuses(BOB, data, _none(BOB, 1));
        _refuses(ALICE, abi.encodeCall(AgentReputation.revokeFeedback, (_agent, 0)), _none(ALICE, 0));
        _refuses(ALICE, abi.encodeCall(AgentReputation.revokeFeedback, (_agent, 3)), _none(ALICE, 3));
        vm.expectEmit(address(_reputation));
        emit AgentReputation.FeedbackRevoked(_agent, ALICE, 1);
        does(ALICE, address(_reputation), data);
        (int128 value,,,, bool revoked) = _reputation.readFeedback(_agent, ALICE, 1);
        assertTrue(revoked && value == 10, "readable");
        _assertSummary(_only(ALICE), "", "", 1, 20);
        _refuses(
            ALICE, data, abi.encodeWithSelector(AgentReputation.AlreadyRevoked.selector, _agent, ALICE, 1)
        );
        _refuses(BOB, abi.encodeCall(AgentReputation.readFeedback, (_agent, ALICE, 3)), _none(ALICE, 3));
        _refuses(BOB, abi.encodeCall(AgentReputation.getFeedbackHash, (_agent, ALICE, 0)), _none(ALICE, 0));
    }

    function _none(address client, uint64 index) private view returns (bytes memory) {
        return abi.encodeWithSelector(AgentReputation.NoFeedback.selector, _agent, client, index);
    }

    // ---------------------------------------------------------------- responses

    /// @notice Anyone responds, also the owner and also again; responses are counted by feedback and by who responded.
    function test_responses() public {
        _gives(ALICE, 1, 0);
        _gives(ALICE, 2, 0);
        _gives(BOB, 3, 0);
        bytes memory data = abi.encodeCall(AgentReputation.appendResponse, (_agent, ALICE, 1, "ipfs://r", WORK));
        vm.expectEmit(address(_reputation));
        emit AgentReputation.ResponseAppended(_agent, ALICE, 1, OWNER, "ipfs://r", WORK);
        does(OWNER, address(_reputation), data);
        does(OWNER, address(_reputation), data);
        does(BOB, address(_reputation), data);
        does(OWNER, address(_reputation), _respond(ALICE, 2));
        does(OWNER, address(_reputation), _respond(BOB, 1));
        address[] memory any;
        assertEq(_reputation.getResponseCount(_agent, ALICE, 1, any), 3, "to one");
        assertEq(_reputation.getResponseCount(_agent, ALICE, 1, _only(OWNER)), 2, "by the owner");
        assertEq(_reputation.getResponseCount(_agent, ALICE, 0, any), 4, "to Alice");
        assertEq(_reputation.getResponseCount(_agent, address(0), 0, any), 5, "to all");
        assertEq(_reputation.getResponseCount(_agent, address(0), 0, _only(BOB)), 1, "by Bob");
        bytes memory empty = abi.encodeCall(AgentReputation.appendResponse, (_agent, ALICE, 1, "", WORK));
        _refuses(BOB, empty, abi.encodeWithSelector(AgentReputation.NoResponse.selector));
        _refuses(BOB, _respond(ALICE, 3), _none(ALICE, 3));
        _refuses(BOB, _respond(ALICE, 0), _none(ALICE, 0));
    }

    function _respond(address client, uint64 index) private view returns (bytes memory) {
        return abi.encodeCall(AgentReputation.appendResponse, (_agent, client, index, "ipfs://r", 0));
    }

    // ---------------------------------------------------------------- averages

    /// @notice A summary is of the clients named, at least one, and of the tags named.
    function test_summaryFilters() public {
        does(ALICE, address(_reputation), _give(10, 0, "a", "x"));
        does(ALICE, address(_reputation), _give(20, 0, "b", "x"));
        does(BOB, address(_reputation), _give(60, 0, "a", "y"));
        _assertSummary(_only(ALICE), "", "", 2, 15);
        _assertSummary(_both(), "", "", 3, 30);
        _assertSummary(_both(), "a", "", 2, 35);
        _assertSummary(_both(), "", "x", 2, 15);
        _assertSummary(_both(), "b", "x", 1, 20);
        _assertSummary(_both(), "b", "y", 0, 0);
        _assertSummary(_only(CLIENT), "", "", 0, 0);
        bytes memory none = abi.encodeCall(AgentReputation.getSummary, (_agent, new address[](0), "", ""));
        _refuses(BOB, none, abi.encodeWithSelector(AgentReputation.NoClients.selector));
    }

    /// @notice An average has as many decimals as most values, of equally many the fewest, and is rounded towards zero.
    function test_summaryDecimals() public {
        _gives(ALICE, 95, 1);
        _assertSummaryWith(95, 1);
        _gives(ALICE, 9, 0);
        // (9.5 + 9) / 2 = 9.25, without decimals.
        _assertSummaryWith(9, 0);
        _gives(ALICE, 90, 1);
        // (9.5 + 9 + 9) / 3 = 9.166..., with one.
        _assertSummaryWith(91, 1);
        _gives(BOB, -7, 0);
        _gives(BOB, -8, 0);
        (, int128 value, uint8 decimals) = _reputation.getSummary(_agent, _only(BOB), "", "");
        assertEq(value, -7, "towards zero");
        assertEq(decimals, 0, "decimals");
    }

    function _assertSummaryWith(int128 value, uint8 decimals) private view {
        (, int128 average, uint8 with_) = _reputation.getSummary(_agent, _only(ALICE), "", "");
        assertEq(average, value, "average");
        assertEq(with_, decimals, "decimals");
    }

    /// @notice One huge value among fine ones takes decimals away, not the sense.
    function test_summaryTooLarge() public {
        _gives(ALICE, 1e18, 18);
        _gives(ALICE, 1e18, 18);
        _gives(ALICE, 1e38, 0);
        (uint64 count, int128 value, uint8 decimals) = _reputation.getSummary(_agent, _only(ALICE), "", "");
        assertEq(count, 3, "count");
        // (10^38 + 2) / 3 is 3.3 * 10^37, and an int128 ends at 1.7 * 10^38.
        assertEq(decimals, 0, "decimals");
        assertEq(value, int128(33333333333333333333333333333333333334), "average");
    }

    /// @notice All feedback is read by clients and tags, with or without what was revoked.
    function test_readAll() public {
        does(ALICE, address(_reputation), _give(10, 1, "a", "x"));
        does(ALICE, address(_reputation), _give(20, 2, "b", "y"));
        does(BOB, address(_reputation), _give(30, 3, "b", "z"));
        does(ALICE, address(_reputation), abi.encodeCall(AgentReputation.revokeFeedback, (_agent, 1)));
        _assertAll(new address[](0), "", true, 3);
        _assertAll(new address[](0), "", false, 2);
        _assertAll(_only(BOB), "", true, 1);
        _assertAll(_only(ALICE), "b", true, 1);
        (
            address[] memory clients,
            uint64[] memory indexes,
            int128[] memory values,
            uint8[] memory decimals,
            string[] memory tag1s,
            string[] memory tag2s,
            bool[] memory revoked
        ) = _reputation.readAllFeedback(_agent, _both(), "", "", true);
        assertTrue(clients[0] == ALICE && clients[1] == ALICE && clients[2] == BOB, "clients");
        assertTrue(indexes[0] == 1 && indexes[1] == 2 && indexes[2] == 1, "indexes");
        assertTrue(values[0] == 10 && values[1] == 20 && values[2] == 30, "values");
        assertTrue(decimals[0] == 1 && decimals[1] == 2 && decimals[2] == 3, "decimals");
        assertEq(bytes(string.concat(tag1s[0], tag1s[1], tag1s[2])), "abb", "tags 1");
        assertEq(bytes(string.concat(tag2s[0], tag2s[1], tag2s[2])), "xyz", "tags 2");
        assertTrue(revoked[0] && !revoked[1] && !revoked[2], "revoked");
    }

    function _assertAll(address[] memory whose, string memory tag1, bool includeRevoked, uint256 count) private view {
        (address[] memory clients,,,,,,) = _reputation.readAllFeedback(_agent, whose, tag1, "", includeRevoked);
        assertEq(clients.length, count, "count");
    }
}
