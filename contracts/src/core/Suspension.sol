// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MandateDomain} from "./MandateDomain.sol";

/// @notice A stay of a mandate. Its EIP-712 digest is the subject of the alert that demands it.
/// @param number the mandate's next suspension, so that none counts twice
/// @param until first second in which the agent may act again
struct Suspension {
    uint32 number;
    uint40 until;
}

/// @title The EIP-712 digest of a suspension
library SuspensionDigest {
    bytes32 private constant TYPE = keccak256("Suspension(uint32 number,uint40 until)");

    function digest(Suspension calldata suspension) internal view returns (bytes32) {
        return MandateDomain.digest(keccak256(abi.encode(TYPE, suspension.number, suspension.until)));
    }
}
