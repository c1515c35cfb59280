// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev The most decimals that a value may have.
uint8 constant MAX_DECIMALS = 18;

/// @notice Values counted so far.
/// @param count how many
/// @param sum of the values, at MAX_DECIMALS
/// @param withDecimals how many had each number of decimals
struct Tally {
    uint64 count;
    int256 sum;
    uint64[MAX_DECIMALS + 1] withDecimals;
}

/// @title The average of values with different numbers of decimals (ERC-8004)
/// @notice It has as many decimals as most of the values have, of equally many the fewest.
library Tallying {
    /// @dev Counts one more value. Below 10^38 at 18 decimals more, 10^21 of them fit.
    function add(Tally memory tally, int128 value, uint8 decimals) internal pure {
        ++tally.count;
        tally.sum += int256(value) * _power(MAX_DECIMALS - decimals);
        ++tally.withDecimals[decimals];
    }

    /// @dev The average, rounded towards zero; 0 of no values. It is given fewer decimals where it would not fit: one huge
    /// value must not turn it into another number.
    function average(Tally memory tally) internal pure returns (int128 value, uint8 decimals) {
        if (tally.count == 0) return (0, 0);
        for (uint8 i = 1; i <= MAX_DECIMALS; ++i) {
            if (tally.withDecimals[i] > tally.withDecimals[decimals]) decimals = i;
        }
        int256 exact = tally.sum / int256(uint256(tally.count));
        while (_isLarge(exact / _power(MAX_DECIMALS - decimals))) --decimals;
        value = int128(exact / _power(MAX_DECIMALS - decimals));
    }

    function _power(uint8 exponent) private pure returns (int256) {
        return int256(10 ** uint256(exponent));
    }

    function _isLarge(int256 value) private pure returns (bool) {
        return value > type(int128).max || value < type(int128).min;
    }
}
