// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {Header} from "../src/core/Header.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Key, MandateFactory} from "../src/core/MandateFactory.sol";
import {Bucket} from "../src/core/Bucket.sol";
import {Guardian, Rule, Terms} from "../src/core/Terms.sol";
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
        address made = address(create(t, bytes32(uint256(5))));
        assertEq(made, foretold, "address");
        assertTrue(factory.isMandate(made), "known");
        assertEq(abi.encode(Mandate(payable(made)).terms()), abi.encode(t), "terms");
        (bool revoked, uint32 epoch, uint256 nonce_, uint40 suspendedUntil) = Mandate(payable(made)).state();
        assertTrue(!revoked && epoch == 0 && nonce_ == 0 && suspendedUntil == 0, "state");
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
        address other = address(create(terms(), keccak256("2")));
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
        factory.create(t, keyOf(thief), keyOf(guardian), keccak256("new"));
        bytes32 x = bytes32(agent.publicKeyX);
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, x, x));
        factory.create(t, Key(x, x), keyOf(guardian), keccak256("new"));
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

    /// @notice The guardian must be able to suspend for some time and not for ever; a second in any three is the least.
    function test_guardianIsBounded() public {
        Terms memory t = terms();
        uint32[4] memory limits = [uint32(0), 1, 100, 101];
        t.guardian.window = 100;
        for (uint256 i; i < limits.length; ++i) {
            t.guardian.limit = limits[i];
            _createRefuses(t, abi.encodeWithSelector(MandateFactory.GuardianUnbounded.selector, limits[i], uint32(100)));
        }
        t.guardian.limit = 99;
        create(t);
        (t.guardian.limit, t.guardian.window) = (2, 2);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.GuardianUnbounded.selector, uint32(2), uint32(2)));
        t.guardian.window = 0;
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.GuardianUnbounded.selector, uint32(2), uint32(0)));
        t.guardian.window = 3;
        mandate = create(t);
        (uint32 number, uint40 silentUntil, uint256 remaining) = mandate.watch();
        assertTrue(number == 0 && silentUntil == 0 && remaining == 1, "watch");
        suspend(stay(1));
    }

    /// @notice Terms without a guardian tell nothing else of one, neither limit, window nor header, and have no key.
    function test_strayGuardian() public {
        for (uint256 i; i < 6; ++i) {
            Terms memory t = terms();
            t.guardian = Guardian(address(0), i == 0 ? 1 : 0, i == 1 ? 1 : 0, i == 2 ? bytes(hex"00") : bytes(""));
            Key memory key = Key(bytes32(uint256(i == 3 ? 1 : 0)), bytes32(uint256(i == 4 ? 1 : 0)));
            if (i < 5) vm.expectRevert(abi.encodeWithSelector(MandateFactory.StrayGuardian.selector));
            address made = factory.create(t, keyOf(agent), key, 0);
            assertTrue(i < 5 || factory.isMandate(made), "without a guardian");
        }
    }

    /// @notice The second key given must be the guardian's, and a key at all.
    function test_guardianKey() public {
        Terms memory t = terms();
        bytes32 salt = keccak256("new");
        vm.expectRevert(abi.encodeWithSelector(MandateFactory.WrongKey.selector, agent.addr, guardian.addr));
        factory.create(t, keyOf(agent), keyOf(agent), salt);
        bytes32 x = bytes32(guardian.publicKeyX);
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, x, x));
        factory.create(t, keyOf(agent), Key(x, x), salt);
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, bytes32(0), bytes32(0)));
        factory.create(t, keyOf(agent), Key(0, 0), salt);
        t.guardian.account = agent.addr;
        vm.expectRevert(abi.encodeWithSelector(MandateFactory.WrongKey.selector, guardian.addr, agent.addr));
        factory.create(t, keyOf(agent), keyOf(guardian), salt);
    }

    /// @notice The guardian's header is that of its alerts: not that of its decisions, nor another key's.
    function test_guardianHeader() public {
        Terms memory t = terms();
        bytes[5] memory wrong = [
            headerOf(guardian.addr, GUARDIAN_DID, hex"73", DECISION),
            headerOf(agent.addr, AGENT_DID, hex"70", ALERT),
            headerOf(guardian.addr, AGENT_DID, hex"70", ALERT),
            header(),
            ""
        ];
        for (uint256 i; i < wrong.length; ++i) {
            t.guardian.header = wrong[i];
            _createRefuses(t, abi.encodeWithSelector(MandateFactory.WrongHeader.selector, wrong[i], alertHeader()));
        }
        t = terms();
        t.header = headerOf(agent.addr, AGENT_DID, hex"70", ALERT);
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.WrongHeader.selector, t.header, header()));
    }

    /// @notice Any header but the one of the guardian's key is refused, in every single bit.
    function testFuzz_garbageAlertHeader(uint256 bit) public {
        Terms memory t = terms();
        bytes memory right = alertHeader();
        bit = bit % (8 * right.length);
        t.guardian.header[bit / 8] = bytes1(uint8(right[bit / 8]) ^ uint8(1 << (bit % 8)));
        _createRefuses(t, abi.encodeWithSelector(MandateFactory.WrongHeader.selector, t.guardian.header, right));
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
