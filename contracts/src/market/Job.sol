// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Where a job stands (ERC-8183).
enum Status {
    Open,
    Funded,
    Submitted,
    Completed,
    Rejected,
    Expired
}

/// @notice Where a job's money is. It tells a verdict that was given from one that was paid.
/// None: no money came. Held: in escrow, no verdict. Pending: a verdict, open to dispute. Disputed: the arbiter's. Paid: gone.
enum Money {
    None,
    Held,
    Pending,
    Disputed,
    Paid
}

/// @notice What client and provider have agreed on beyond ERC-8183; fixed when the job is created.
/// @param terms digest of the sworn offer that they agreed on; 0 for none
/// @param arbiter who decides a dispute; 0 for nobody, and then both windows are 0
/// @param disputeWindow seconds in which either of them may dispute a verdict, before it is paid
/// @param answerWindow seconds that the arbiter has to answer, before the verdict stands
struct Bargain {
    bytes32 terms;
    address arbiter;
    uint32 disputeWindow;
    uint32 answerWindow;
}

/// @notice A job.
/// @param client who ordered it and pays
/// @param status where it stands
/// @param money where its money is
/// @param expiredAt first second in which its money can be claimed back
/// @param provider who does it; 0 while nobody is named
/// @param dueAt first second in which a verdict that was given can be paid; 0 without one
/// @param evaluator who says whether it was done
/// @param hook what is told of its changes, and may object; 0 for nothing
/// @param budget what is paid for it
/// @param bargain what was agreed on beyond ERC-8183
/// @param description what is to be done
struct Job {
    address client;
    Status status;
    Money money;
    uint48 expiredAt;
    address provider;
    uint48 dueAt;
    address evaluator;
    address hook;
    uint256 budget;
    Bargain bargain;
    string description;
}
