// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MandateFactory} from "../core/MandateFactory.sol";
import {Sworn} from "./Sworn.sol";

/// @dev As a parameter's `maxStepPpm`: any value in its range may follow any other. For a time, of which a share means
/// nothing.
uint32 constant ANY_STEP = 0;

/// @notice What an agent may make of one parameter. Values are below 2^96: with 18 decimals, 79 billion units.
/// @param min least value
/// @param max largest value
/// @param maxStepPpm largest change at once, up or down, in millionths of the present value; or ANY_STEP
/// @param delay least seconds from one change to the next
struct Bounds {
    uint96 min;
    uint96 max;
    uint32 maxStepPpm;
    uint32 delay;
}

/// @title Named risk parameters, which an agent updates inside fixed bounds
/// @notice The owner defines a parameter, its bounds and its first value once; from then on only sworn decisions change
/// the value, and nothing changes the bounds. Each parameter is judged by itself: what must hold between two of them is
/// for the mandate's guard (`SnapshotGuard`).
contract RiskSteward is Sworn {
    /// @notice The parameter was defined before, and its bounds and value are not the owner's to change.
    error AlreadyDefined(bytes32 id);
    /// @notice The bounds hold no value, or not the first one, or one so small that no step leads away from it.
    error InvalidBounds(bytes32 id, Bounds bounds, uint256 value);
    /// @notice No such parameter.
    error Undefined(bytes32 id);
    /// @notice An update has one value for each parameter.
    error WrongCount(uint256 ids, uint256 values);
    /// @notice The parameters of an update ascend strictly, so that none is in it twice.
    error OutOfOrder(bytes32 previous, bytes32 id);
    /// @notice The value is not between the least and the largest.
    error OutOfRange(bytes32 id, uint256 value, uint96 min, uint96 max);
    /// @notice The value would change by more than a step.
    error StepTooLarge(bytes32 id, uint256 value, uint256 previous, uint32 maxStepPpm);
    /// @notice The parameter changed too recently.
    error TooSoon(bytes32 id, uint256 earliest, uint256 time);

    /// @notice The owner defined a parameter.
    event Defined(bytes32 indexed id, Bounds bounds, uint256 value);

    /// @notice An agent updated a parameter.
    /// @param decision the decision's statement id
    /// @param model digest of the model that decided
    /// @param id the parameter
    /// @param value the new value
    /// @param previous the value before
    event Updated(bytes32 indexed decision, bytes32 indexed model, bytes32 indexed id, uint256 value, uint256 previous);

    /// @notice A parameter.
    /// @param value its present value
    /// @param changedAt when an agent last changed it; 0 for never
    /// @param bounds what an agent may make of it
    struct Parameter {
        uint96 value;
        uint40 changedAt;
        Bounds bounds;
    }

    uint256 private constant MILLION = 1e6;

    mapping(bytes32 id => Parameter) private _parameters;

    /// @param owner who may define parameters and appoint a mandate
    /// @param factory_ who made every mandate that can be appointed
    /// @param anchor_ what knows the logs in which their decisions are
    constructor(address owner, MandateFactory factory_, address anchor_) Sworn(owner, factory_, anchor_) {}

    /// @notice Defines a parameter for ever; owner only.
    /// @param id its name
    /// @param bounds what an agent may make of it
    /// @param value_ its first value
    function defineParameter(bytes32 id, Bounds calldata bounds, uint96 value_) external onlyOwner {
        if (_isDefined(id)) revert AlreadyDefined(id);
        // From a value of which a step is less than 1, none leads away.
        bool sticks = bounds.maxStepPpm != ANY_STEP && uint256(bounds.min) * bounds.maxStepPpm < MILLION;
        if (bounds.max == 0 || value_ < bounds.min || value_ > bounds.max || sticks) {
            revert InvalidBounds(id, bounds, value_);
        }
        _parameters[id] = Parameter(value_, 0, bounds);
        emit Defined(id, bounds, value_);
    }

    /// @notice Updates parameters, all or none; the appointed mandate only.
    /// @param ids which, strictly ascending
    /// @param values their new values
    function update(bytes32[] calldata ids, uint256[] calldata values) external {
        (bytes32 model, bytes32 decision) = _requireSworn();
        if (ids.length != values.length) revert WrongCount(ids.length, values.length);
        for (uint256 i; i < ids.length; ++i) {
            if (i != 0 && ids[i] <= ids[i - 1]) revert OutOfOrder(ids[i - 1], ids[i]);
            uint256 previous = _update(ids[i], values[i]);
            emit Updated(decision, model, ids[i], values[i], previous);
        }
    }

    /// @notice A parameter's present value.
    /// @param id which
    /// @return its value
    function value(bytes32 id) external view returns (uint256) {
        if (!_isDefined(id)) revert Undefined(id);
        return _parameters[id].value;
    }

    /// @notice A parameter's value, when an agent last changed it, and its bounds.
    /// @param id which
    /// @return the parameter
    function parameter(bytes32 id) external view returns (Parameter memory) {
        if (!_isDefined(id)) revert Undefined(id);
        return _parameters[id];
    }

    function _update(bytes32 id, uint256 value_) private returns (uint256 previous) {
        Parameter storage held = _parameters[id];
        Bounds memory bounds = held.bounds;
        if (bounds.max == 0) revert Undefined(id);
        if (value_ < bounds.min || value_ > bounds.max) revert OutOfRange(id, value_, bounds.min, bounds.max);
        previous = held.value;
        uint256 step = value_ > previous ? value_ - previous : previous - value_;
        if (bounds.maxStepPpm != ANY_STEP && step > previous * bounds.maxStepPpm / MILLION) {
            revert StepTooLarge(id, value_, previous, bounds.maxStepPpm);
        }
        uint256 earliest = uint256(held.changedAt) + bounds.delay;
        if (block.timestamp < earliest) revert TooSoon(id, earliest, block.timestamp);
        // Below 2^96, as the largest value is.
        (held.value, held.changedAt) = (uint96(value_), uint40(block.timestamp));
    }

    /// @dev No parameter has 0 as its largest value.
    function _isDefined(bytes32 id) private view returns (bool) {
        return _parameters[id].bounds.max != 0;
    }
}
