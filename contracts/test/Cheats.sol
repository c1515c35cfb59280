// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The test engine's commands that these tests use.
interface Vm {
    struct Wallet {
        address addr;
        uint256 publicKeyX;
        uint256 publicKeyY;
        uint256 privateKey;
    }

    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function createWallet(uint256 privateKey) external returns (Wallet memory);
    function deal(address account, uint256 value) external;
    function deployCode(string calldata artifact, bytes calldata arguments) external returns (address);
    function expectEmit(address emitter) external;
    function expectRevert(bytes calldata reason) external;
    function getBlockTimestamp() external view returns (uint256);
    function lastCallGas() external view returns (Gas memory);
    function load(address account, bytes32 slot) external view returns (bytes32);
    function prank(address sender) external;
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function store(address account, bytes32 slot, bytes32 value) external;
    function warp(uint256 time) external;
}

/// @notice The few assertions that these tests need.
abstract contract Cheats {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(string what, bytes32 left, bytes32 right);
    error False(string what);
    error Above(string what, uint256 value, uint256 bound);

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert False(what);
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert NotEqual(what, bytes32(left), bytes32(right));
    }

    function assertEq(bytes32 left, bytes32 right, string memory what) internal pure {
        if (left != right) revert NotEqual(what, left, right);
    }

    function assertEq(address left, address right, string memory what) internal pure {
        assertEq(uint160(left), uint160(right), what);
    }

    function assertEq(bytes memory left, bytes memory right, string memory what) internal pure {
        assertEq(keccak256(left), keccak256(right), what);
    }

    function assertAtMost(uint256 value, uint256 bound_, string memory what) internal pure {
        if (value > bound_) revert Above(what, value, bound_);
    }

    /// @dev A number in [low, high] that `seed` decides.
    function within(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + seed % (high - low + 1);
    }
}
