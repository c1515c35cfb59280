// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {Action} from "../src/core/Action.sol";
import {Bucket} from "../src/core/Bucket.sol";
import {Seat} from "../src/core/ILogAnchor.sol";
import {LogAnchor} from "../src/core/LogAnchor.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Key, MandateFactory} from "../src/core/MandateFactory.sol";
import {Oath} from "../src/core/Oath.sol";
import {Rfc9162} from "../src/core/Rfc9162.sol";
import {Suspension} from "../src/core/Suspension.sol";
import {Guardian, Pin, Rule, Terms} from "../src/core/Terms.sol";
import {SettlementToken} from "../src/core/SettlementToken.sol";
import {Cheats, Vm} from "./Cheats.sol";
import {LogKeeper} from "./LogKeeper.sol";
import {Probe} from "./Probe.sol";

/// @title Everything a mandate needs around it: a log, a token, an agent, a guardian, a principal
/// @dev What they sign is built here from the format's description, not with the contracts' code.
abstract contract House is Cheats {
    uint256 internal constant AGENT_KEY = 0xA11CE;
    uint256 internal constant GUARDIAN_KEY = 0x6A4D;
    /// @dev Of these two keys, computed elsewhere.
    string internal constant AGENT_DID = "did:key:zQ3shYby9zswc1Jfb5BnP77DEVbguy94KLwfafzsD5fTDuQcy";
    string internal constant GUARDIAN_DID = "did:key:zQ3shSfvrxvJgdHp8zxDR7LaaxNNCUF77mUAzDbG3thDvdQc8";
    uint256 internal constant THIEF_KEY = 0x7417F;
    string internal constant DECISION = "affiant/decision/v1";
    string internal constant ALERT = "affiant/alert/v1";
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant BODY = keccak256("body");

    address internal principal = address(0x9121);
    address internal supplier = address(0x5099);
    address internal otherSupplier = address(0x5098);

    Vm.Wallet internal agent;
    Vm.Wallet internal guardian;
    LogAnchor internal anchor;
    MandateFactory internal factory;
    SettlementToken internal token;
    Probe internal probe;
    LogKeeper internal log;
    Mandate internal mandate;

    function setUp() public virtual {
        vm.warp(1_790_000_000);
        agent = vm.createWallet(AGENT_KEY);
        guardian = vm.createWallet(GUARDIAN_KEY);
        // By name, as `new` would compile them a second time, in the thread of the largest test (see contracts/solc).
        anchor = LogAnchor(vm.deployCode("LogAnchor.sol:LogAnchor", ""));
        factory = MandateFactory(vm.deployCode("MandateFactory.sol:MandateFactory", ""));
        token = SettlementToken(
            vm.deployCode("SettlementToken.sol:SettlementToken", abi.encode("Euro", "EUR", address(this)))
        );
        probe = new Probe();
        log = keeper("log.example/1", 2);
        mandate = create(terms());
        token.mint(address(mandate), 1_000_000);
        vm.deal(address(mandate), 10 ether);
    }

    function keeper(string memory origin, uint256 threshold) internal returns (LogKeeper) {
        uint256[] memory witnesses = new uint256[](3);
        (witnesses[0], witnesses[1], witnesses[2]) = (0x111, 0x222, 0x333);
        return new LogKeeper(anchor, origin, 0x106, witnesses, threshold);
    }

    function create(Terms memory t) internal returns (Mandate) {
        return create(t, 0);
    }

    function create(Terms memory t, bytes32 salt) internal returns (Mandate) {
        Key memory key = t.guardian.account == address(0) ? Key(0, 0) : keyOf(guardian);
        return Mandate(payable(factory.create(t, keyOf(agent), key, salt)));
    }

    function keyOf(Vm.Wallet memory wallet) internal pure returns (Key memory) {
        return Key(bytes32(wallet.publicKeyX), bytes32(wallet.publicKeyY));
    }

    // Rules: 0 `fail`, metered by its argument; 1 `transfer` to two suppliers; 2 `approve`, counted in the second bucket;
    // 3 `look`, metered by native value. The guardian may add an hour at once.
    function terms() internal returns (Terms memory t) {
        t.principal = principal;
        t.agent = agent.addr;
        t.anchor = address(anchor);
        t.logId = log.id();
        t.validFrom = 1_789_000_000;
        t.validUntil = 1_800_000_000;
        t.longestLife = 1 days;
        t.header = header();
        t.guardian = Guardian(guardian.addr, 7_201, 1 days, alertHeader());
        t.buckets = new Bucket[](2);
        t.buckets[0] = Bucket(20_001, 1 days);
        t.buckets[1] = Bucket(4, 1 hours);
        t.rules = new Rule[](4);
        t.rules[0] = Rule(address(probe), Probe.fail.selector, 0, 0, 10_000, new Pin[](0));
        t.rules[1] = Rule(address(token), token.transfer.selector, 1, 0, 6_000, new Pin[](1));
        t.rules[1].pins[0] = Pin(0, new bytes32[](2));
        t.rules[1].pins[0].allowed[0] = bytes32(uint256(uint160(otherSupplier)));
        t.rules[1].pins[0].allowed[1] = bytes32(uint256(uint160(supplier)));
        t.rules[2] = Rule(address(token), token.approve.selector, 254, 1, 1, new Pin[](0));
        t.rules[3] = Rule(address(probe), Probe.look.selector, 255, 0, 10_000, new Pin[](0));
    }

    /// @dev The agent's, for decisions.
    function header() internal view returns (bytes memory) {
        return headerOf(agent.addr, AGENT_DID, hex"73", DECISION);
    }

    /// @dev The guardian's, for alerts.
    function alertHeader() internal view returns (bytes memory) {
        return headerOf(guardian.addr, GUARDIAN_DID, hex"70", ALERT);
    }

    /// @dev Written out from the format; `head` is the CBOR head of the kind's name.
    function headerOf(address account, string memory did, bytes1 head, string memory kind)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(hex"a401382e03182a0454", account, hex"0fa3017839", did, hex"02", head, kind, hex"061a");
    }

    function call(address target, uint256 value, bytes memory data) internal view returns (Action memory) {
        return Action(
            0,
            nonce(),
            MODEL,
            target,
            value,
            data,
            uint64(vm.getBlockTimestamp() + 1 hours),
            address(0),
            keccak256("salt")
        );
    }

    function transfer(uint256 amount) internal view returns (Action memory) {
        return call(address(token), 0, abi.encodeCall(token.transfer, (supplier, amount)));
    }

    function look(uint256 value) internal view returns (Action memory) {
        return call(address(probe), value, abi.encodeCall(probe.look, (0)));
    }

    /// @dev The EIP-712 digest of an action under a mandate on a chain.
    function subjectOf(uint256 chain, address mandate_, Action memory a) internal pure returns (bytes32) {
        bytes32 structHash = keccak256(
            bytes.concat(
                abi.encode(
                    keccak256(
                        "Action(uint32 epoch,uint256 nonce,bytes32 model,address target,uint256 value,bytes data,uint64 deadline,address relayer,bytes32 salt)"
                    ),
                    a.epoch,
                    a.nonce,
                    a.model,
                    a.target
                ),
                abi.encode(a.value, keccak256(a.data), a.deadline, a.relayer, a.salt)
            )
        );
        return inDomain(chain, mandate_, structHash);
    }

    /// @dev The EIP-712 digest of a suspension of a mandate on a chain.
    function subjectOf(uint256 chain, address mandate_, Suspension memory s) internal pure returns (bytes32) {
        bytes32 structType = keccak256("Suspension(uint32 number,uint40 until)");
        return inDomain(chain, mandate_, keccak256(abi.encode(structType, s.number, s.until)));
    }

    function subjectOf(Suspension memory s) internal view returns (bytes32) {
        return subjectOf(block.chainid, address(mandate), s);
    }

    function inDomain(uint256 chain, address mandate_, bytes32 structHash) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Affiant Mandate"),
                keccak256("1"),
                chain,
                mandate_
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function sworn(Action memory a) internal view returns (Oath memory oath) {
        return swornBy(AGENT_KEY, header(), DECISION, subjectOf(block.chainid, address(mandate), a));
    }

    function sworn(Suspension memory s) internal view returns (Oath memory oath) {
        return swornBy(GUARDIAN_KEY, alertHeader(), ALERT, subjectOf(s));
    }

    /// @dev Signs a statement of a kind about a subject; the proof is still missing.
    function swornBy(uint256 key, bytes memory head, string memory kind, bytes32 subject)
        internal
        view
        returns (Oath memory oath)
    {
        oath.body = BODY;
        oath.iat = uint32(vm.getBlockTimestamp());
        (oath.v, oath.r, oath.s) = vm.sign(key, signed(head, oath.iat, payload(kind, subject)));
    }

    /// @dev SHA-256 of the Sig_structure.
    function signed(bytes memory head, uint32 iat, bytes memory said) internal pure returns (bytes32) {
        return sha256(
            abi.encodePacked(
                hex"846a", "Signature1", hex"58", uint8(head.length + 4), head, iat, hex"40", hex"5860", said
            )
        );
    }

    function payload(string memory kind, bytes32 subject) internal pure returns (bytes memory) {
        return abi.encodePacked(keccak256(bytes(kind)), subject, BODY);
    }

    function leafOf(Action memory a, Oath memory oath) internal view returns (bytes32) {
        return leafOf(header(), payload(DECISION, subjectOf(block.chainid, address(mandate), a)), oath);
    }

    function leafOf(Suspension memory s, Oath memory oath) internal view returns (bytes32) {
        return leafOf(alertHeader(), payload(ALERT, subjectOf(s)), oath);
    }

    function leafOf(bytes memory head, bytes memory said, Oath memory oath) internal pure returns (bytes32) {
        bytes memory entry = abi.encodePacked(
            hex"d28458", uint8(head.length + 4), head, oath.iat, hex"a0", hex"5860", said, hex"5840", oath.r, oath.s
        );
        return sha256(abi.encodePacked(hex"00", entry));
    }

    /// @dev Appends a sworn action's leaf to a log, anchors it and completes the oath.
    function logged(LogKeeper keeper_, Action memory a, Oath memory oath) internal returns (Oath memory) {
        return logged(keeper_, leafOf(a, oath), oath);
    }

    function logged(LogKeeper keeper_, Suspension memory s, Oath memory oath) internal returns (Oath memory) {
        return logged(keeper_, leafOf(s, oath), oath);
    }

    function logged(LogKeeper keeper_, bytes32 leaf, Oath memory oath) internal returns (Oath memory) {
        oath.index = keeper_.append(leaf);
        keeper_.anchorAll();
        (oath.seat, oath.path) = keeper_.prove(oath.index);
        return oath;
    }

    /// @dev The whole way of an honest agent.
    function oathFor(Action memory a) internal returns (Oath memory) {
        return logged(log, a, sworn(a));
    }

    /// @dev The whole way of an honest guardian.
    function oathFor(Suspension memory s) internal returns (Oath memory) {
        return logged(log, s, sworn(s));
    }

    function execute(Action memory a) internal returns (Oath memory oath) {
        oath = oathFor(a);
        mandate.execute(a, oath);
    }

    /// @dev The action is refused although it is sworn, logged and anchored.
    function refuses(Action memory a, bytes memory reason) internal {
        refuses(a, oathFor(a), reason);
    }

    function refuses(Action memory a, Oath memory oath, bytes memory reason) internal {
        vm.expectRevert(reason);
        mandate.execute(a, oath);
    }

    /// @dev The mandate's next suspension, from now on.
    function stay(uint256 length) internal view returns (Suspension memory) {
        (uint32 number,,) = mandate.watch();
        return Suspension(number, uint40(vm.getBlockTimestamp() + length));
    }

    function suspend(Suspension memory s) internal returns (Oath memory oath) {
        oath = oathFor(s);
        mandate.suspend(s, oath);
    }

    /// @dev The suspension is refused although its alert is sworn, logged and anchored.
    function refuses(Suspension memory s, bytes memory reason) internal {
        refuses(s, oathFor(s), reason);
    }

    function refuses(Suspension memory s, Oath memory oath, bytes memory reason) internal {
        vm.expectRevert(reason);
        mandate.suspend(s, oath);
    }

    /// @dev The refusal of a proof that leads to a seat which the anchor does not hold.
    function notHeld(bytes32 leaf, Oath memory oath) internal returns (bytes memory) {
        uint64 size = oath.seat.end - oath.seat.start;
        bytes32 root = this.rootBy(leaf, oath.index - oath.seat.start, size, oath.path);
        Seat memory seat = Seat(oath.seat.count, oath.seat.start, oath.seat.end, oath.seat.time, root);
        bytes32 logId = log.id();
        assertTrue(!anchor.holds(logId, seat), "held");
        return abi.encodeWithSelector(Mandate.SeatNotHeld.selector, logId, seat.count, root);
    }

    function rootBy(bytes32 leaf, uint64 index, uint64 size, bytes32[] calldata path) external view returns (bytes32) {
        return Rfc9162.root(leaf, index, size, path);
    }

    /// @dev A mandate that no factory has checked.
    function rawClone(Terms memory t) internal returns (Mandate) {
        return Mandate(payable(Clones.cloneWithImmutableArgs(factory.implementation(), abi.encode(t))));
    }

    function nonce() internal view returns (uint256 current) {
        (,, current,) = mandate.state();
    }
}
