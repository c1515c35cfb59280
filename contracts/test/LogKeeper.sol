// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Policy} from "../src/core/Checkpoint.sol";
import {Head, Seat} from "../src/core/ILogAnchor.sol";
import {LogAnchor} from "../src/core/LogAnchor.sol";
import {SeatRef} from "../src/core/Oath.sol";
import {Cheats} from "./Cheats.sol";
import {Tree} from "./Tree.sol";

/// @title A log as its operator and witnesses keep it, with their keys
contract LogKeeper is Cheats {
    LogAnchor private immutable ANCHOR;

    uint256 public signerKey;
    /// @dev In the order of their addresses.
    uint256[] private _witnessKeys;
    bytes32 private _originHash;
    uint256 private _threshold;

    bytes32[] private _leaves;
    /// @dev How many leaves the chain holds, and after how many anchors.
    uint64 public anchored;
    uint64 public count;
    Seat private _seat;

    constructor(LogAnchor anchor, string memory origin, uint256 signer, uint256[] memory witnesses, uint256 threshold) {
        ANCHOR = anchor;
        _originHash = sha256(bytes(origin));
        signerKey = signer;
        _threshold = threshold;
        _witnessKeys = byAddress(witnesses);
    }

    function policy() public returns (Policy memory) {
        address[] memory witnesses = new address[](_witnessKeys.length);
        for (uint256 i; i < witnesses.length; ++i) {
            witnesses[i] = vm.createWallet(_witnessKeys[i]).addr;
        }
        return Policy(_originHash, vm.createWallet(signerKey).addr, witnesses, _threshold);
    }

    function id() public returns (bytes32) {
        Policy memory p = policy();
        return keccak256(abi.encode(p.originHash, p.signer, p.witnesses, p.threshold));
    }

    function append(bytes32 leaf) public returns (uint64 index) {
        index = uint64(_leaves.length);
        _leaves.push(leaf);
    }

    /// @dev Adds leaves that mean nothing, until there are `size`.
    function fill(uint256 length) external {
        while (_leaves.length < length) append(keccak256(abi.encode("filler", _leaves.length)));
    }

    function size() external view returns (uint64) {
        return uint64(_leaves.length);
    }

    function leaves() external view returns (bytes32[] memory) {
        return _leaves;
    }

    function head() public view returns (Head memory) {
        return Head(count, anchored, Tree.peaks(_leaves, anchored));
    }

    function rootAt(uint64 size_) public view returns (bytes32) {
        return Tree.root(_leaves, 0, size_);
    }

    function nodes() public view returns (bytes32[] memory) {
        return Tree.aligned(_leaves, anchored, _leaves.length);
    }

    /// @dev Anchors everything appended so far, as an honest log does.
    function anchorAll() external returns (Seat memory) {
        uint64 newSize = uint64(_leaves.length);
        bytes[] memory signatures = quorum(newSize, rootAt(newSize));
        Policy memory p = policy();
        Head memory h = head();
        bytes32[] memory n = nodes();
        ANCHOR.anchor(p, h, n, newSize, signatures);
        uint64 start = uint64(Tree.seatStart(anchored, newSize));
        _seat = Seat(count, start, newSize, uint64(vm.getBlockTimestamp()), Tree.root(_leaves, start, newSize));
        anchored = newSize;
        ++count;
        return _seat;
    }

    function seat() external view returns (Seat memory) {
        return _seat;
    }

    /// @dev The latest seat and the path in it.
    function prove(uint64 index) external view returns (SeatRef memory, bytes32[] memory) {
        Seat memory s = _seat;
        return (SeatRef(s.count, s.start, s.end, s.time), Tree.path(_leaves, index - s.start, s.start, s.end));
    }

    /// @dev The signatures of the log and of as many witnesses as the policy wants.
    function quorum(uint64 size_, bytes32 root) public returns (bytes[] memory signatures) {
        bytes32 digest = digestOf(size_, root);
        signatures = new bytes[](1 + _threshold);
        signatures[0] = signed(signerKey, digest);
        for (uint256 i; i < _threshold; ++i) {
            signatures[1 + i] = signed(_witnessKeys[i], digest);
        }
    }

    function digestOf(uint64 size_, bytes32 root) public returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(keccak256("EIP712Domain(string name,string version)"), keccak256("Affiant Log"), keccak256("1"))
        );
        bytes32 structHash =
            keccak256(abi.encode(keccak256("Checkpoint(bytes32 logId,uint64 size,bytes32 root)"), id(), size_, root));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function signed(uint256 key, bytes32 digest) public pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function byAddress(uint256[] memory keys) private returns (uint256[] memory) {
        for (uint256 i; i < keys.length; ++i) {
            for (uint256 j = i + 1; j < keys.length; ++j) {
                if (vm.createWallet(keys[j]).addr < vm.createWallet(keys[i]).addr) {
                    (keys[i], keys[j]) = (keys[j], keys[i]);
                }
            }
        }
        return keys;
    }
}
