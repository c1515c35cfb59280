// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MandateDomain} from "./MandateDomain.sol";

/// @notice One call under a mandate. Its EIP-712 digest is the subject of the decision that allows it.
/// @param epoch the mandate's epoch
/// @param nonce the mandate's nonce
/// @param model digest of the model that decided
/// @param target the contract to call
/// @param value native value to send
/// @param data calldata
/// @param deadline last second in which it may be executed
/// @param relayer who must carry it; 0 for anyone
/// @param salt keeps the digest from being guessed before the action is public
struct Action {
    uint32 epoch;
    uint256 nonce;
    bytes32 model;
    address target;
    uint256 value;
    bytes data;
    uint64 deadline;
    address relayer;
    bytes32 salt;
}

/// @title The EIP-712 digest of an action
library ActionDigest {
    bytes32 private constant TYPE = keccak256(
        "Action(uint32 epoch,uint256 nonce,bytes32 model,address target,uint256 value,bytes data,uint64 deadline,address relayer,bytes32 salt)"
    );

    function digest(Action calldata action) internal view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                TYPE,
                action.epoch,
                action.nonce,
                action.model,
                action.target,
                action.value,
                keccak256(action.data),
                action.deadline,
                action.relayer,
                action.salt
            )
        );
        return MandateDomain.digest(structHash);
    }
}
