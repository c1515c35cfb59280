// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {Head} from "../src/core/ILogAnchor.sol";
import {Oath, SeatRef} from "../src/core/Oath.sol";
import {Suspension} from "../src/core/Suspension.sol";
import {Rule, Terms} from "../src/core/Terms.sol";
import {House} from "./House.sol";

abstract contract GasTests is House {
    /// @notice A transfer under two rules, proven by 6 levels, costs at most 82,000 gas as a whole transaction.
    function test_sixLevels() public {
        assertAtMost(_transferGas(6), 82_000, "gas");
    }

    /// @notice A transfer under two rules, proven by 20 levels, costs at most 95,000 gas as a whole transaction.
    function test_twentyLevels() public {
        assertAtMost(_transferGas(20), 95_000, "gas");
    }

    /// @dev The second of two transfers to a funded account: no slot is written for the first time.
    function _transferGas(uint256 levels) private returns (uint256) {
        Terms memory t = terms();
        Rule[] memory rules = new Rule[](2);
        (rules[0], rules[1]) = (t.rules[0], t.rules[1]);
        t.rules = rules;
        mandate = create(t);
        token.mint(address(mandate), 1_000_000);
        token.mint(supplier, 1);

        Action memory first = transfer(100);
        Action memory second = transfer(100);
        second.nonce = 1;
        (Oath memory one, Oath memory two) = (sworn(first), sworn(second));

        _anchorBoth(levels, leafOf(first, one), one, leafOf(second, two), two);
        mandate.execute(first, one);
        mandate.execute(second, two);
        return vm.lastCallGas().gasTotalUsed;
    }

    /// @notice A mandate's first suspension, which writes its slots for the first time, proven by 6 levels, costs at
    /// most 97,000 gas as a whole transaction; a later one at most 63,000.
    function test_suspendSixLevels() public {
        Suspension memory first = stay(60);
        Suspension memory second = Suspension(1, first.until + 60);
        (Oath memory one, Oath memory two) = (sworn(first), sworn(second));
        _anchorBoth(6, leafOf(first, one), one, leafOf(second, two), two);
        mandate.suspend(first, one);
        assertAtMost(vm.lastCallGas().gasTotalUsed, 97_000, "first");
        mandate.suspend(second, two);
        assertAtMost(vm.lastCallGas().gasTotalUsed, 63_000, "next");
    }

    /// @dev Anchors a tree of 2^levels leaves whose first two are known and whose other subtrees are whatever they are.
    function _anchorBoth(uint256 levels, bytes32 first, Oath memory one, bytes32 second, Oath memory two) private {
        (one.path, two.path) = (new bytes32[](levels), new bytes32[](levels));
        bytes32 root = sha256(abi.encodePacked(hex"01", first, second));
        for (uint256 i = 1; i < levels; ++i) {
            one.path[i] = two.path[i] = keccak256(abi.encode("subtree", i));
            root = sha256(abi.encodePacked(hex"01", root, one.path[i]));
        }
        (one.path[0], two.path[0], two.index) = (second, first, 1);
        bytes32[] memory nodes = new bytes32[](1);
        nodes[0] = root;
        uint64 size = uint64(1 << levels);
        anchor.anchor(log.policy(), Head(0, 0, new bytes32[](0)), nodes, size, log.quorum(size, root));
        one.seat = two.seat = SeatRef(0, 0, size, uint64(block.timestamp));
    }
}
