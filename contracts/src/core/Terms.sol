// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bucket} from "./Bucket.sol";

/// @notice One argument of a call that must have one of the values listed.
/// @param word which 32-byte word after the selector
/// @param allowed the values; for a static type, the argument itself, padded to a word
struct Pin {
    uint8 word;
    bytes32[] allowed;
}

/// @notice One function of one contract that the agent may call.
/// @param target the contract
/// @param selector the function
/// @param amountWord which word after the selector is the amount; or PER_CALL, or NATIVE_VALUE
/// @param bucket the bucket that meters the amount
/// @param cap the most that one action may carry
/// @param pins arguments that are not free
struct Rule {
    address target;
    bytes4 selector;
    uint8 amountWord;
    uint8 bucket;
    uint128 cap;
    Pin[] pins;
}

/// @notice Who may suspend the agent, and for how long: no `window` of time sees more than `limit` seconds of it.
/// @param account ledger address of the guardian's key; 0 for no guardian
/// @param limit hard bound on the seconds of suspension in any window; one suspension lasts at most half of it
/// @param window seconds
/// @param header the guardian's COSE protected header of an alert without its last four bytes, the time
struct Guardian {
    address account;
    uint32 limit;
    uint32 window;
    bytes header;
}

/// @notice What a principal allows an agent to do. A mandate's terms are part of its code and never change.
/// @param principal whose budget it is; may revoke and withdraw
/// @param agent ledger address of the agent's key
/// @param anchor the `LogAnchor` that knows the log
/// @param logId the log in which decisions must be
/// @param validFrom first second
/// @param validUntil last second
/// @param longestLife most seconds from the time a decision was sworn to its deadline
/// @param header the agent's COSE protected header without its last four bytes, the time
/// @param guardian who may suspend the agent
/// @param guard what judges every action as a whole; 0 for nothing
/// @param approvals what says whether the model that decided is approved; 0 for any model
/// @param buckets what is metered
/// @param rules what may be called
/// @param extensions empty in version 1
struct Terms {
    address principal;
    address agent;
    address anchor;
    bytes32 logId;
    uint64 validFrom;
    uint64 validUntil;
    uint32 longestLife;
    bytes header;
    Guardian guardian;
    address guard;
    address approvals;
    Bucket[] buckets;
    Rule[] rules;
    bytes extensions;
}

/// @dev As a rule's `amountWord`: the amount is the action's native value.
uint8 constant NATIVE_VALUE = 255;

/// @dev As a rule's `amountWord`: every call counts one.
uint8 constant PER_CALL = 254;
