// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {IGuard} from "../src/core/IGuard.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {MandateFactory} from "../src/core/MandateFactory.sol";
import {Oath} from "../src/core/Oath.sol";
import {Terms} from "../src/core/Terms.sol";
import {House} from "./House.sol";
import {Probe} from "./Probe.sol";

/// @title A guard for one purchase: price and quantity must fit together
contract PairGuard is IGuard {
    /// @notice The two words of the action are not equal.
    error Apart(uint256 first, uint256 second);
    /// @notice Told back what was asked.
    error Told(address mandate, Action action, bytes32 statement);

    /// @inheritdoc IGuard
    function check(Action calldata action, bytes32 statement) external view returns (bytes4) {
        (uint256 first, uint256 second) = abi.decode(action.data[4:], (uint256, uint256));
        if (first == 1313) revert Told(msg.sender, action, statement);
        if (first != second) revert Apart(first, second);
        return IGuard.check.selector;
    }
}

/// @title A guard that tries to act itself
contract MeddlingGuard {
    /// @notice How often it was asked.
    uint256 public asked;

    /// @notice Writes where it may only look.
    function check(Action calldata, bytes32) external returns (bytes4) {
        ++asked;
        return IGuard.check.selector;
    }
}

/// @title Code that answers anything with nothing, or with one word
contract NoGuard {
    bytes32 private immutable ANSWER;

    constructor(bytes32 answer) {
        ANSWER = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return ANSWER == 0 ? bytes("") : abi.encode(ANSWER);
    }
}

abstract contract MandateGuardTests is House {
    PairGuard private pair;

    function _guardedBy(address guard) private {
        Terms memory t = terms();
        t.guard = guard;
        mandate = create(t);
        token.mint(address(mandate), 1_000_000);
        vm.deal(address(mandate), 10 ether);
    }

    function _pair(uint256 first, uint256 second) private view returns (Action memory) {
        return call(address(probe), 0, abi.encodePacked(Probe.look.selector, first, second));
    }

    /// @notice What each rule allows by itself is refused when the guard finds that it does not fit together; the refusal
    /// names what would not hold, changes nothing, and the nonce stays usable.
    function test_jointInvariant() public {
        pair = new PairGuard();
        _guardedBy(address(pair));
        bytes memory reason = abi.encodeWithSelector(PairGuard.Apart.selector, 7, 8);
        refuses(_pair(7, 8), abi.encodeWithSelector(Mandate.GuardRefused.selector, reason));
        assertEq(nonce(), 0, "nonce");
        assertEq(mandate.level(0), 10_000, "bucket");
        execute(_pair(7, 7));
        assertEq(nonce(), 1, "nonce after");
    }

    /// @notice The guard sees the whole action and its statement, and is asked by the mandate.
    function test_seesEverything() public {
        pair = new PairGuard();
        _guardedBy(address(pair));
        Action memory a = _pair(1313, 5);
        Oath memory oath = oathFor(a);
        bytes memory told = abi.encodeWithSelector(PairGuard.Told.selector, address(mandate), a, leafOf(a, oath));
        refuses(a, oath, abi.encodeWithSelector(Mandate.GuardRefused.selector, told));
    }

    /// @notice A guard is asked last: it never sees an action that is not sworn, or that the terms refuse.
    function test_askedLast() public {
        pair = new PairGuard();
        _guardedBy(address(pair));
        Action memory a = _pair(7, 8);
        Oath memory oath = swornBy(THIEF_KEY, header(), DECISION, subjectOf(block.chainid, address(mandate), a));
        address thief = vm.createWallet(THIEF_KEY).addr;
        refuses(a, logged(log, a, oath), abi.encodeWithSelector(Mandate.WrongSigner.selector, thief, agent.addr));
        a.value = 10_001;
        refuses(a, abi.encodeWithSelector(Mandate.AboveCap.selector, 10_001, 10_000));
    }

    /// @notice A guard can change nothing: one that tries has refused.
    function test_onlyLooks() public {
        MeddlingGuard meddler = new MeddlingGuard();
        _guardedBy(address(meddler));
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        // The static call fails without data and takes what gas it was given.
        vm.expectRevert(abi.encodeWithSelector(Mandate.GuardRefused.selector, bytes("")));
        mandate.execute{gas: 2_000_000}(a, oath);
        assertEq(meddler.asked(), 0, "asked");
    }

    /// @notice Code that is no guard lets nothing through, whether it answers nothing or something else.
    function test_noGuard() public {
        bytes4 other = 0xc0ffee00;
        _guardedBy(address(new NoGuard(other)));
        refuses(transfer(1), abi.encodeWithSelector(Mandate.GuardRefused.selector, abi.encode(other)));
        _guardedBy(address(new NoGuard(0)));
        refuses(transfer(1), "");
        _guardedBy(address(new NoGuard(IGuard.check.selector)));
        execute(transfer(1));
    }

    /// @notice Terms whose guard is not there cannot be granted; were the guard to vanish, nothing would be executed.
    function test_guardWithoutCode() public {
        Terms memory t = terms();
        t.guard = address(0xdead);
        vm.expectRevert(abi.encodeWithSelector(MandateFactory.GuardWithoutCode.selector, address(0xdead)));
        create(t);
        mandate = rawClone(t);
        refuses(transfer(1), "");
    }
}
