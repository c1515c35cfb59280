// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {Bucket} from "./Bucket.sol";
import {Header} from "./Header.sol";
import {Mandate} from "./Mandate.sol";
import {Guardian, PER_CALL, Pin, Rule, Terms} from "./Terms.sol";

/// @notice A secp256k1 key.
/// @param x first coordinate
/// @param y second coordinate
struct Key {
    bytes32 x;
    bytes32 y;
}

/// @title Makes mandates
/// @notice Anyone may create a mandate for any principal: only what the principal puts in is at stake. The address binds
/// the terms, and creation refuses terms that would not hold what they say.
contract MandateFactory {
    /// @notice The principal is the zero address.
    error NoPrincipal();
    /// @notice The agent is the zero address.
    error NoAgent();
    /// @notice The anchor is the zero address.
    error NoAnchor();
    /// @notice There is no contract at the anchor.
    error AnchorWithoutCode(address anchor);
    /// @notice The log id is zero.
    error NoLog();
    /// @notice The key's address is not the one that the terms name.
    error WrongKey(address keyAddress, address account);
    /// @notice The header is not the one the key gives.
    error WrongHeader(bytes header, bytes expected);
    /// @notice The mandate would end before it begins.
    error NeverValid(uint64 validFrom, uint64 validUntil);
    /// @notice No decision could live.
    error NoLife();
    /// @notice A bucket's capacity would be zero.
    error LimitTooSmall(uint256 bucket, uint96 limit);
    /// @notice A bucket has no window.
    error NoWindow(uint256 bucket);
    /// @notice The guardian could suspend for no time, or for ever.
    error GuardianUnbounded(uint32 limit, uint32 window);
    /// @notice Terms without a guardian that tell a guardian's limit, window, header or key.
    error StrayGuardian();
    /// @notice There is no contract at the guard.
    error GuardWithoutCode(address guard);
    /// @notice There is no contract at the approvals.
    error ApprovalsWithoutCode(address approvals);
    /// @notice The terms allow nothing.
    error NoRules();
    /// @notice Neither the anchor nor the factory may be a target.
    error ForbiddenRule(uint256 rule, address target);
    /// @notice Two rules for one function.
    error DuplicateRule(uint256 rule, address target, bytes4 selector);
    /// @notice A rule names a bucket that the terms lack.
    error UnknownBucket(uint256 rule, uint8 bucket);
    /// @notice A pin allows nothing.
    error EmptyPin(uint256 rule, uint256 pin);
    /// @notice A pin names no argument word.
    error PinOutOfRange(uint256 rule, uint256 pin, uint8 word);
    /// @notice Version 1 knows no extensions and must not ignore any.
    error UnknownExtensions(bytes extensions);

    /// @notice A mandate was created.
    /// @param mandate its address
    /// @param principal whose it is
    /// @param agent who may act under it
    /// @param terms keccak256(abi.encode(terms))
    event Created(address indexed mandate, address indexed principal, address indexed agent, bytes32 terms);

    /// @notice The code that every mandate runs.
    address public immutable implementation = address(new Mandate());

    /// @notice Whether this factory made the mandate at an address.
    mapping(address mandate => bool) public isMandate;

    /// @notice Creates a mandate, or returns the one that exists with these terms and this salt.
    /// @param terms what the principal allows
    /// @param agent the agent's public key
    /// @param guardian the guardian's public key; zeros without a guardian
    /// @param salt tells mandates with the same terms apart
    /// @return mandate its address
    function create(Terms calldata terms, Key calldata agent, Key calldata guardian, bytes32 salt)
        external
        returns (address mandate)
    {
        bytes memory code = abi.encode(terms);
        bytes32 hash = keccak256(code);
        mandate = _addressOf(code, hash, salt);
        if (isMandate[mandate]) return mandate;

        _requireParties(terms, agent);
        _requireGuardian(terms.guardian, guardian);
        if (terms.guard != address(0) && terms.guard.code.length == 0) revert GuardWithoutCode(terms.guard);
        if (terms.approvals != address(0) && terms.approvals.code.length == 0) {
            revert ApprovalsWithoutCode(terms.approvals);
        }
        if (terms.validFrom >= terms.validUntil) revert NeverValid(terms.validFrom, terms.validUntil);
        if (terms.longestLife == 0) revert NoLife();
        _requireBuckets(terms.buckets);
        _requireRules(terms);
        if (terms.extensions.length != 0) revert UnknownExtensions(terms.extensions);

        isMandate[mandate] = true;
        Clones.cloneDeterministicWithImmutableArgs(implementation, code, _saltFor(hash, salt));
        emit Created(mandate, terms.principal, terms.agent, hash);
    }

    /// @notice Where the mandate with these terms and this salt is or would be.
    /// @param terms what the principal allows
    /// @param salt tells mandates with the same terms apart
    /// @return its address
    function addressOf(Terms calldata terms, bytes32 salt) external view returns (address) {
        bytes memory code = abi.encode(terms);
        return _addressOf(code, keccak256(code), salt);
    }

    function _addressOf(bytes memory code, bytes32 hash, bytes32 salt) private view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(implementation, code, _saltFor(hash, salt));
    }

    function _saltFor(bytes32 hash, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(salt, hash));
    }

    function _requireParties(Terms calldata terms, Key calldata agent) private view {
        if (terms.principal == address(0)) revert NoPrincipal();
        if (terms.agent == address(0)) revert NoAgent();
        if (terms.anchor == address(0)) revert NoAnchor();
        if (terms.anchor.code.length == 0) revert AnchorWithoutCode(terms.anchor);
        if (terms.logId == 0) revert NoLog();
        _requireKey(terms.agent, agent, terms.header, Header.decisionPrefix(agent.x, agent.y));
    }

    function _requireGuardian(Guardian calldata guardian, Key calldata key) private pure {
        (uint32 limit, uint32 window) = (guardian.limit, guardian.window);
        if (guardian.account == address(0)) {
            bool stray = limit != 0 || window != 0 || guardian.header.length != 0 || key.x != 0 || key.y != 0;
            if (stray) revert StrayGuardian();
            return;
        }
        // Below the window, so that an agent is not kept still for ever.
        if (limit < 2 || limit >= window) revert GuardianUnbounded(limit, window);
        _requireKey(guardian.account, key, guardian.header, Header.alertPrefix(key.x, key.y));
    }

    function _requireKey(address account, Key calldata key, bytes calldata header, bytes memory expected) private pure {
        address keyAddress = Header.addressOf(key.x, key.y);
        if (keyAddress != account) revert WrongKey(keyAddress, account);
        if (keccak256(header) != keccak256(expected)) revert WrongHeader(header, expected);
    }

    function _requireBuckets(Bucket[] calldata buckets) private pure {
        for (uint256 i; i < buckets.length; ++i) {
            if (buckets[i].limit < 2) revert LimitTooSmall(i, buckets[i].limit);
            if (buckets[i].window == 0) revert NoWindow(i);
        }
    }

    function _requireRules(Terms calldata terms) private view {
        Rule[] calldata rules = terms.rules;
        if (rules.length == 0) revert NoRules();
        for (uint256 i; i < rules.length; ++i) {
            Rule calldata rule = rules[i];
            if (rule.target == terms.anchor || rule.target == address(this)) revert ForbiddenRule(i, rule.target);
            for (uint256 j; j < i; ++j) {
                if (rules[j].target == rule.target && rules[j].selector == rule.selector) {
                    revert DuplicateRule(i, rule.target, rule.selector);
                }
            }
            if (rule.bucket >= terms.buckets.length) revert UnknownBucket(i, rule.bucket);
            _requirePins(i, rule.pins);
        }
    }

    function _requirePins(uint256 rule, Pin[] calldata pins) private pure {
        for (uint256 i; i < pins.length; ++i) {
            if (pins[i].allowed.length == 0) revert EmptyPin(rule, i);
            if (pins[i].word >= PER_CALL) revert PinOutOfRange(rule, i, pins[i].word);
        }
    }
}
