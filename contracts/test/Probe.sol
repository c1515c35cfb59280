// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Mandate} from "../src/core/Mandate.sol";

/// @title A target that looks around while it is called
contract Probe {
    error Deliberate(uint256 code);

    bytes32 public model;
    bytes32 public statement;
    uint256 public received;
    bytes public reentry;

    /// @notice Sets what `look` sends back to its caller.
    function plan(bytes calldata data) external {
        reentry = data;
    }

    /// @notice Remembers what is being executed, then calls the mandate back if that was planned; fails at last for 13.
    function look(uint256 code) external payable returns (uint256) {
        (model, statement) = Mandate(payable(msg.sender)).executing();
        received += msg.value;
        if (reentry.length != 0) {
            (bool success, bytes memory returned) = msg.sender.call(reentry);
            if (!success) {
                assembly {
                    revert(add(returned, 32), mload(returned))
                }
            }
        }
        if (code == 13) revert Deliberate(code);
        return 42;
    }

    /// @notice Calls a mandate several times in one transaction, and sees nothing being executed in between.
    function carry(address mandate, bytes[] calldata calls) external {
        for (uint256 i; i < calls.length; ++i) {
            (bool success,) = mandate.call(calls[i]);
            (bytes32 model_, bytes32 statement_) = Mandate(payable(mandate)).executing();
            if (!success || model_ != 0 || statement_ != 0) revert Deliberate(i);
        }
    }

    /// @notice Fails.
    function fail(uint256 code) external pure {
        revert Deliberate(code);
    }
}
