// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A leaky bucket. No `window` of time, wherever it begins, ever sees more than `limit`.
/// @param limit hard bound on the sum in any window
/// @param window seconds
struct Bucket {
    uint96 limit;
    uint32 window;
}

/// @title Metering
/// @dev The bucket holds floor(limit / 2) and leaks floor(limit / 2) in one window: what a full bucket lets through at
/// once and what leaks until a window later are together at most `limit`. Its content is counted in amount × window, so
/// that every second a whole number leaks, the rate floor(limit / 2), and small flows leak exactly.
///
/// One number is kept, the mark: rate × the moment at which the bucket will be empty. So the content is
/// mark - rate × now, or nothing once that moment has passed. A mark of 0 is an empty bucket.
library LeakyBucket {
    /// @notice The amount does not fit into what is left of the bucket now.
    error AboveLimit(uint8 bucket, uint256 amount, uint256 remaining);

    /// @dev The mark after adding `amount` now. `bucket` only names it in the refusal.
    function pour(uint256 mark, uint8 bucket, uint256 limit, uint256 window, uint256 amount)
        internal
        view
        returns (uint256)
    {
        // Below 2^135, as rate < 2^95, window < 2^32 and time < 2^40; larger amounts are refused before they count.
        unchecked {
            uint256 rate = limit / 2;
            uint256 content = contentNow(mark, rate);
            if (amount > rate || content + amount * window > rate * window) {
                revert AboveLimit(bucket, amount, (rate * window - content) / window);
            }
            return rate * block.timestamp + content + amount * window;
        }
    }

    /// @dev How much a bucket lets through now, in whole units.
    function remaining(uint256 mark, uint256 limit, uint256 window) internal view returns (uint256) {
        uint256 rate = limit / 2;
        return (rate * window - contentNow(mark, rate)) / window;
    }

    /// @dev What the bucket holds now, in amount × window.
    function contentNow(uint256 mark, uint256 rate) internal view returns (uint256) {
        unchecked {
            uint256 empty = rate * block.timestamp;
            return mark > empty ? mark - empty : 0;
        }
    }
}
