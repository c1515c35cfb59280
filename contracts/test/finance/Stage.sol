// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Terms} from "../../src/core/Terms.sol";
import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {FeeBounds, Pool} from "../../src/finance/Pool.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {RiskSteward} from "../../src/finance/RiskSteward.sol";
import {Place, RebalanceBounds, StrategyVault} from "../../src/finance/StrategyVault.sol";
import {Sworn} from "../../src/finance/Sworn.sol";
import {Cheats} from "../Cheats.sol";
import {MoreVm} from "./MoreVm.sol";

/// @title A factory and its one mandate, played: for tests that are not about oaths
contract PlayedMandate {
    bytes32 private _model;
    bytes32 private _statement;

    function isMandate(address mandate) external view returns (bool) {
        return mandate == address(this);
    }

    /// @dev It is its own anchor, too.
    function terms() external view returns (Terms memory told) {
        told.anchor = address(this);
    }

    function executing() external view returns (bytes32 model, bytes32 statement) {
        return (_model, _statement);
    }

    /// @dev Calls a target under a decision; under none for a statement of 0, as a withdrawal of the principal's does.
    function act(bytes32 model, bytes32 statement, address target, bytes calldata data) external {
        (_model, _statement) = (model, statement);
        (bool success, bytes memory returned) = target.call(data);
        if (!success) {
            assembly {
                revert(add(returned, 32), mload(returned))
            }
        }
        (_model, _statement) = (0, 0);
    }
}

/// @title What the tests of single contracts stand on: a played mandate, tokens, people
/// @dev Contracts are deployed by name, as `new` would compile them a second time.
abstract contract Stage is Cheats {
    MoreVm internal constant more = MoreVm(address(vm));
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant DECISION = keccak256("decision");
    address internal constant OWNER = address(0x0137);
    address internal constant ALICE = address(0xA11);
    address internal constant BOB = address(0xB0B);
    address internal constant MANAGER = address(0x3A7);
    uint256 internal constant START = 1_790_000_000;

    PlayedMandate internal mandate = new PlayedMandate();

    function newToken(string memory name) internal returns (SettlementToken) {
        return
            SettlementToken(vm.deployCode("SettlementToken.sol:SettlementToken", abi.encode(name, name, address(this))));
    }

    function newPool(IERC20 token0, IERC20 token1, FeeBounds memory bounds, uint24 fee) internal returns (Pool pool) {
        pool = Pool(vm.deployCode("Pool.sol:Pool", abi.encode(token0, token1, bounds, fee, OWNER, mandate, mandate)));
        appoint(pool);
    }

    function newSteward() internal returns (RiskSteward steward) {
        steward = RiskSteward(vm.deployCode("RiskSteward.sol:RiskSteward", abi.encode(OWNER, mandate, mandate)));
        appoint(steward);
    }

    function newFund(IERC20 asset, uint24 exitFee) internal returns (Fund) {
        return Fund(vm.deployCode("Fund.sol:Fund", abi.encode(asset, "Fund", "FUND", exitFee, MANAGER)));
    }

    function newVault(IERC20 asset, Place[] memory places, RebalanceBounds memory bounds)
        internal
        returns (StrategyVault vault)
    {
        vault = StrategyVault(
            vm.deployCode(
                "StrategyVault.sol:StrategyVault", abi.encode(asset, "Vault", "VAULT", places, bounds, OWNER, mandate, mandate)
            )
        );
        appoint(vault);
    }

    function appoint(Sworn target) internal {
        vm.prank(OWNER);
        target.appoint(address(mandate));
    }

    /// @dev Calls a target as the agent does.
    function act(Sworn target, bytes memory data) internal {
        mandate.act(MODEL, DECISION, address(target), data);
    }

    function refuses(Sworn target, bytes memory data, bytes memory reason) internal {
        vm.expectRevert(reason);
        act(target, data);
    }

    /// @dev Neither the owner nor anyone else reaches a function of the agent's, nor the mandate without a decision.
    function onlySworn(Sworn target, bytes memory data) internal {
        address[2] memory callers = [OWNER, ALICE];
        for (uint256 i; i < 2; ++i) {
            vm.prank(callers[i]);
            (bool success, bytes memory returned) = address(target).call(data);
            assertTrue(!success, "refused");
            assertEq(returned, abi.encodeWithSelector(Sworn.NotSworn.selector, callers[i], mandate), "reason");
        }
        vm.expectRevert(abi.encodeWithSelector(Sworn.NotSworn.selector, mandate, mandate));
        mandate.act(MODEL, 0, address(target), data);
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

    function next(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed)));
    }

    function distance(uint256 left, uint256 right) internal pure returns (uint256) {
        return left > right ? left - right : right - left;
    }
}
