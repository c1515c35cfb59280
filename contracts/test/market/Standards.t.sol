// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";

import {AgentIdentity} from "../../src/market/AgentIdentity.sol";
import {AgentReputation} from "../../src/market/AgentReputation.sol";
import {IACPHook} from "../../src/market/IACPHook.sol";
import {IApprovals} from "../../src/core/IApprovals.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {MarketStage} from "./MarketStage.sol";

/// @title The names that others call by
/// @dev Literal values come from the standards' deployments; signatures are written out, as a name in Solidity follows every
/// change of the code. That overloads are there is shown by the tests that call them by these values.
contract StandardsTest is MarketStage {
    function _is(bytes4 ours, string memory signature) private pure {
        assertEq(bytes32(ours), bytes32(bytes4(keccak256(bytes(signature)))), signature);
    }

    function _topic(bytes32 ours, string memory signature) private pure {
        assertEq(ours, keccak256(bytes(signature)), signature);
    }

    function _literal(bytes4 value, string memory signature) private pure {
        assertEq(bytes32(value), bytes32(bytes4(keccak256(bytes(signature)))), signature);
    }

    /// @notice EIP-3009: the selectors by which the token's tests call it, and the events.
    function test_eip3009() public pure {
        string memory fields = "address,address,uint256,uint256,uint256,bytes32";
        _literal(0xe3ee160e, string.concat("transferWithAuthorization(", fields, ",uint8,bytes32,bytes32)"));
        _literal(0xcf092995, string.concat("transferWithAuthorization(", fields, ",bytes)"));
        _literal(0xef55bec6, string.concat("receiveWithAuthorization(", fields, ",uint8,bytes32,bytes32)"));
        _literal(0x88b7ab63, string.concat("receiveWithAuthorization(", fields, ",bytes)"));
        _literal(0x5a049a70, "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)");
        _literal(0xb7b72899, "cancelAuthorization(address,bytes32,bytes)");
        _literal(0xe94a0102, "authorizationState(address,bytes32)");
        _is(IERC3009.authorizationState.selector, "authorizationState(address,bytes32)");
        _topic(IERC3009.AuthorizationUsed.selector, "AuthorizationUsed(address,bytes32)");
        assertEq(
            keccak256(
                "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
            ),
            0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267,
            "type"
        );
    }

    /// @notice ERC-8183: functions, the hook's two, and events.
    function test_erc8183() public pure {
        _is(JobEscrow.createJob.selector, "createJob(address,address,uint256,string,address)");
        _is(JobEscrow.setProvider.selector, "setProvider(uint256,address,bytes)");
        _is(JobEscrow.setBudget.selector, "setBudget(uint256,uint256,bytes)");
        _is(JobEscrow.fund.selector, "fund(uint256,uint256,bytes)");
        _is(JobEscrow.submit.selector, "submit(uint256,bytes32,bytes)");
        _is(JobEscrow.complete.selector, "complete(uint256,bytes32,bytes)");
        _is(JobEscrow.reject.selector, "reject(uint256,bytes32,bytes)");
        _is(JobEscrow.claimRefund.selector, "claimRefund(uint256)");
        _is(IACPHook.beforeAction.selector, "beforeAction(uint256,bytes4,bytes)");
        _is(IACPHook.afterAction.selector, "afterAction(uint256,bytes4,bytes)");
        _topic(JobEscrow.JobCreated.selector, "JobCreated(uint256,address,address,address,uint256,address)");
        _topic(JobEscrow.ProviderSet.selector, "ProviderSet(uint256,address)");
        _topic(JobEscrow.BudgetSet.selector, "BudgetSet(uint256,uint256)");
        _topic(JobEscrow.JobFunded.selector, "JobFunded(uint256,address,uint256)");
        _topic(JobEscrow.JobSubmitted.selector, "JobSubmitted(uint256,address,bytes32)");
        _topic(JobEscrow.JobCompleted.selector, "JobCompleted(uint256,address,bytes32)");
        _topic(JobEscrow.JobRejected.selector, "JobRejected(uint256,address,bytes32)");
        _topic(JobEscrow.JobExpired.selector, "JobExpired(uint256)");
        _topic(JobEscrow.PaymentReleased.selector, "PaymentReleased(uint256,address,uint256)");
        _topic(JobEscrow.Refunded.selector, "Refunded(uint256,address,uint256)");
    }

    /// @notice Beyond the standard: what other software calls an escrow by.
    function test_escrow() public pure {
        _is(
            JobEscrow.createJobWith.selector,
            "createJobWith(address,address,uint256,string,address,(bytes32,address,uint32,uint32))"
        );
        _is(JobEscrow.dispute.selector, "dispute(uint256,bytes32)");
        _is(JobEscrow.resolve.selector, "resolve(uint256,uint256)");
        _is(JobEscrow.settle.selector, "settle(uint256)");
        _is(IApprovals.isApproved.selector, "isApproved(bytes32)");
    }

    /// @notice ERC-8004, identity: functions and events; and that it is an ERC-721 with metadata.
    function test_erc8004Identity() public {
        _literal(0x8ea42286, "register(string,(string,bytes)[])");
        _literal(0xf2c298be, "register(string)");
        _literal(0x1aa3a008, "register()");
        assertEq(bytes32(AgentIdentity.setAgentURI.selector), bytes32(bytes4(0x0af28bd3)), "setAgentURI");
        assertEq(bytes32(AgentIdentity.setAgentWallet.selector), bytes32(bytes4(0x2d1ef5ae)), "setAgentWallet");
        _is(AgentIdentity.setAgentURI.selector, "setAgentURI(uint256,string)");
        _is(AgentIdentity.setAgentWallet.selector, "setAgentWallet(uint256,address,uint256,bytes)");
        _is(AgentIdentity.getAgentWallet.selector, "getAgentWallet(uint256)");
        _is(AgentIdentity.unsetAgentWallet.selector, "unsetAgentWallet(uint256)");
        _is(AgentIdentity.getMetadata.selector, "getMetadata(uint256,string)");
        _is(AgentIdentity.setMetadata.selector, "setMetadata(uint256,string,bytes)");
        _is(AgentIdentity.isAuthorizedOrOwner.selector, "isAuthorizedOrOwner(address,uint256)");
        _topic(AgentIdentity.Registered.selector, "Registered(uint256,string,address)");
        _topic(AgentIdentity.MetadataSet.selector, "MetadataSet(uint256,string,string,bytes)");
        _topic(AgentIdentity.URIUpdated.selector, "URIUpdated(uint256,string,address)");
        IERC165 identity = IERC165(address(newIdentity()));
        assertTrue(identity.supportsInterface(0x80ac58cd), "ERC-721");
        assertTrue(identity.supportsInterface(0x5b5e139f), "ERC-721 metadata");
    }

    /// @notice ERC-8004, reputation: functions and events.
    function test_erc8004Reputation() public pure {
        bytes4 give = AgentReputation.giveFeedback.selector;
        assertEq(bytes32(give), bytes32(bytes4(0x3c036a7e)), "giveFeedback");
        _is(give, "giveFeedback(uint256,int128,uint8,string,string,string,string,bytes32)");
        _is(AgentReputation.revokeFeedback.selector, "revokeFeedback(uint256,uint64)");
        _is(AgentReputation.appendResponse.selector, "appendResponse(uint256,address,uint64,string,bytes32)");
        _is(AgentReputation.getSummary.selector, "getSummary(uint256,address[],string,string)");
        _is(AgentReputation.readFeedback.selector, "readFeedback(uint256,address,uint64)");
        _is(AgentReputation.readAllFeedback.selector, "readAllFeedback(uint256,address[],string,string,bool)");
        _is(AgentReputation.getResponseCount.selector, "getResponseCount(uint256,address,uint64,address[])");
        _is(AgentReputation.getClients.selector, "getClients(uint256)");
        _is(AgentReputation.getLastIndex.selector, "getLastIndex(uint256,address)");
        _is(AgentReputation.getIdentityRegistry.selector, "getIdentityRegistry()");
        bytes32 topic = AgentReputation.NewFeedback.selector;
        assertEq(bytes32(bytes4(topic)), bytes32(bytes4(0x6a4a6174)), "NewFeedback");
        _topic(
            topic, "NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)"
        );
        _topic(AgentReputation.FeedbackRevoked.selector, "FeedbackRevoked(uint256,address,uint64)");
        _topic(
            AgentReputation.ResponseAppended.selector, "ResponseAppended(uint256,address,uint64,address,string,bytes32)"
        );
    }
}
