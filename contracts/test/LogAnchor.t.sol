// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Checkpoint, Policy} from "../src/core/Checkpoint.sol";
import {CompactRange} from "../src/core/CompactRange.sol";
import {Head, Seat} from "../src/core/ILogAnchor.sol";
import {LogAnchor} from "../src/core/LogAnchor.sol";
import {Cheats} from "./Cheats.sol";
import {LogKeeper} from "./LogKeeper.sol";
import {Tree} from "./Tree.sol";

contract LogAnchorTest is Cheats {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 private constant LOG_KEY = 0x106;
    uint256 private constant STRANGER_KEY = 0xBAD;

    LogAnchor private _anchor;
    LogKeeper private _log;

    /// @dev An anchor as an honest log prepares it; tests change one thing.
    struct Next {
        Policy policy;
        Head head;
        bytes32[] nodes;
        uint64 newSize;
        bytes32 root;
        bytes[] signatures;
    }

    function setUp() public {
        vm.warp(1_790_000_000);
        _anchor = new LogAnchor();
        _log = _keeper(2);
        _log.fill(5);
        _log.anchorAll();
        _log.fill(13);
    }

    function _keeper(uint256 threshold) private returns (LogKeeper) {
        uint256[] memory witnesses = new uint256[](3);
        (witnesses[0], witnesses[1], witnesses[2]) = (0x111, 0x222, 0x333);
        return new LogKeeper(_anchor, "log.example/1", LOG_KEY, witnesses, threshold);
    }

    function _next() private returns (Next memory n) {
        n.policy = _log.policy();
        n.head = _log.head();
        n.nodes = _log.nodes();
        n.newSize = _log.size();
        n.root = _log.rootAt(n.newSize);
        n.signatures = _log.quorum(n.newSize, n.root);
    }

    function _submit(Next memory n) private {
        _anchor.anchor(n.policy, n.head, n.nodes, n.newSize, n.signatures);
    }

    function _refuses(Next memory n, bytes memory reason) private {
        vm.expectRevert(reason);
        _submit(n);
    }

    /// @dev What the chain holds does not matter: the first anchor of another log.
    function _first(Next memory n) private view {
        n.head = Head(0, 0, new bytes32[](0));
        n.nodes = Tree.aligned(_log.leaves(), 0, 13);
    }

    function _freezes(Next memory n, bytes32 other, bytes[] memory evidence, bytes memory reason) private {
        if (reason.length != 0) vm.expectRevert(reason);
        _anchor.freeze(n.policy, n.head, other, evidence);
    }

    /// @notice An honest extension is anchored: new head, event, and a seat that the anchor then holds.
    function test_anchors() public {
        Next memory n = _next();
        Seat memory seat = Seat(1, 0, 13, 1_790_000_000, n.root);
        seat.start = uint64(Tree.seatStart(5, 13));
        seat.root = Tree.root(_log.leaves(), seat.start, 13);
        bytes32 id = _log.id();
        vm.expectEmit(address(_anchor));
        emit LogAnchor.Anchored(id, 13, n.root, seat);
        _submit(n);
        bytes32 head = keccak256(abi.encode(Head(2, 13, Tree.peaks(_log.leaves(), 13))));
        assertEq(_anchor.headOf(_log.id()), head, "head");
        assertTrue(_anchor.holds(_log.id(), seat), "holds");
        assertTrue(!_anchor.frozen(_log.id()), "not frozen");
    }

    /// @notice A seat with any field changed, or of another log, is not held.
    function test_holdsOnlyTheWholeSeat() public {
        Next memory n = _next();
        Seat memory seat = _log.anchorAll();
        bytes32 id = _log.id();
        assertTrue(_anchor.holds(id, seat), "held");
        assertTrue(!_anchor.holds(keccak256("other"), seat), "other log");
        assertTrue(!_anchor.holds(id, Seat(seat.count + 1024, seat.start, seat.end, seat.time, seat.root)), "count");
        assertTrue(!_anchor.holds(id, Seat(seat.count, seat.start + 1, seat.end, seat.time, seat.root)), "start");
        assertTrue(!_anchor.holds(id, Seat(seat.count, seat.start, seat.end + 1, seat.time, seat.root)), "end");
        assertTrue(!_anchor.holds(id, Seat(seat.count, seat.start, seat.end, seat.time - 1, seat.root)), "time");
        assertTrue(!_anchor.holds(id, Seat(seat.count, seat.start, seat.end, seat.time, n.policy.originHash)), "root");
    }

    /// @notice Any sequence of sizes leads to the recursive root; every new leaf is in the seat; old seats stay held.
    function testFuzz_anySequenceOfSizes(uint256 seed) public {
        Seat[] memory seats = new Seat[](5);
        bytes32 id = _log.id();
        for (uint256 i; i < seats.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 old = _log.anchored();
            _log.fill(_log.size() + seed % 13 + (i == 0 ? 0 : 1));
            seats[i] = _log.anchorAll();
            assertTrue(seats[i].start <= old && seats[i].end == _log.size(), "range");
        }
        for (uint256 i; i < seats.length; ++i) {
            assertTrue(_anchor.holds(id, seats[i]), "held");
        }
    }

    /// @notice Anchoring in one step or in many gives the same root.
    function test_oneStepOrMany() public {
        Next memory n = _next();
        LogKeeper once = new LogKeeper(_anchor, "log.example/2", LOG_KEY, new uint256[](0), 0);
        once.fill(13);
        Seat memory whole = once.anchorAll();
        _submit(n);
        assertEq(whole.root, n.root, "root");
    }

    /// @notice Different logs share one anchor without touching each other.
    function test_manyLogs() public {
        Next memory n = _next();
        LogKeeper other = _keeper(1);
        other.fill(3);
        Seat memory seat = other.anchorAll();
        assertTrue(_anchor.holds(other.id(), seat) && !_anchor.holds(_log.id(), seat), "apart");
        _submit(n);
        assertTrue(_anchor.holds(other.id(), seat), "still held");
    }

    /// @notice A seat is held for 1024 anchors and then overwritten.
    function test_ringOf1024() public {
        LogKeeper ring = new LogKeeper(_anchor, "ring.example", LOG_KEY, new uint256[](0), 0);
        bytes32 id = ring.id();
        Policy memory policy = ring.policy();
        // Trees of 2^i leaves would run out of sizes, so leaves are added one by one and the peaks kept here.
        bytes32[] memory peaks = new bytes32[](0);
        bytes32[] memory nodes = new bytes32[](1);
        Seat memory first;
        for (uint64 size; size < 1025; ++size) {
            nodes[0] = keccak256(abi.encode(size));
            bytes32[] memory grown = _push(peaks, size, nodes[0]);
            bytes32 root = _fold(grown);
            bytes[] memory signatures = ring.quorum(size + 1, root);
            _anchor.anchor(policy, Head(size, size, peaks), nodes, size + 1, signatures);
            peaks = grown;
            if (size == 0) first = Seat(0, 0, 1, 1_790_000_000, nodes[0]);
            assertTrue(_anchor.holds(id, first) == (size < 1024), "first seat");
        }
    }

    function _push(bytes32[] memory peaks, uint64 size, bytes32 leaf) private pure returns (bytes32[] memory grown) {
        uint256 kept = peaks.length;
        for (; size & 1 == 1; size >>= 1) {
            --kept;
            leaf = sha256(abi.encodePacked(hex"01", peaks[kept], leaf));
        }
        grown = new bytes32[](kept + 1);
        for (uint256 i; i < kept; ++i) {
            grown[i] = peaks[i];
        }
        grown[kept] = leaf;
    }

    function _fold(bytes32[] memory peaks) private pure returns (bytes32 root) {
        root = peaks[peaks.length - 1];
        for (uint256 i = peaks.length - 1; i != 0; --i) {
            root = sha256(abi.encodePacked(hex"01", peaks[i - 1], root));
        }
    }

    /// @notice Forked peaks: a head that the chain does not hold is refused, even under a quorum's signatures.
    function test_forkedPeaks() public {
        Next memory n = _next();
        n.head.peaks[0] = keccak256("forked");
        bytes32[] memory leaves = _log.leaves();
        // The quorum signs the very root that the forked peaks lead to.
        bytes32 left = sha256(abi.encodePacked(hex"01", n.head.peaks[0], Tree.root(leaves, 4, 8)));
        bytes32 root = sha256(abi.encodePacked(hex"01", left, Tree.root(leaves, 8, 13)));
        n.signatures = _log.quorum(n.newSize, root);
        _refuses(
            n,
            abi.encodeWithSelector(
                LogAnchor.WrongHead.selector, _log.id(), keccak256(abi.encode(n.head)), _anchor.headOf(_log.id())
            )
        );
    }

    /// @notice A log cannot begin again: the empty head opens only a log that the chain does not know.
    function test_secondBeginning() public {
        Next memory n = _next();
        n.head = Head(0, 0, new bytes32[](0));
        n.nodes = Tree.aligned(_log.leaves(), 0, 13);
        _refuses(
            n, abi.encodeWithSelector(LogAnchor.WrongHead.selector, _log.id(), bytes32(0), _anchor.headOf(_log.id()))
        );
    }

    /// @notice An unknown log cannot begin with anchors, leaves or peaks of its own telling.
    function test_inventedBeginning() public {
        Next memory n = _next();
        LogKeeper other = _keeper(1);
        other.fill(13);
        n.policy = other.policy();
        n.signatures = other.quorum(13, n.root);
        bytes memory reason =
            abi.encodeWithSelector(LogAnchor.WrongHead.selector, other.id(), keccak256(abi.encode(n.head)), bytes32(0));
        _refuses(n, reason);
        n.head = Head(7, 0, new bytes32[](0));
        n.nodes = Tree.aligned(_log.leaves(), 0, 13);
        reason =
            abi.encodeWithSelector(LogAnchor.WrongHead.selector, other.id(), keccak256(abi.encode(n.head)), bytes32(0));
        _refuses(n, reason);
    }

    /// @notice The same size again, or a smaller one, is refused.
    function test_replayAndShrink() public {
        Next memory n = _next();
        _submit(n);
        n.head = Head(2, 13, Tree.peaks(_log.leaves(), 13));
        n.nodes = new bytes32[](0);
        _refuses(n, abi.encodeWithSelector(LogAnchor.NotLarger.selector, uint64(13), uint64(13)));
        n.newSize = 12;
        _refuses(n, abi.encodeWithSelector(LogAnchor.NotLarger.selector, uint64(12), uint64(13)));
    }

    /// @notice A size of 2^63 is refused.
    function test_tooLarge() public {
        Next memory n = _next();
        n.newSize = 1 << 63;
        _refuses(n, abi.encodeWithSelector(LogAnchor.TooLarge.selector, n.newSize));
    }

    /// @notice Subtree roots must be exactly those that the growth needs.
    function test_nodeCount() public {
        Next memory n = _next();
        bytes32[] memory four = n.nodes;
        n.nodes = Tree.append(four, keccak256("more"));
        _refuses(n, abi.encodeWithSelector(CompactRange.TooManyNodes.selector, 5, 4));
        n.nodes = new bytes32[](3);
        (n.nodes[0], n.nodes[1], n.nodes[2]) = (four[0], four[1], four[2]);
        _refuses(n, abi.encodeWithSelector(CompactRange.TooFewNodes.selector, 3, uint64(12), uint64(13)));
    }

    /// @notice Signatures over another root than the one computed here recover strangers.
    function test_otherRootSigned() public {
        Next memory n = _next();
        n.nodes[0] = keccak256("not the leaves that were signed");
        bytes32[] memory leaves = _log.leaves();
        bytes32 four = sha256(abi.encodePacked(hex"01", leaves[4], n.nodes[0]));
        bytes32 right = sha256(abi.encodePacked(hex"01", four, Tree.root(leaves, 6, 8)));
        bytes32 left = sha256(abi.encodePacked(hex"01", Tree.root(leaves, 0, 4), right));
        bytes32 root = sha256(abi.encodePacked(hex"01", left, Tree.root(leaves, 8, 13)));
        address recovered = ECDSA.recover(_log.digestOf(13, root), n.signatures[0]);
        _refuses(n, abi.encodeWithSelector(Checkpoint.WrongLogSigner.selector, recovered, n.policy.signer));
    }

    /// @notice The first signature must be the log's own: a stranger's, or a witness's, is refused.
    function test_wrongLogSigner() public {
        Next memory n = _next();
        bytes32 digest = _log.digestOf(n.newSize, n.root);
        n.signatures[0] = _log.signed(STRANGER_KEY, digest);
        _refuses(
            n,
            abi.encodeWithSelector(
                Checkpoint.WrongLogSigner.selector, vm.createWallet(STRANGER_KEY).addr, n.policy.signer
            )
        );
        n.signatures[0] = n.signatures[1];
        _refuses(n, abi.encodeWithSelector(Checkpoint.WrongLogSigner.selector, n.policy.witnesses[0], n.policy.signer));
    }

    /// @notice Fewer witnesses than the threshold are refused; more are welcome.
    function test_quorum() public {
        Next memory n = _next();
        bytes32 digest = _log.digestOf(n.newSize, n.root);
        bytes[] memory three = n.signatures;
        n.signatures = new bytes[](2);
        (n.signatures[0], n.signatures[1]) = (three[0], three[1]);
        _refuses(n, abi.encodeWithSelector(Checkpoint.TooFewSignatures.selector, 2, 3));
        n.signatures = new bytes[](4);
        (n.signatures[0], n.signatures[1], n.signatures[2]) = (three[0], three[1], three[2]);
        n.signatures[3] = _signedBy(n.policy.witnesses[2], digest);
        _submit(n);
    }

    /// @notice No signature at all is refused, also by a log without witnesses.
    function test_noSignature() public {
        LogKeeper alone = new LogKeeper(_anchor, "alone.example", LOG_KEY, new uint256[](0), 0);
        alone.fill(1);
        Policy memory policy = alone.policy();
        bytes32[] memory nodes = alone.nodes();
        vm.expectRevert(abi.encodeWithSelector(Checkpoint.TooFewSignatures.selector, 0, 1));
        _anchor.anchor(policy, Head(0, 0, new bytes32[](0)), nodes, 1, new bytes[](0));
        alone.anchorAll();
    }

    /// @notice Doubled witness: one witness's signature does not count twice.
    function test_doubledWitness() public {
        Next memory n = _next();
        n.signatures[2] = n.signatures[1];
        address witness = n.policy.witnesses[0];
        _refuses(n, abi.encodeWithSelector(Checkpoint.WitnessOutOfOrder.selector, witness, witness));
    }

    /// @notice Doubled witness in the policy: such a log id admits no anchor.
    function test_doubledWitnessInPolicy() public {
        Next memory n = _next();
        n.policy.witnesses[1] = n.policy.witnesses[0];
        _first(n);
        _refuses(
            n,
            abi.encodeWithSelector(Checkpoint.PolicyOutOfOrder.selector, n.policy.witnesses[0], n.policy.witnesses[0])
        );
    }

    /// @notice Witnesses out of order are refused.
    function test_witnessOrder() public {
        Next memory n = _next();
        (n.signatures[1], n.signatures[2]) = (n.signatures[2], n.signatures[1]);
        _refuses(
            n,
            abi.encodeWithSelector(Checkpoint.WitnessOutOfOrder.selector, n.policy.witnesses[1], n.policy.witnesses[0])
        );
    }

    /// @notice A stranger is no witness, wherever its address sorts; nor is the log itself.
    function test_unknownWitness() public {
        Next memory n = _next();
        bytes32 digest = _log.digestOf(n.newSize, n.root);
        uint256 low;
        uint256 high;
        for (uint256 key = 1; low == 0 || high == 0; ++key) {
            address candidate = vm.createWallet(key).addr;
            if (candidate < n.policy.witnesses[0]) low = key;
            if (candidate > n.policy.witnesses[2]) high = key;
        }
        bytes memory second = n.signatures[2];
        n.signatures[2] = _log.signed(high, digest);
        _refuses(n, abi.encodeWithSelector(Checkpoint.UnknownWitness.selector, vm.createWallet(high).addr));
        n.signatures[1] = _log.signed(low, digest);
        n.signatures[2] = second;
        _refuses(n, abi.encodeWithSelector(Checkpoint.UnknownWitness.selector, vm.createWallet(low).addr));
        n.signatures[1] = n.signatures[0];
        bytes memory reason = abi.encodeWithSelector(Checkpoint.UnknownWitness.selector, n.policy.signer);
        if (n.policy.signer < n.policy.witnesses[1]) _refuses(n, reason);
    }

    /// @notice Weaker policy: with a lower threshold, other witnesses or another origin it is another log, which this
    /// history does not belong to.
    function test_weakerPolicy() public {
        Next memory n = _next();
        bytes32 id = _log.id();
        bytes32 held = _anchor.headOf(id);
        n.policy.threshold = 0;
        bytes32 otherId = keccak256(abi.encode(n.policy.originHash, n.policy.signer, n.policy.witnesses, uint256(0)));
        assertTrue(id != otherId, "id");
        _refuses(n, abi.encodeWithSelector(LogAnchor.WrongHead.selector, otherId, held, bytes32(0)));
    }

    /// @notice A policy that asks for more witnesses than it names is refused.
    function test_thresholdTooHigh() public {
        Next memory n = _next();
        n.policy.threshold = 4;
        _first(n);
        _refuses(n, abi.encodeWithSelector(Checkpoint.ThresholdTooHigh.selector, 4, 3));
    }

    /// @notice High-s twin: the other form of a valid signature is refused, for the log and for witnesses.
    function test_highSTwin() public {
        Next memory n = _next();
        for (uint256 i; i < 2; ++i) {
            bytes memory good = n.signatures[i];
            (bytes32 r, bytes32 s, uint8 v) = _split(good);
            bytes32 twin = bytes32(ORDER - uint256(s));
            n.signatures[i] = abi.encodePacked(r, twin, v == 27 ? uint8(28) : uint8(27));
            _refuses(
                n,
                abi.encodeWithSelector(Checkpoint.BadSignature.selector, i, ECDSA.RecoverError.InvalidSignatureS, twin)
            );
            n.signatures[i] = good;
        }
    }

    /// @notice A signature that recovers no one never passes for a signer 0, and 64 bytes are no signature.
    function test_invalidSignature() public {
        Next memory n = _next();
        n.policy.signer = address(0);
        _first(n);
        n.signatures[0] = new bytes(65);
        _refuses(
            n,
            abi.encodeWithSelector(Checkpoint.BadSignature.selector, 0, ECDSA.RecoverError.InvalidSignature, bytes32(0))
        );
        n.signatures[0] = new bytes(64);
        _refuses(
            n,
            abi.encodeWithSelector(
                Checkpoint.BadSignature.selector, 0, ECDSA.RecoverError.InvalidSignatureLength, bytes32(uint256(64))
            )
        );
    }

    /// @notice A checkpoint of another log, same keys and same root, does not count here.
    function test_signaturesOfAnotherLog() public {
        Next memory n = _next();
        LogKeeper other = _keeper(1);
        other.fill(13);
        assertEq(other.rootAt(13), n.root, "same root");
        bytes[] memory foreign = other.quorum(13, n.root);
        n.signatures[0] = foreign[0];
        address recovered = ECDSA.recover(_log.digestOf(13, n.root), foreign[0]);
        _refuses(n, abi.encodeWithSelector(Checkpoint.WrongLogSigner.selector, recovered, n.policy.signer));
    }

    /// @notice Conflicting checkpoint: the quorum's signature on another root for the held size freezes the log for ever.
    function test_conflictFreezes() public {
        Next memory n = _next();
        bytes32 other = keccak256("other root");
        bytes[] memory evidence = _log.quorum(5, other);
        Seat memory seat = _log.seat();
        bytes32 id = _log.id();
        bytes32 held = _log.rootAt(5);
        vm.expectEmit(address(_anchor));
        emit LogAnchor.Frozen(id, 5, held, other);
        _freezes(n, other, evidence, "");
        assertTrue(_anchor.frozen(id), "frozen");
        assertEq(_anchor.headOf(id), keccak256("affiant/frozen-log"), "head");
        assertTrue(_anchor.holds(id, seat), "what was held stays held");
        _refuses(n, abi.encodeWithSelector(LogAnchor.LogFrozen.selector, id));
        _freezes(n, other, evidence, abi.encodeWithSelector(LogAnchor.LogFrozen.selector, id));
    }

    /// @notice The held root conflicts with nothing.
    function test_freezeNeedsAnotherRoot() public {
        Next memory n = _next();
        bytes32 root = _log.rootAt(5);
        bytes[] memory evidence = _log.quorum(5, root);
        _freezes(n, root, evidence, abi.encodeWithSelector(LogAnchor.NoConflict.selector, _log.id(), root));
    }

    /// @notice A signature for another size, or by too few, is no evidence.
    function test_freezeNeedsTheQuorum() public {
        Next memory n = _next();
        bytes32 other = keccak256("other root");
        bytes[] memory evidence = _log.quorum(6, other);
        address recovered = ECDSA.recover(_log.digestOf(5, other), evidence[0]);
        _freezes(
            n, other, evidence, abi.encodeWithSelector(Checkpoint.WrongLogSigner.selector, recovered, n.policy.signer)
        );
        bytes[] memory lonely = new bytes[](1);
        lonely[0] = _log.quorum(5, other)[0];
        _freezes(n, other, lonely, abi.encodeWithSelector(Checkpoint.TooFewSignatures.selector, 1, 3));
    }

    /// @notice Nothing conflicts with a log that the chain does not know, and the head must be the one held.
    function test_freezeNeedsTheHead() public {
        Next memory n = _next();
        bytes32 other = keccak256("other root");
        bytes[] memory evidence = _log.quorum(5, other);
        bytes32 held = _anchor.headOf(_log.id());
        n.head.count = 2;
        _freezes(
            n,
            other,
            evidence,
            abi.encodeWithSelector(LogAnchor.WrongHead.selector, _log.id(), keccak256(abi.encode(n.head)), held)
        );
        LogKeeper fresh = _keeper(1);
        Policy memory policy = fresh.policy();
        vm.expectRevert(abi.encodeWithSelector(LogAnchor.NothingHeld.selector, fresh.id()));
        _anchor.freeze(policy, Head(0, 0, new bytes32[](0)), other, evidence);
    }

    function _signedBy(address who, bytes32 digest) private returns (bytes memory) {
        uint256[3] memory keys = [uint256(0x111), 0x222, 0x333];
        for (uint256 i; i < 3; ++i) {
            if (vm.createWallet(keys[i]).addr == who) return _log.signed(keys[i], digest);
        }
        revert False("no such witness");
    }

    function _split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }
}
