// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @dev A place in the ABI encoding of a mandate's terms, copied from its code to memory.
type Place is uint256;

using TermsCode for Place global;

/// @title Reading single terms from a mandate's code
/// @dev `abi.decode` of the whole terms would check and copy every rule; an action needs only a few words.
/// The factory encoded the terms with `abi.encode`, so the offsets followed here are the compiler's own.
library TermsCode {
    // Words of the terms, in the order of the struct. Those of dynamic types hold an offset to follow.
    uint256 internal constant PRINCIPAL = 0;
    uint256 internal constant AGENT = 1;
    uint256 internal constant ANCHOR = 2;
    uint256 internal constant LOG_ID = 3;
    uint256 internal constant VALID_FROM = 4;
    uint256 internal constant VALID_UNTIL = 5;
    uint256 internal constant LONGEST_LIFE = 6;
    uint256 internal constant HEADER = 7;
    uint256 internal constant GUARDIAN = 8;
    uint256 internal constant GUARD = 9;
    uint256 internal constant APPROVALS = 10;
    uint256 internal constant BUCKETS = 11;
    uint256 internal constant RULES = 12;

    // Words of the guardian.
    uint256 internal constant ACCOUNT = 0;
    uint256 internal constant GUARDIAN_LIMIT = 1;
    uint256 internal constant GUARDIAN_WINDOW = 2;
    uint256 internal constant GUARDIAN_HEADER = 3;

    // Words of a rule.
    uint256 internal constant TARGET = 0;
    uint256 internal constant SELECTOR = 1;
    uint256 internal constant AMOUNT_WORD = 2;
    uint256 internal constant BUCKET = 3;
    uint256 internal constant CAP = 4;
    uint256 internal constant PINS = 5;

    // Words of a pin.
    uint256 internal constant WORD = 0;
    uint256 internal constant ALLOWED = 1;

    // Words of a bucket.
    uint256 internal constant LIMIT = 0;
    uint256 internal constant WINDOW = 1;

    /// @dev Copies the terms of the running clone to memory.
    function load() internal view returns (Place terms) {
        bytes memory code = Clones.fetchCloneArgs(address(this));
        assembly ("memory-safe") {
            // After the length of `code` comes the offset of the struct, one word.
            terms := add(code, 0x40)
        }
    }

    /// @dev Word number `i` from here.
    function word(Place place, uint256 i) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(place, shl(5, i)))
        }
    }

    /// @dev Word number `i` from here, as an address.
    function account(Place place, uint256 i) internal pure returns (address) {
        return address(uint160(place.word(i)));
    }

    /// @dev Where the offset in word number `i` leads.
    function follow(Place place, uint256 i) internal pure returns (Place) {
        return Place.wrap(Place.unwrap(place) + place.word(i));
    }

    /// @dev The first element, or its offset, of the array that begins here with its length.
    function items(Place place) internal pure returns (Place) {
        return Place.wrap(Place.unwrap(place) + 0x20);
    }

    /// @dev The `bytes` that begin here: their encoding is also their layout in memory.
    function toBytes(Place place) internal pure returns (bytes memory value) {
        assembly ("memory-safe") {
            value := place
        }
    }
}
