// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Action, ActionDigest} from "./Action.sol";
import {LeakyBucket} from "./Bucket.sol";
import {IApprovals} from "./IApprovals.sol";
import {IGuard} from "./IGuard.sol";
import {ILogAnchor, Seat} from "./ILogAnchor.sol";
import {Oath} from "./Oath.sol";
import {Rfc9162} from "./Rfc9162.sol";
import {Statement} from "./Statement.sol";
import {Suspension, SuspensionDigest} from "./Suspension.sol";
import {NATIVE_VALUE, PER_CALL, Terms} from "./Terms.sol";
import {Place, TermsCode} from "./TermsCode.sol";

/// @title A mandate: a principal's budget and what an agent may do with it
/// @notice No sworn decision, no action. It executes a call only if the call is inside the terms and carries proof that a
/// statement binding exactly this call, signed by exactly this agent, is in the log the terms name. Every mandate is a
/// small clone whose code ends with its terms; its address is its id, and what it holds is all an agent can lose.
contract Mandate {
    using SafeERC20 for IERC20;
    using ActionDigest for Action;
    using SuspensionDigest for Suspension;

    /// @notice Called on the implementation, which has no terms.
    error NotAMandate(address implementation);
    /// @notice Only the principal may.
    error NotPrincipal(address caller, address principal);
    /// @notice Only the principal or the agent may.
    error NotPrincipalOrAgent(address caller, address principal, address agent);

    /// @notice An action is being executed, under this statement.
    error AlreadyExecuting(bytes32 statement);
    /// @notice The principal revoked the mandate.
    error Revoked(address principal);
    /// @notice The guardian has suspended the agent.
    error AgentSuspended(uint40 until, uint256 time);
    /// @notice The mandate begins later.
    error NotYetValid(uint64 validFrom, uint256 time);
    /// @notice The mandate has ended.
    error Expired(uint64 validUntil, uint256 time);
    /// @notice The action was sworn in another epoch.
    error WrongEpoch(uint32 epoch, uint32 current);
    /// @notice Not the mandate's next nonce.
    error WrongNonce(uint256 nonce, uint256 current);
    /// @notice The action's deadline has passed.
    error DecisionExpired(uint64 deadline, uint256 time);
    /// @notice The action names another relayer.
    error WrongRelayer(address caller, address relayer);
    /// @notice The oath was sworn more than a minute after now.
    error SwornInFuture(uint32 iat, uint256 time);
    /// @notice The deadline, or a suspension's end, is later after the oath than the terms allow.
    error LivesTooLong(uint64 deadline, uint256 latest);

    /// @notice Neither the mandate nor its anchor is ever a target.
    error ForbiddenTarget(address target);
    /// @notice There is no contract at the target.
    error NoCode(address target);
    /// @notice No rule allows this function of this target.
    error NoRule(address target, bytes4 selector);
    /// @notice The calldata ends before a word that must be read.
    error CalldataTooShort(uint256 length, uint256 needed);
    /// @notice A pinned argument has a value that is not allowed.
    error PinMismatch(uint8 word, bytes32 value);
    /// @notice The amount is over the rule's cap.
    error AboveCap(uint256 amount, uint256 cap);
    /// @notice The rule does not meter native value, so none may be sent.
    error ValueNotAllowed(uint256 value);

    /// @notice s is in the upper half: the other form of a signature, which the log does not hold.
    error HighS(bytes32 s);
    /// @notice The signature is not the agent's, or not the guardian's.
    error WrongSigner(address recovered, address account);
    /// @notice The statement's place is not in the seat.
    error OutsideSeat(uint64 index, uint64 start, uint64 end);
    /// @notice The anchor holds no such seat; its root is what the path leads to.
    error SeatNotHeld(bytes32 logId, uint64 count, bytes32 root);
    /// @notice The model that decided is not approved by those whom the terms name.
    error ModelNotApproved(bytes32 model, address approvals);
    /// @notice The guard refused the action with this data, an error that names what would not hold.
    error GuardRefused(bytes reason);
    /// @notice The call failed with this data.
    error CallFailed(bytes returned);

    /// @notice The terms name no guardian.
    error NoGuardian();
    /// @notice Not the mandate's next suspension.
    error WrongSuspension(uint32 number, uint32 current);
    /// @notice The principal has silenced the guardian.
    error GuardianSilenced(uint40 until, uint256 time);
    /// @notice It would end no later than now, or than the suspension in force.
    error SuspendsNothing(uint40 until, uint256 already);

    /// @notice The terms have no such bucket.
    error NoBucket(uint8 bucket);

    /// @notice An action was executed.
    /// @param leaf the decision's statement id
    /// @param subject the action's digest
    /// @param epoch the action's epoch
    /// @param nonce the action's nonce
    event Executed(bytes32 indexed leaf, bytes32 indexed subject, uint32 epoch, uint256 nonce);

    /// @notice A nonce was given up: no decision for it will ever be executed.
    event Cancelled(uint32 indexed epoch, uint256 indexed nonce, address by);

    /// @notice The guardian suspended the agent.
    /// @param leaf the alert's statement id
    /// @param number which suspension of this mandate
    /// @param until first second in which the agent may act again
    event Suspended(bytes32 indexed leaf, uint32 number, uint40 until);

    /// @notice The principal ended a suspension, or silenced the guardian, or both.
    /// @param number the next suspension's; alerts sworn for earlier ones are void
    /// @param silentUntil first second in which the guardian may suspend again
    event Resumed(uint32 number, uint40 silentUntil);

    /// @notice The principal ended the mandate for ever.
    event MandateRevoked(address indexed principal);

    /// @notice The principal took funds back; token 0 is native value.
    event Withdrawn(address indexed token, uint256 amount);

    /// @dev One slot. Most mandates meter in one bucket, the first: its mark lies here and costs no slot of its own. A
    /// mark is below 2^136: a rate below 2^95 times a time below 2^40 plus a window below 2^32.
    struct State {
        bool revoked;
        uint32 epoch;
        uint40 nonce;
        uint40 suspendedUntil;
        uint136 firstMark;
    }

    /// @dev What bounds the guardian; one slot, read by nothing but suspensions.
    struct Watch {
        uint32 number;
        uint40 silentUntil;
        uint128 mark;
    }

    /// @dev As a bucket's number in `AboveLimit`: the guardian's seconds.
    uint8 private constant GUARDIAN_BUCKET = 255;

    /// @dev Half the order of secp256k1; a low s is at most this.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @dev How far the clock that swore may be ahead of the chain's.
    uint256 private constant CLOCK_SKEW = 60;

    address private immutable IMPLEMENTATION = address(this);

    State private _state;
    Watch private _watch;
    /// @dev Marks of the buckets after the first.
    mapping(uint256 bucket => uint256) private _marks;

    bytes32 private transient _model;
    bytes32 private transient _statement;

    modifier onlyClone() {
        if (address(this) == IMPLEMENTATION) revert NotAMandate(IMPLEMENTATION);
        _;
    }

    /// @notice Takes native value into the budget.
    receive() external payable onlyClone {}

    /// @notice Executes a sworn action. Anyone may carry it, unless it names its relayer.
    /// @dev Nonce and bucket are written before the call; a failed call undoes them, so the nonce stays usable.
    /// @param action what to do
    /// @param oath proof that the agent swore to it and that the oath is in the log
    /// @return returned what the target returned
    function execute(Action calldata action, Oath calldata oath) external onlyClone returns (bytes memory returned) {
        if (_statement != 0) revert AlreadyExecuting(_statement);
        Place granted = TermsCode.load();
        State memory current = _state;
        _requireCurrent(granted, current, action);
        _requireTimely(action.deadline, oath.iat, granted.word(TermsCode.LONGEST_LIFE));
        Place rule = _ruleFor(granted, action.target, action.data);
        _requirePins(rule, action.data);
        (uint8 bucket, uint256 mark) = _meter(granted, rule, current, action.value, action.data);
        bytes32 subject = action.digest();
        bytes32 leaf = _requireSworn(
            granted, granted.account(TermsCode.AGENT), granted.follow(TermsCode.HEADER), Statement.DECISION, subject, oath
        );
        _requireApproved(granted.account(TermsCode.APPROVALS), action.model);
        _requireGuard(granted.account(TermsCode.GUARD), action, leaf);

        _state.nonce = current.nonce + 1;
        if (bucket == 0) _state.firstMark = uint136(mark);
        else _marks[bucket] = mark;
        emit Executed(leaf, subject, action.epoch, action.nonce);
        return _call(action, leaf);
    }

    /// @notice Gives up the current nonce, so that whatever was sworn for it can never be executed.
    /// @param nonce the mandate's current nonce
    function cancel(uint256 nonce) external onlyClone {
        Place granted = TermsCode.load();
        address principal = granted.account(TermsCode.PRINCIPAL);
        address agent = granted.account(TermsCode.AGENT);
        if (msg.sender != principal && msg.sender != agent) revert NotPrincipalOrAgent(msg.sender, principal, agent);
        State memory current = _state;
        if (nonce != current.nonce) revert WrongNonce(nonce, current.nonce);
        _state.nonce = current.nonce + 1;
        emit Cancelled(current.epoch, nonce, msg.sender);
    }

    /// @notice Keeps the agent still for a while, on the guardian's oath. Anyone may carry it.
    /// @dev A guardian can only reduce authority: cancelling, revoking and withdrawing go on. What is charged to its
    /// bucket are the seconds that this adds; so no window sees more than its limit of them, whatever it swears.
    /// @param suspension which, and until when
    /// @param oath proof that the guardian swore to an alert that demands it, and that the alert is in the log
    function suspend(Suspension calldata suspension, Oath calldata oath) external onlyClone {
        Place granted = TermsCode.load();
        Place guardian = granted.follow(TermsCode.GUARDIAN);
        address account = guardian.account(TermsCode.ACCOUNT);
        if (account == address(0)) revert NoGuardian();
        if (_state.revoked) revert Revoked(granted.account(TermsCode.PRINCIPAL));
        Watch memory held = _watch;
        if (suspension.number != held.number) revert WrongSuspension(suspension.number, held.number);
        if (block.timestamp < held.silentUntil) revert GuardianSilenced(held.silentUntil, block.timestamp);
        uint256 limit = guardian.word(TermsCode.GUARDIAN_LIMIT);
        _requireTimely(suspension.until, oath.iat, limit / 2);
        uint256 from = Math.max(block.timestamp, _state.suspendedUntil);
        if (suspension.until <= from) revert SuspendsNothing(suspension.until, from);
        uint256 window = guardian.word(TermsCode.GUARDIAN_WINDOW);
        uint256 mark = LeakyBucket.pour(held.mark, GUARDIAN_BUCKET, limit, window, suspension.until - from);
        bytes32 leaf = _requireSworn(
            granted, account, guardian.follow(TermsCode.GUARDIAN_HEADER), Statement.ALERT, suspension.digest(), oath
        );

        _state.suspendedUntil = suspension.until;
        // Below 2^72: a rate below 2^31 times a time below 2^41.
        _watch = Watch(held.number + 1, held.silentUntil, uint128(mark));
        emit Suspended(leaf, held.number, suspension.until);
    }

    /// @notice Lets the agent act again, and keeps the guardian from suspending it for as long as the principal says.
    /// @dev Voids every alert that was sworn for the next suspension and has not been carried. What the guardian has
    /// spent stays spent.
    /// @param silentUntil first second in which the guardian may suspend again; in the past for at once
    function resume(uint40 silentUntil) external onlyClone {
        _requirePrincipal();
        _state.suspendedUntil = 0;
        uint32 number = _watch.number + 1;
        (_watch.number, _watch.silentUntil) = (number, silentUntil);
        emit Resumed(number, silentUntil);
    }

    /// @notice Ends the mandate for ever. Its funds stay the principal's to withdraw.
    function revoke() external onlyClone {
        address principal = _requirePrincipal();
        _state.revoked = true;
        emit MandateRevoked(principal);
    }

    /// @notice Takes funds back to the principal, also from a revoked mandate.
    /// @param token an ERC-20 token, or 0 for native value
    /// @param amount how much
    function withdraw(address token, uint256 amount) external onlyClone {
        address principal = _requirePrincipal();
        emit Withdrawn(token, amount);
        if (token == address(0)) {
            Address.sendValue(payable(principal), amount);
        } else {
            IERC20(token).safeTransfer(principal, amount);
        }
    }

    /// @notice The mandate's terms.
    /// @return what the principal allowed
    function terms() external view onlyClone returns (Terms memory) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (Terms));
    }

    /// @notice Whether the mandate was revoked or suspended, and what the next action must name.
    /// @return revoked whether it was
    /// @return epoch the current epoch
    /// @return nonce the next nonce
    /// @return suspendedUntil first second in which the agent may act
    function state()
        external
        view
        onlyClone
        returns (bool revoked, uint32 epoch, uint256 nonce, uint40 suspendedUntil)
    {
        return (_state.revoked, _state.epoch, _state.nonce, _state.suspendedUntil);
    }

    /// @notice What the guardian may do now, and what its next suspension must name.
    /// @return number the next suspension's
    /// @return silentUntil first second in which it may suspend
    /// @return remaining how many seconds its budget lets it add now
    function watch() external view onlyClone returns (uint32 number, uint40 silentUntil, uint256 remaining) {
        Place guardian = TermsCode.load().follow(TermsCode.GUARDIAN);
        uint256 window = guardian.word(TermsCode.GUARDIAN_WINDOW);
        if (window != 0) {
            remaining = LeakyBucket.remaining(_watch.mark, guardian.word(TermsCode.GUARDIAN_LIMIT), window);
        }
        return (_watch.number, _watch.silentUntil, remaining);
    }

    /// @notice How much a bucket lets through now, in whole units.
    /// @param bucket its number in the terms
    /// @return remaining at most floor(limit / 2), the capacity
    function level(uint8 bucket) external view onlyClone returns (uint256 remaining) {
        Place buckets = TermsCode.load().follow(TermsCode.BUCKETS);
        if (bucket >= buckets.word(0)) revert NoBucket(bucket);
        (uint256 limit, uint256 window) = _bucketAt(buckets, bucket);
        return LeakyBucket.remaining(bucket == 0 ? _state.firstMark : _marks[bucket], limit, window);
    }

    /// @notice What is being executed, for the target to ask; zeros outside an execution.
    /// @return model digest of the model that decided
    /// @return statement the decision's statement id
    function executing() external view returns (bytes32 model, bytes32 statement) {
        return (_model, _statement);
    }

    function _requirePrincipal() private view returns (address principal) {
        principal = TermsCode.load().account(TermsCode.PRINCIPAL);
        if (msg.sender != principal) revert NotPrincipal(msg.sender, principal);
    }

    /// @dev The mandate is in force and the action is the next one, in time and from the right hands.
    function _requireCurrent(Place granted, State memory current, Action calldata action) private view {
        if (current.revoked) revert Revoked(granted.account(TermsCode.PRINCIPAL));
        if (block.timestamp < current.suspendedUntil) revert AgentSuspended(current.suspendedUntil, block.timestamp);
        uint64 validFrom = uint64(granted.word(TermsCode.VALID_FROM));
        uint64 validUntil = uint64(granted.word(TermsCode.VALID_UNTIL));
        if (block.timestamp < validFrom) revert NotYetValid(validFrom, block.timestamp);
        if (block.timestamp > validUntil) revert Expired(validUntil, block.timestamp);
        if (action.epoch != current.epoch) revert WrongEpoch(action.epoch, current.epoch);
        if (action.nonce != current.nonce) revert WrongNonce(action.nonce, current.nonce);
        if (block.timestamp > action.deadline) revert DecisionExpired(action.deadline, block.timestamp);
        if (action.relayer != address(0) && action.relayer != msg.sender) {
            revert WrongRelayer(msg.sender, action.relayer);
        }
    }

    /// @dev An oath cannot be hoarded: it dies soon after it was sworn.
    function _requireTimely(uint64 deadline, uint32 iat, uint256 longest) private view {
        if (iat > block.timestamp + CLOCK_SKEW) revert SwornInFuture(iat, block.timestamp);
        uint256 latest = uint256(iat) + longest;
        if (deadline > latest) revert LivesTooLong(deadline, latest);
    }

    function _ruleFor(Place granted, address target, bytes calldata data) private view returns (Place) {
        if (target == address(this) || target == granted.account(TermsCode.ANCHOR)) revert ForbiddenTarget(target);
        if (target.code.length == 0) revert NoCode(target);
        bytes4 selector = bytes4(data);
        if (data.length < 4) revert NoRule(target, selector);
        Place rules = granted.follow(TermsCode.RULES);
        Place items = rules.items();
        uint256 length = rules.word(0);
        for (uint256 i; i < length; ++i) {
            Place rule = items.follow(i);
            bytes4 allowed = bytes4(bytes32(rule.word(TermsCode.SELECTOR)));
            if (rule.account(TermsCode.TARGET) == target && allowed == selector) return rule;
        }
        revert NoRule(target, selector);
    }

    function _requirePins(Place rule, bytes calldata data) private pure {
        Place pins = rule.follow(TermsCode.PINS);
        Place items = pins.items();
        uint256 length = pins.word(0);
        for (uint256 i; i < length; ++i) {
            Place pin = items.follow(i);
            uint256 word = pin.word(TermsCode.WORD);
            uint256 value = _argument(data, word);
            if (!_contains(pin.follow(TermsCode.ALLOWED), value)) revert PinMismatch(uint8(word), bytes32(value));
        }
    }

    function _contains(Place array, uint256 value) private pure returns (bool) {
        uint256 length = array.word(0);
        for (uint256 i = 1; i <= length; ++i) {
            if (array.word(i) == value) return true;
        }
        return false;
    }

    /// @dev The bucket an action draws on and its mark afterwards.
    function _meter(Place granted, Place rule, State memory current, uint256 value, bytes calldata data)
        private
        view
        returns (uint8 bucket, uint256 mark)
    {
        uint256 amountWord = rule.word(TermsCode.AMOUNT_WORD);
        uint256 amount;
        if (amountWord == NATIVE_VALUE) {
            amount = value;
        } else {
            if (value != 0) revert ValueNotAllowed(value);
            amount = amountWord == PER_CALL ? 1 : _argument(data, amountWord);
        }
        uint256 cap = rule.word(TermsCode.CAP);
        if (amount > cap) revert AboveCap(amount, cap);
        bucket = uint8(rule.word(TermsCode.BUCKET));
        (uint256 limit, uint256 window) = _bucketAt(granted.follow(TermsCode.BUCKETS), bucket);
        mark = bucket == 0 ? current.firstMark : _marks[bucket];
        mark = LeakyBucket.pour(mark, bucket, limit, window, amount);
    }

    function _bucketAt(Place buckets, uint8 bucket) private pure returns (uint256 limit, uint256 window) {
        // A bucket is two words, in place.
        uint256 first = 1 + 2 * uint256(bucket);
        return (buckets.word(first + TermsCode.LIMIT), buckets.word(first + TermsCode.WINDOW));
    }

    /// @dev Word number `word` after the selector.
    function _argument(bytes calldata data, uint256 word) private pure returns (uint256) {
        uint256 start = 4 + 32 * word;
        if (data.length < start + 32) revert CalldataTooShort(data.length, start + 32);
        return uint256(bytes32(data[start:]));
    }

    /// @dev The account signed a statement of that kind about `subject`, and exactly that one is in the log. Returns its
    /// leaf.
    function _requireSworn(
        Place granted,
        address account,
        Place header,
        bytes32 kind,
        bytes32 subject,
        Oath calldata oath
    ) private view returns (bytes32 leaf) {
        if (uint256(oath.s) > HALF_ORDER) revert HighS(oath.s);
        bytes32 digest;
        (digest, leaf) = Statement.rebuild(header.toBytes(), oath.iat, kind, subject, oath.body, oath.r, oath.s);
        address recovered = ecrecover(digest, oath.v, oath.r, oath.s);
        // An invalid signature recovers 0, which must never count as an account.
        if (recovered != account || recovered == address(0)) revert WrongSigner(recovered, account);
        _requireLogged(granted, leaf, oath);
    }

    function _requireLogged(Place granted, bytes32 leaf, Oath calldata oath) private view {
        (uint64 index, uint64 start, uint64 end) = (oath.index, oath.seat.start, oath.seat.end);
        if (index < start || index >= end) revert OutsideSeat(index, start, end);
        bytes32 root = Rfc9162.root(leaf, index - start, end - start, oath.path);
        bytes32 logId = bytes32(granted.word(TermsCode.LOG_ID));
        Seat memory seat = Seat(oath.seat.count, start, end, oath.seat.time, root);
        if (!ILogAnchor(granted.account(TermsCode.ANCHOR)).holds(logId, seat)) {
            revert SeatNotHeld(logId, seat.count, root);
        }
    }

    /// @dev Approvals without code, or with another answer than a boolean, refuse everything.
    function _requireApproved(address approvals, bytes32 model) private view {
        if (approvals == address(0)) return;
        if (!IApprovals(approvals).isApproved(model)) revert ModelNotApproved(model, approvals);
    }

    /// @dev The last of the checks. Its refusal is wrapped, like a target's. A guard without code refuses everything.
    function _requireGuard(address guard, Action calldata action, bytes32 leaf) private view {
        if (guard == address(0)) return;
        try IGuard(guard).check(action, leaf) returns (bytes4 answer) {
            if (answer != IGuard.check.selector) revert GuardRefused(abi.encode(answer));
        } catch (bytes memory reason) {
            revert GuardRefused(reason);
        }
    }

    /// @dev A failure is wrapped: raw, a target's data could pass for a refusal of the mandate's own.
    function _call(Action calldata action, bytes32 leaf) private returns (bytes memory) {
        _model = action.model;
        _statement = leaf;
        (bool success, bytes memory returned) = action.target.call{value: action.value}(action.data);
        if (!success) revert CallFailed(returned);
        _model = 0;
        _statement = 0;
        return returned;
    }
}
