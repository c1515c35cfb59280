// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {Header} from "../src/core/Header.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {MandateFactory} from "../src/core/MandateFactory.sol";
import {Bucket} from "../src/core/Bucket.sol";
import {Rule, Terms} from "../src/core/Terms.sol";
import {Vm} from "./Cheats.sol";
import {House} from "./House.sol";

abstract contract MandateCreationTests is House {
    function _createRefuses(Terms memory t, bytes memory reason) private {
        vm.expectRevert(reason);
        create(t);
    }

    /// @notice Creation by anyone, at the address foretold; the mandate gives back its terms to the last byte.
    function test_creates() public {
        Terms memory t = terms();
        t.longestLife = 77;
        address foretold = factory.addressOf(t, bytes32(uint256(5)));
        assertTrue(!factory.isMandate(foretold), "not yet");
        vm.expectEmit(address(factory));
        emit MandateFactory.Created(foretold, principal, agent.addr, keccak256(abi.encode(t)));
        vm.prank(address(0x57A));
        address made = factory.create(t, bytes32(agent.publicKeyX), bytes32(agent.publicKeyY), bytes32(uint256(5)));
        assertEq(made, foretold, "address");
        assertTrue(factory.isMandate(made), "known");
        assertEq(abi.encode(Mandate(payable(made)).terms()), abi.encode(t), "terms");
        (bool revoked, uint32 epoch, uint256 nonce_) = Mandate(payable(made)).state();
        assertTrue(!revoked && epoch == 0 && nonce_ == 0, "state");
    }

    /// @notice The address is a function of the implementation, the terms and the salt, by OpenZeppelin's clone code.
    function test_addressIsReproducible() public {
        Terms memory t = terms();
        bytes memory code = abi.encode(t);
        bytes32 salt = keccak256(abi.encode(bytes32(0), keccak256(code)));
        address expected =
            Clones.predictDeterministicAddressWithImmutableArgs(factory.implementation(), code, salt, address(factory));
        assertEq(address(mandate), expected, "address");
        bytes memory runtime = address(mandate).code;
        assertEq(runtime.length, 45 + code.length, "the terms are the rest of the code");
    }

    /// @notice Creating the same mandate again returns it and changes nothing; another salt makes another.
    function test_createIsIdempotent() public {
        execute(transfer(1));
        assertEq(address(create(terms())), address(mandate), "same");
        assertEq(nonce(), 1, "untouched");
        address other = factory.create(terms(), bytes32(agent.publicKeyX), bytes32(agent.publicKeyY), keccak256("2"));
        assertTrue(other != address(mandate), "other salt");
    }

    /// @notice Principal, agent, anchor and log must be there, the anchor with code.
    function test_parties() public {
        Terms memory t = terms();
        t.principal = address(0);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoPrincipal.selector));
        t = terms();
        t.agent = address(0);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoAgent.selector));
        t = terms();
        t.anchor = address(0);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoAnchor.selector));
        t.anchor = address(0xDEAD);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.AnchorWithoutCode.selector, address(0xDEAD)));
        t = terms();
        t.logId = 0;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoLog.selector));
    }

    /// @notice The key given must be the agent's, and a key at all.
    function test_key() public {
        Terms memory t = terms();
        Vm.Wallet memory thief = vm.createWallet(THIEF_KEY);
        vm.expectRevert(abi.encodeWithSelector(MandateFactory.WrongKey.selector, thief.addr, agent.addr));
        factory.create(t, bytes32(thief.publicKeyX), bytes32(thief.publicKeyY), keccak256("new"));
        bytes32 x = bytes32(agent.publicKeyX);
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, x, x));
        factory.create(t, x, x, keccak256("new"));
    }

    /// @notice Garbage header: any header but the one of the agent's key is refused, in every single bit.
    function testFuzz_garbageHeader(uint256 bit) public {
        Terms memory t = terms();
        bytes memory right = t.header;
        bit = bit % (8 * right.length);
        t.header = abi.encodePacked(right);
        t.header[bit / 8] = bytes1(uint8(t.header[bit / 8]) ^ uint8(1 << (bit % 8)));
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.WrongHeader.selector, t.header, right));
        t.header = abi.encodePacked(right, hex"00");
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.WrongHeader.selector, t.header, right));
        t.header = "";
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.WrongHeader.selector, t.header, right));
    }

    /// @notice A mandate must be valid at some time and let decisions live.
    function test_time() public {
        Terms memory t = terms();
        t.validFrom = t.validUntil;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NeverValid.selector, t.validUntil, t.validUntil));
        t = terms();
        t.longestLife = 0;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoLife.selector));
    }

    /// @notice A bucket needs a limit of two and a window.
    function test_buckets() public {
        Terms memory t = terms();
        t.buckets[1].limit = 1;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.LimitTooSmall.selector, 1, uint96(1)));
        t.buckets[1] = Bucket(2, 0);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoWindow.selector, 1));
        t.buckets[1].window = 1;
        create(t);
    }

    /// @notice There must be rules, each for another function, none on the anchor or the factory, each with a bucket.
    function test_rules() public {
        Terms memory t = terms();
        t.rules = new Rule[](0);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.NoRules.selector));
        t = terms();
        t.rules[2].target = address(anchor);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.ForbiddenRule.selector, 2, address(anchor)));
        t.rules[2].target = address(factory);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.ForbiddenRule.selector, 2, address(factory)));
        t = terms();
        t.rules[2].selector = token.transfer.selector;
        _createRefuses(
            t, abi.encodeWithSelector(MandateFactory.DuplicateRule.selector, 2, address(token), token.transfer.selector)
        );
        t = terms();
        t.rules[3].bucket = 2;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.UnknownBucket.selector, 3, uint8(2)));
    }

    /// @notice A pin must allow something and name an argument.
    function test_pins() public {
        Terms memory t = terms();
        t.rules[1].pins[0].allowed = new bytes32[](0);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.EmptyPin.selector, 1, 0));
        t = terms();
        t.rules[1].pins[0].word = 254;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.PinOutOfRange.selector, 1, 0, uint8(254)));
        t.rules[1].pins[0].word = 253;
        create(t);
    }

    /// @notice Terms that this version does not know are refused, never ignored.
    function test_extensions() public {
        Terms memory t = terms();
        t.extensions = hex"01";
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.UnknownExtensions.selector, hex"01"));
    }
}
