// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {AgentIdentity, MetadataEntry} from "../../src/market/AgentIdentity.sol";
import {MarketStage, Wallet} from "./MarketStage.sol";

/// @title Agents, their wallets and what they say of themselves
contract AgentIdentityTest is MarketStage {
    bytes4 private constant REGISTER_ALL = 0x8ea42286;
    bytes4 private constant REGISTER_URI = 0xf2c298be;
    bytes4 private constant REGISTER = 0x1aa3a008;
    bytes4 private constant SET_WALLET = 0x2d1ef5ae;
    uint256 private constant KEY = 0xA11CE;

    AgentIdentity private _identity;
    address private _wallet;

    function setUp() public override {
        super.setUp();
        _identity = newIdentity();
        _wallet = vm.createWallet(KEY).addr;
    }

    function _registers(address who) private returns (uint256) {
        return abi.decode(does(who, address(_identity), abi.encodeWithSelector(REGISTER)), (uint256));
    }

    function _refuses(address who, bytes memory data, bytes memory reason) private {
        refuses(who, address(_identity), data, reason);
    }

    function _missing(uint256 agentId) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, agentId);
    }

    function _assertWallet(uint256 agentId, address wallet, bytes memory told) private view {
        assertEq(_identity.getAgentWallet(agentId), wallet, "wallet");
        assertEq(_identity.getMetadata(agentId, "agentWallet"), told, "as metadata");
    }

    // ---------------------------------------------------------------- registering

    /// @notice An agent is its caller's, paid at its caller's address, with ids from 1, with or without a file.
    function test_register() public {
        vm.expectEmit(address(_identity));
        emit AgentIdentity.Registered(1, "", ALICE);
        vm.expectEmit(address(_identity));
        emit AgentIdentity.MetadataSet(1, "agentWallet", "agentWallet", abi.encodePacked(ALICE));
        assertEq(_registers(ALICE), 1, "id");
        assertEq(_identity.ownerOf(1), ALICE, "owner");
        assertEq(bytes(_identity.tokenURI(1)), "", "no file");
        _assertWallet(1, ALICE, abi.encodePacked(ALICE));

        vm.expectEmit(address(_identity));
        emit AgentIdentity.Registered(2, "ipfs://agent", BOB);
        does(BOB, address(_identity), abi.encodeWithSelector(REGISTER_URI, "ipfs://agent"));
        assertEq(bytes(_identity.tokenURI(2)), "ipfs://agent", "file");
        assertEq(_identity.agentCount(), 2, "count");
    }

    /// @notice Metadata comes with the registration, each told; the wallet cannot come that way.
    function test_registerWithMetadata() public {
        MetadataEntry[] memory entries = new MetadataEntry[](2);
        (entries[0], entries[1]) = (MetadataEntry("a", hex"01"), MetadataEntry("b", hex"0203"));
        vm.expectEmit(address(_identity));
        emit AgentIdentity.MetadataSet(1, "b", "b", hex"0203");
        does(ALICE, address(_identity), abi.encodeWithSelector(REGISTER_ALL, "ipfs://agent", entries));
        assertEq(_identity.getMetadata(1, "a"), hex"01", "a");
        assertEq(_identity.getMetadata(1, "b"), hex"0203", "b");
        assertEq(_identity.getMetadata(1, "c"), "", "c");
        entries[1].metadataKey = "agentWallet";
        bytes memory reason = abi.encodeWithSelector(AgentIdentity.ReservedKey.selector, "agentWallet");
        _refuses(ALICE, abi.encodeWithSelector(REGISTER_ALL, "", entries), reason);
    }

    /// @notice A contract that knows nothing of ERC-721 registers an agent, as a mandate would.
    function test_contractRegisters() public {
        Wallet wallet = new Wallet();
        assertEq(_registers(address(wallet)), 1, "id");
        assertEq(_identity.ownerOf(1), address(wallet), "owner");
    }

    // ---------------------------------------------------------------- what it says of itself

    /// @notice The owner, its operator and whom it approved change the file and the metadata; nobody else does.
    function test_authorized() public {
        uint256 agentId = _registers(ALICE);
        bytes memory setURI = abi.encodeCall(AgentIdentity.setAgentURI, (agentId, "ipfs://new"));
        bytes memory setMetadata = abi.encodeCall(AgentIdentity.setMetadata, (agentId, "a", hex"01"));
        bytes memory unset = abi.encodeCall(AgentIdentity.unsetAgentWallet, (agentId));
        bytes memory reason = abi.encodeWithSelector(AgentIdentity.NotAuthorized.selector, BOB, agentId);
        _refuses(BOB, setURI, reason);
        _refuses(BOB, setMetadata, reason);
        _refuses(BOB, unset, reason);
        assertTrue(!_identity.isAuthorizedOrOwner(BOB, agentId), "not yet");
        assertTrue(_identity.isAuthorizedOrOwner(ALICE, agentId), "owner");

        vm.prank(ALICE);
        _identity.setApprovalForAll(BOB, true);
        vm.expectEmit(address(_identity));
        emit AgentIdentity.URIUpdated(agentId, "ipfs://new", BOB);
        does(BOB, address(_identity), setURI);
        does(BOB, address(_identity), setMetadata);
        does(BOB, address(_identity), unset);
        assertEq(bytes(_identity.tokenURI(agentId)), "ipfs://new", "file");
        assertTrue(_identity.isAuthorizedOrOwner(BOB, agentId), "operator");

        vm.prank(ALICE);
        _identity.approve(OWNER, agentId);
        does(OWNER, address(_identity), setMetadata);
        assertTrue(_identity.isAuthorizedOrOwner(OWNER, agentId), "approved");
    }

    /// @notice The wallet is not set as metadata.
    function test_reservedKey() public {
        uint256 agentId = _registers(ALICE);
        bytes memory reason = abi.encodeWithSelector(AgentIdentity.ReservedKey.selector, "agentWallet");
        _refuses(ALICE, abi.encodeCall(AgentIdentity.setMetadata, (agentId, "agentWallet", hex"01")), reason);
    }

    /// @notice Of an agent that does not exist nothing is set or told, but its metadata is nothing.
    function test_noAgent() public {
        _refuses(ALICE, abi.encodeCall(AgentIdentity.setAgentURI, (1, "")), _missing(1));
        _refuses(ALICE, abi.encodeCall(AgentIdentity.setMetadata, (1, "a", "")), _missing(1));
        _refuses(ALICE, abi.encodeWithSelector(SET_WALLET, 1, ALICE, START, ""), _missing(1));
        _refuses(ALICE, abi.encodeCall(AgentIdentity.unsetAgentWallet, (1)), _missing(1));
        _refuses(ALICE, abi.encodeCall(AgentIdentity.getAgentWallet, (0)), _missing(0));
        _refuses(ALICE, abi.encodeCall(AgentIdentity.isAuthorizedOrOwner, (ALICE, 1)), _missing(1));
        assertEq(_identity.getMetadata(1, "a"), "", "nothing");
    }

    // ---------------------------------------------------------------- its wallet

    /// @dev Built from EIP-712 and the registries' description, not with the code under test.
    function _consent(uint256 agentId, address wallet, address owner, uint256 deadline) private view returns (bytes32) {
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(
            abi.encode(
                domainType,
                keccak256("ERC8004IdentityRegistry"),
                keccak256("1"),
                block.chainid,
                address(_identity)
            )
        );
        bytes32 structType =
            keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(structType, agentId, wallet, owner, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _signature(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }

    function _setWallet(uint256 agentId, address wallet, uint256 deadline, bytes memory signature)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(SET_WALLET, agentId, wallet, deadline, signature);
    }

    /// @notice With the new wallet's consent, and not without, the owner changes where the agent is paid.
    function test_setAgentWallet() public {
        uint256 agentId = _registers(ALICE);
        bytes memory signature = _signature(_consent(agentId, _wallet, ALICE, START));
        bytes memory data = _setWallet(agentId, _wallet, START, signature);
        _refuses(BOB, data, abi.encodeWithSelector(AgentIdentity.NotAuthorized.selector, BOB, agentId));
        vm.expectEmit(address(_identity));
        emit AgentIdentity.MetadataSet(agentId, "agentWallet", "agentWallet", abi.encodePacked(_wallet));
        does(ALICE, address(_identity), data);
        _assertWallet(agentId, _wallet, abi.encodePacked(_wallet));

        vm.expectEmit(address(_identity));
        emit AgentIdentity.MetadataSet(agentId, "agentWallet", "agentWallet", "");
        does(ALICE, address(_identity), abi.encodeCall(AgentIdentity.unsetAgentWallet, (agentId)));
        _assertWallet(agentId, address(0), "");
    }

    /// @notice Consent to another agent, wallet, owner or deadline is no consent.
    function test_otherConsent() public {
        (uint256 agentId, uint256 other) = (_registers(ALICE), _registers(ALICE));
        bytes32[4] memory digests = [
            _consent(other, _wallet, ALICE, START),
            _consent(agentId, BOB, ALICE, START),
            _consent(agentId, _wallet, BOB, START),
            _consent(agentId, _wallet, ALICE, START + 1)
        ];
        bytes memory reason = abi.encodeWithSelector(AgentIdentity.NoConsent.selector, _wallet);
        for (uint256 i; i < 4; ++i) {
            _refuses(ALICE, _setWallet(agentId, _wallet, START, _signature(digests[i])), reason);
        }
        _refuses(ALICE, _setWallet(agentId, _wallet, START, ""), reason);
    }

    /// @notice Consent is valid up to its deadline, which is at most five minutes away; and no wallet is no wallet.
    function test_consentTimes() public {
        uint256 agentId = _registers(ALICE);
        bytes memory late = abi.encodeWithSelector(AgentIdentity.ConsentExpired.selector, START - 1, START);
        _refuses(ALICE, _setWallet(agentId, _wallet, START - 1, ""), late);
        bytes memory long = abi.encodeWithSelector(AgentIdentity.ConsentTooLong.selector, START + 301, START + 300);
        _refuses(ALICE, _setWallet(agentId, _wallet, START + 301, ""), long);
        bytes memory none = abi.encodeWithSelector(AgentIdentity.NoWallet.selector);
        _refuses(ALICE, _setWallet(agentId, address(0), START, ""), none);
        bytes memory signature = _signature(_consent(agentId, _wallet, ALICE, START + 300));
        does(ALICE, address(_identity), _setWallet(agentId, _wallet, START + 300, signature));
    }

    /// @notice A contract consents by ERC-1271.
    function test_contractConsents() public {
        uint256 agentId = _registers(ALICE);
        Wallet wallet = new Wallet();
        bytes memory data = _setWallet(agentId, address(wallet), START, "so be it");
        _refuses(ALICE, data, abi.encodeWithSelector(AgentIdentity.NoConsent.selector, wallet));
        wallet.agree(_consent(agentId, address(wallet), ALICE, START));
        does(ALICE, address(_identity), data);
        assertEq(_identity.getAgentWallet(agentId), address(wallet), "wallet");
    }

    /// @notice Who buys an agent gets it without its wallet, and other metadata stays; the seller's consent is worth nothing.
    function test_transferClears() public {
        uint256 agentId = _registers(ALICE);
        does(ALICE, address(_identity), abi.encodeCall(AgentIdentity.setMetadata, (agentId, "a", hex"01")));
        bytes memory signature = _signature(_consent(agentId, _wallet, ALICE, START));
        does(ALICE, address(_identity), _setWallet(agentId, _wallet, START, signature));
        vm.expectEmit(address(_identity));
        emit AgentIdentity.MetadataSet(agentId, "agentWallet", "agentWallet", "");
        vm.prank(ALICE);
        _identity.transferFrom(ALICE, BOB, agentId);
        _assertWallet(agentId, address(0), "");
        assertEq(_identity.getMetadata(agentId, "a"), hex"01", "stays");
        bytes memory reason = abi.encodeWithSelector(AgentIdentity.NoConsent.selector, _wallet);
        _refuses(BOB, _setWallet(agentId, _wallet, START, signature), reason);
    }
}
