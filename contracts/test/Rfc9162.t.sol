// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CompactRange} from "../src/core/CompactRange.sol";
import {Rfc9162} from "../src/core/Rfc9162.sol";
import {Cheats} from "./Cheats.sol";
import {Tree} from "./Tree.sol";

/// @dev The libraries take calldata, so they are called from outside.
contract TreeHarness {
    function root(bytes32 leaf, uint64 index, uint64 size, bytes32[] calldata path) external view returns (bytes32) {
        return Rfc9162.root(leaf, index, size, path);
    }

    function extend(bytes32[] calldata peaks, uint64 size, bytes32[] calldata nodes, uint64 newSize)
        external
        view
        returns (bytes32[] memory grown, bytes32 all, bytes32 recent, uint64 start)
    {
        grown = CompactRange.extend(peaks, size, nodes, newSize);
        (all, recent, start) = CompactRange.fold(grown, newSize, size);
    }

    function rootOf(bytes32[] calldata peaks) external view returns (bytes32) {
        return CompactRange.rootOf(peaks);
    }
}

contract Rfc9162Test is Cheats {
    TreeHarness private _tree = new TreeHarness();

    function _leaves(uint256 size) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i; i < size; ++i) {
            leaves[i] = keccak256(abi.encode("leaf", i));
        }
    }

    /// @notice In a tree of any size every leaf proves, by the path the RFC defines.
    function testFuzz_everyLeafProves(uint256 seed) public view {
        uint256 size = within(seed, 1, 40);
        bytes32[] memory leaves = _leaves(size);
        bytes32 root = Tree.root(leaves, 0, size);
        for (uint64 i; i < size; ++i) {
            bytes32 found = _tree.root(leaves[i], i, uint64(size), Tree.path(leaves, i, 0, size));
            assertEq(found, root, "root");
        }
    }

    /// @notice The published tree of RFC 6962 (eight entries) has the published root.
    function test_publishedVector() public view {
        bytes[8] memory entries = [
            bytes(hex""),
            hex"00",
            hex"10",
            hex"2021",
            hex"3031",
            hex"40414243",
            hex"5051525354555657",
            hex"606162636465666768696a6b6c6d6e6f"
        ];
        bytes32[] memory leaves = new bytes32[](8);
        for (uint256 i; i < 8; ++i) {
            leaves[i] = sha256(abi.encodePacked(hex"00", entries[i]));
        }
        bytes32 root = 0x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328;
        assertEq(_tree.root(leaves[5], 5, 8, Tree.path(leaves, 5, 0, 8)), root, "eight");
        root = 0xddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c;
        assertEq(_tree.root(leaves[6], 6, 7, Tree.path(leaves, 6, 0, 7)), root, "seven");
    }

    /// @notice A path with one hash less or one hash more is refused, whatever the leaf.
    function testFuzz_pathLengthIsExact(uint256 seed, uint256 which) public {
        uint256 size = within(seed, 2, 40);
        uint64 index = uint64(which % size);
        bytes32[] memory leaves = _leaves(size);
        bytes32[] memory path = Tree.path(leaves, index, 0, size);
        bytes32[] memory longer = Tree.append(path, keccak256("more"));
        bytes memory reason =
            abi.encodeWithSelector(Rfc9162.WrongPathLength.selector, longer.length, index, uint64(size));
        vm.expectRevert(reason);
        _tree.root(leaves[index], index, uint64(size), longer);
        bytes32[] memory shorter = new bytes32[](path.length - 1);
        for (uint256 i; i < shorter.length; ++i) {
            shorter[i] = path[i];
        }
        reason = abi.encodeWithSelector(Rfc9162.WrongPathLength.selector, shorter.length, index, uint64(size));
        vm.expectRevert(reason);
        _tree.root(leaves[index], index, uint64(size), shorter);
    }

    /// @notice The path of one leaf proves no other place.
    function testFuzz_otherIndexGivesOtherRoot(uint256 seed, uint256 one, uint256 two) public view {
        uint256 size = within(seed, 2, 40);
        (one, two) = (one % size, two % size);
        vm.assume(one != two);
        bytes32[] memory leaves = _leaves(size);
        bytes32[] memory path = Tree.path(leaves, one, 0, size);
        if (path.length != Tree.path(leaves, two, 0, size).length) return;
        bytes32 found = _tree.root(leaves[one], uint64(two), uint64(size), path);
        assertTrue(found != Tree.root(leaves, 0, size), "proves elsewhere");
    }

    /// @notice Growing by any sequence of sizes gives the peaks, the root and the seat of the recursive definition.
    function testFuzz_growthEqualsDefinition(uint256 seed) public view {
        bytes32[] memory leaves = _leaves(60);
        bytes32[] memory peaks = new bytes32[](0);
        uint64 size;
        while (size < 60) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 newSize = uint64(within(seed, size + 1, size + 24 > 60 ? 60 : size + 24));
            bytes32[] memory nodes = Tree.aligned(leaves, size, newSize);
            (bytes32[] memory grown, bytes32 all, bytes32 recent, uint64 start) =
                _tree.extend(peaks, size, nodes, newSize);
            assertEq(abi.encode(grown), abi.encode(Tree.peaks(leaves, newSize)), "peaks");
            assertEq(all, Tree.root(leaves, 0, newSize), "root");
            assertEq(_tree.rootOf(grown), all, "root of peaks");
            assertEq(start, Tree.seatStart(size, newSize), "start");
            assertEq(recent, Tree.root(leaves, start, newSize), "seat");
            (peaks, size) = (grown, newSize);
        }
    }

    /// @notice Sizes up to 2^63 - 1 are handled: 63 peaks grow from 62.
    function test_largestSize() public view {
        uint64 newSize = (1 << 63) - 1;
        bytes32[] memory peaks = new bytes32[](62);
        for (uint256 i; i < 62; ++i) {
            peaks[i] = keccak256(abi.encode("peak", i));
        }
        bytes32[] memory nodes = new bytes32[](1);
        nodes[0] = keccak256("last");
        (bytes32[] memory grown, bytes32 all, bytes32 recent, uint64 start) =
            _tree.extend(peaks, newSize - 1, nodes, newSize);
        assertEq(grown.length, 63, "peaks");
        assertEq(recent, nodes[0], "seat");
        assertEq(start, newSize - 1, "start");
        assertEq(all, _tree.rootOf(grown), "root");
    }

    /// @notice One subtree root less or more than the growth needs is refused.
    function test_nodeCountIsExact() public {
        bytes32[] memory leaves = _leaves(13);
        bytes32[] memory nodes = Tree.aligned(leaves, 5, 13);
        bytes32[] memory peaks = Tree.peaks(leaves, 5);
        assertEq(nodes.length, 4, "nodes");
        bytes32[] memory longer = Tree.append(nodes, 0);
        vm.expectRevert(abi.encodeWithSelector(CompactRange.TooManyNodes.selector, 5, 4));
        _tree.extend(peaks, 5, longer, 13);
        bytes32[] memory shorter = new bytes32[](3);
        (shorter[0], shorter[1], shorter[2]) = (nodes[0], nodes[1], nodes[2]);
        vm.expectRevert(abi.encodeWithSelector(CompactRange.TooFewNodes.selector, 3, uint64(12), uint64(13)));
        _tree.extend(peaks, 5, shorter, 13);
    }
}
