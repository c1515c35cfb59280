// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Cheats} from "../Cheats.sol";

/// @title What the engine calls at random, in invariant tests
/// @notice Each action decides from one number what it does, tries it, and fails if what came of it is wrong.
abstract contract Handler is Cheats {
    /// @dev Kept here, as not every engine lets a warp outlive the call.
    uint256 public time = 1_790_000_000;

    uint256 private _seed;

    /// @dev Begins an action.
    modifier action(uint256 seed) {
        vm.warp(time);
        _seed = seed;
        _;
    }

    /// @dev A number below `bound`, other each time.
    function pick(uint256 bound) internal returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % bound;
    }

    function chance(uint256 percent) internal returns (bool) {
        return pick(100) < percent;
    }

    function tries(address who, address target, bytes memory data) internal returns (bool success) {
        vm.prank(who);
        (success,) = target.call(data);
    }
}

/// @title What an invariant test tells the engine
abstract contract Campaign is Cheats {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    FuzzSelector[] private _targets;

    function aim(address handler, bytes4[] memory selectors) internal {
        _targets.push(FuzzSelector(handler, selectors));
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        return _targets;
    }

    function targetContracts() external view returns (address[] memory contracts) {
        contracts = new address[](_targets.length);
        for (uint256 i; i < contracts.length; ++i) {
            contracts[i] = _targets[i].addr;
        }
    }
}
