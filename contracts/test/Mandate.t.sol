// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {GasTests} from "./Gas.t.sol";
import {MandateApprovalsTests} from "./MandateApprovals.t.sol";
import {MandateCreationTests} from "./MandateCreation.t.sol";
import {MandateCustodyTests} from "./MandateCustody.t.sol";
import {MandateExecutionTests} from "./MandateExecution.t.sol";
import {MandateGuardTests} from "./MandateGuard.t.sol";
import {MandateOathTests} from "./MandateOath.t.sol";
import {MandateSuspensionTests} from "./MandateSuspension.t.sol";
import {MandateTermsTests} from "./MandateTerms.t.sol";

/// @dev One contract, so that what the tests share is compiled once.
contract MandateTest is
    MandateCreationTests,
    MandateExecutionTests,
    MandateTermsTests,
    MandateOathTests,
    MandateCustodyTests,
    MandateSuspensionTests,
    MandateGuardTests,
    MandateApprovalsTests,
    GasTests
{}
