// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AgentIdentity} from "../../src/market/AgentIdentity.sol";
import {AgentReputation} from "../../src/market/AgentReputation.sol";
import {Bargain, Money, Status} from "../../src/market/Job.sol";
import {JobEscrow} from "../../src/market/JobEscrow.sol";
import {PaymentToken} from "../../src/market/PaymentToken.sol";
import {ServiceCredits} from "../../src/market/ServiceCredits.sol";
import {Cheats} from "../Cheats.sol";
import {MoreVm} from "../finance/MoreVm.sol";

/// @title A wallet that is a contract and vouches for what its owner has signed (ERC-1271)
contract Wallet {
    bytes32 public agreed;

    function agree(bytes32 digest) external {
        agreed = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return digest == agreed && keccak256(signature) == keccak256("so be it") ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// @title What the market's tests stand on: a token, an escrow, people
/// @dev Contracts are deployed by name, as `new` would compile them a second time.
abstract contract MarketStage is Cheats {
    MoreVm internal constant more = MoreVm(address(vm));

    address internal constant CLIENT = address(0xC11E);
    address internal constant PROVIDER = address(0x9607);
    address internal constant EVALUATOR = address(0xE7A1);
    address internal constant ARBITER = address(0xA4B1);
    address internal constant OWNER = address(0x0137);
    address internal constant ALICE = address(0xA11);
    address internal constant BOB = address(0xB0B);
    uint256 internal constant START = 1_790_000_000;
    uint256 internal constant FOREVER = type(uint256).max;

    uint32 internal constant DISPUTE = 1 days;
    uint32 internal constant ANSWER = 3 days;
    uint256 internal constant BUDGET = 5_000_000;
    uint256 internal constant EXPIRY = START + 7 days;
    bytes32 internal constant TERMS = keccak256("sworn offer");
    bytes32 internal constant WORK = keccak256("work");
    bytes32 internal constant WHY = keccak256("why");

    PaymentToken internal token;

    function setUp() public virtual {
        vm.warp(START);
        token = PaymentToken(vm.deployCode("PaymentToken.sol:PaymentToken", abi.encode("Euro", "EUR", address(this))));
    }

    function newEscrow(address token_) internal returns (JobEscrow) {
        return JobEscrow(vm.deployCode("JobEscrow.sol:JobEscrow", abi.encode(token_)));
    }

    function newCredits(address token_) internal returns (ServiceCredits) {
        return ServiceCredits(vm.deployCode("ServiceCredits.sol:ServiceCredits", abi.encode(token_)));
    }

    function newIdentity() internal returns (AgentIdentity) {
        return AgentIdentity(vm.deployCode("AgentIdentity.sol:AgentIdentity", ""));
    }

    function newReputation(AgentIdentity identity) internal returns (AgentReputation) {
        return AgentReputation(vm.deployCode("AgentReputation.sol:AgentReputation", abi.encode(identity)));
    }

    function arbitrated() internal pure returns (Bargain memory) {
        return Bargain(TERMS, ARBITER, DISPUTE, ANSWER);
    }

    /// @dev Somebody calls, and it succeeds.
    function does(address who, address target, bytes memory data) internal returns (bytes memory returned) {
        bool success;
        vm.prank(who);
        (success, returned) = target.call(data);
        if (!success) {
            assembly {
                revert(add(returned, 32), mload(returned))
            }
        }
    }

    /// @dev Somebody calls, and it is refused for exactly this reason.
    function refuses(address who, address target, bytes memory data, bytes memory reason) internal {
        vm.prank(who);
        (bool success, bytes memory returned) = target.call(data);
        assertTrue(!success, "refused");
        assertEq(returned, reason, "reason");
    }

    /// @dev The constructor fails with this reason.
    function refusesToDeploy(string memory artifact, bytes memory arguments, bytes memory reason) internal {
        bytes memory code = bytes.concat(more.getCode(artifact), arguments);
        address deployed;
        bytes memory returned;
        assembly {
            deployed := create(0, add(code, 32), mload(code))
            returned := mload(0x40)
            mstore(returned, returndatasize())
            returndatacopy(add(returned, 32), 0, returndatasize())
            mstore(0x40, add(returned, and(add(returndatasize(), 63), not(31))))
        }
        assertEq(deployed, address(0), "deployed");
        assertEq(returned, reason, "reason");
    }

    function assertIs(Status left, Status right) internal pure {
        assertEq(uint256(left), uint256(right), "status");
    }

    function assertIs(Money left, Money right) internal pure {
        assertEq(uint256(left), uint256(right), "money");
    }

    function assertEq(int256 left, int256 right, string memory what) internal pure {
        assertEq(uint256(left), uint256(right), what);
    }

    function next(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed)));
    }
}
