// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AgentIdentity} from "../../src/market/AgentIdentity.sol";
import {AgentReputation} from "../../src/market/AgentReputation.sol";
import {Campaign, Handler} from "./Handler.sol";

/// @title Clients who rate agents, and a plain list of what they said
contract ReputationHandler is Handler {
    AgentIdentity public immutable identity;
    AgentReputation public immutable reputation;

    struct Entry {
        uint256 agentId;
        address client;
        uint64 index;
        int128 value;
        uint8 decimals;
        string tag1;
        string tag2;
        bool revoked;
    }

    Entry[] private _entries;
    address[4] public clients = [address(0x4001), address(0x4002), address(0x4003), address(0x4004)];
    string[3] private _tags = ["", "a", "b"];

    constructor(AgentIdentity identity_, AgentReputation reputation_) {
        (identity, reputation) = (identity_, reputation_);
        for (uint256 i; i < 2; ++i) {
            vm.prank(address(0x137));
            identity.register();
        }
    }

    function give(uint256 seed) external action(seed) {
        (uint256 agentId, address client) = (1 + pick(2), clients[pick(4)]);
        bool plain = chance(80);
        int256 most = plain ? int256(1_000) : int256(1e38);
        int128 value = int128(int256(pick(uint256(2 * most + 1))) - most);
        uint8 decimals = uint8(pick(chance(70) ? 3 : 19));
        (string memory tag1, string memory tag2) = (_tags[pick(3)], _tags[pick(3)]);
        bytes memory data = abi.encodeCall(
            AgentReputation.giveFeedback, (agentId, value, decimals, tag1, tag2, "", "", 0)
        );
        bool may = !identity.isAuthorizedOrOwner(client, agentId);
        assertTrue(tries(client, address(reputation), data) == may, "given");
        if (!may) return;
        uint64 index = 1;
        for (uint256 i; i < _entries.length; ++i) {
            if (_entries[i].agentId == agentId && _entries[i].client == client) ++index;
        }
        _entries.push(Entry(agentId, client, index, value, decimals, tag1, tag2, false));
    }

    function revoke(uint256 seed) external action(seed) {
        if (_entries.length == 0) return;
        Entry storage entry = _entries[pick(_entries.length)];
        address by = chance(80) ? entry.client : clients[pick(4)];
        bytes memory data = abi.encodeCall(AgentReputation.revokeFeedback, (entry.agentId, entry.index));
        bool done = tries(by, address(reputation), data);
        if (by == entry.client) {
            assertTrue(done == !entry.revoked, "revoked");
            entry.revoked = true;
            return;
        }
        // Another's feedback of the same number, if there is any: that is the caller's own to revoke.
        for (uint256 i; done && i < _entries.length; ++i) {
            Entry storage other = _entries[i];
            if (other.agentId != entry.agentId || other.client != by || other.index != entry.index) continue;
            assertTrue(!other.revoked, "twice");
            other.revoked = true;
            done = false;
        }
        assertTrue(!done, "nobody's");
    }

    /// @dev A client may become an agent's operator, and stop being it.
    function authorize(uint256 seed) external action(seed) {
        vm.prank(address(0x137));
        identity.setApprovalForAll(clients[pick(4)], chance(30));
    }

    // ---------------------------------------------------------------- the naive recount

    /// @dev The average of the list, as the standard's registries take it.
    function recount(uint256 agentId, uint256 clientMask, string memory tag1, string memory tag2)
        public
        view
        returns (uint64 count, int256 value, uint8 decimals)
    {
        uint256[19] memory frequency;
        int256 sum;
        for (uint256 i; i < _entries.length; ++i) {
            Entry storage entry = _entries[i];
            if (entry.agentId != agentId || entry.revoked || !_in(clientMask, entry.client)) continue;
            if (bytes(tag1).length != 0 && keccak256(bytes(tag1)) != keccak256(bytes(entry.tag1))) continue;
            if (bytes(tag2).length != 0 && keccak256(bytes(tag2)) != keccak256(bytes(entry.tag2))) continue;
            ++count;
            ++frequency[entry.decimals];
            sum += int256(entry.value) * int256(10 ** (18 - entry.decimals));
        }
        if (count == 0) return (0, 0, 0);
        for (uint8 i = 18; i != 0; --i) {
            if (frequency[i - 1] >= frequency[decimals]) decimals = i - 1;
            if (frequency[i] > frequency[decimals]) decimals = i;
        }
        value = sum / int256(uint256(count)) / int256(10 ** (18 - decimals));
        while (value > type(int128).max || value < type(int128).min) {
            --decimals;
            value /= 10;
        }
    }

    function whose(uint256 clientMask) public view returns (address[] memory list) {
        list = new address[](_bits(clientMask));
        uint256 next;
        for (uint256 i; i < 4; ++i) {
            if (clientMask >> i & 1 == 1) list[next++] = clients[i];
        }
    }

    function _in(uint256 clientMask, address client) private view returns (bool) {
        for (uint256 i; i < 4; ++i) {
            if (clients[i] == client) return clientMask >> i & 1 == 1;
        }
        return false;
    }

    function _bits(uint256 mask) private pure returns (uint256 count) {
        for (; mask != 0; mask >>= 1) {
            count += mask & 1;
        }
    }

    function length() external view returns (uint256) {
        return _entries.length;
    }
}

/// @title Reputation under everybody's attempts
contract ReputationInvariantTest is Campaign {
    ReputationHandler private _handler;

    function setUp() public {
        AgentIdentity identity = AgentIdentity(vm.deployCode("AgentIdentity.sol:AgentIdentity", ""));
        AgentReputation reputation =
            AgentReputation(vm.deployCode("AgentReputation.sol:AgentReputation", abi.encode(identity)));
        _handler = new ReputationHandler(identity, reputation);
        bytes4[] memory selectors = new bytes4[](3);
        selectors[0] = ReputationHandler.give.selector;
        selectors[1] = ReputationHandler.revoke.selector;
        selectors[2] = ReputationHandler.authorize.selector;
        aim(address(_handler), selectors);
    }

    /// @notice The actions do what they are for: feedback of each client is given, refused and revoked.
    function test_actionsReach() public {
        for (uint256 i; i < 100; ++i) {
            _handler.give(i);
            _handler.revoke(i);
        }
        assertTrue(_handler.length() > 50, "given");
        (uint64 count,,) = _handler.recount(1, 15, "", "");
        (uint64 other,,) = _handler.recount(2, 15, "", "");
        assertTrue(count + other < _handler.length() - 10, "revoked");
        assertTrue(count > 5 && other > 5, "kept");
    }

    /// @notice A summary is what a recount of a plain list gives, for other clients and tags each time.
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_summaryIsARecount() public view {
        uint256 length = _handler.length();
        uint256 mask = 1 + length % 15;
        string memory tag1 = length % 3 == 0 ? "a" : "";
        string memory tag2 = length % 4 == 0 ? "b" : "";
        uint256 agentId = 1 + length % 2;
        (uint64 count, int256 value, uint8 decimals) = _handler.recount(agentId, mask, tag1, tag2);
        (uint64 counted, int128 average, uint8 with_) =
            _handler.reputation().getSummary(agentId, _handler.whose(mask), tag1, tag2);
        assertEq(counted, count, "count");
        assertEq(uint256(int256(average)), uint256(value), "average");
        assertEq(with_, decimals, "decimals");
    }
}
