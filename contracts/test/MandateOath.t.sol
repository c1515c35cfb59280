// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Oath, SeatRef} from "../src/core/Oath.sol";
import {Rfc9162} from "../src/core/Rfc9162.sol";
import {Terms} from "../src/core/Terms.sol";
import {House} from "./House.sol";
import {LogKeeper} from "./LogKeeper.sol";
import {Tree} from "./Tree.sol";

abstract contract MandateOathTests is House {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    /// @dev Refused because some other signer, or nobody, is recovered.
    function _refusesSigner(Action memory a, Oath memory oath) private {
        address recovered = _recovered(a, oath);
        assertTrue(recovered != agent.addr, "it is the agent's signature");
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongSigner.selector, recovered, agent.addr));
    }

    function _recovered(Action memory a, Oath memory oath) private view returns (address) {
        bytes32 subject = subjectOf(block.chainid, address(mandate), a);
        bytes memory said = abi.encodePacked(keccak256(bytes(DECISION)), subject, oath.body);
        return ecrecover(signed(header(), oath.iat, said), oath.v, oath.r, oath.s);
    }

    /// @notice Same decision on two mandates: what was sworn for one mandate is void on another with the same terms.
    function test_sameDecisionOnTwoMandates() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        Terms memory t = terms();
        t.longestLife += 1;
        Mandate sworn_ = mandate;
        mandate = create(t);
        token.mint(address(mandate), 10);
        _refusesSigner(a, oath);
        sworn_.execute(a, oath);
    }

    /// @notice Other chain id: what was sworn for one chain is void on a fork of it.
    function test_otherChainId() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        vm.chainId(31_338);
        _refusesSigner(a, oath);
        vm.chainId(31_337);
        mandate.execute(a, oath);
    }

    /// @notice The oath binds every field of the action.
    function test_everyFieldIsBound() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        for (uint256 field; field < 5; ++field) {
            Action memory b = transfer(1);
            if (field == 0) b.model = keccak256("other model");
            if (field == 1) b.data = abi.encodeCall(token.transfer, (supplier, 2));
            if (field == 2) b.deadline += 1;
            if (field == 3) b.relayer = address(this);
            if (field == 4) b.salt = 0;
            _refusesSigner(b, oath);
        }
        mandate.execute(a, oath);
    }

    /// @notice The oath binds the native value.
    function test_valueIsBound() public {
        Action memory a = look(1);
        Oath memory oath = oathFor(a);
        a.value = 2;
        _refusesSigner(a, oath);
    }

    /// @notice The oath binds its body and its time.
    function test_bodyAndTimeAreBound() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        oath.body = keccak256("another reason");
        _refusesSigner(a, oath);
        oath.body = BODY;
        oath.iat -= 1;
        _refusesSigner(a, oath);
    }

    /// @notice Thief's key: a decision truly logged and anchored, signed by another key, is refused.
    function test_thiefsKeyWithLoggedLeaf() public {
        Action memory a = transfer(1);
        bytes32 subject = subjectOf(block.chainid, address(mandate), a);
        Oath memory oath = logged(log, a, swornBy(THIEF_KEY, header(), DECISION, subject));
        address thief = vm.createWallet(THIEF_KEY).addr;
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongSigner.selector, thief, agent.addr));
    }

    /// @notice Refusal as decision: the agent's statement of another kind about the same action is refused.
    function test_refusalUsedAsDecision() public {
        Action memory a = transfer(1);
        bytes32 subject = subjectOf(block.chainid, address(mandate), a);
        _refusesSigner(a, logged(log, a, swornBy(AGENT_KEY, header(), "affiant/refusal/v1", subject)));
    }

    /// @notice Agent 0: a signature that recovers nobody never passes for an agent 0.
    function test_agentZero() public {
        Terms memory t = terms();
        t.agent = address(0);
        mandate = rawClone(t);
        Action memory a = transfer(1);
        Oath memory oath = sworn(a);
        oath.v = 29;
        oath = logged(log, a, oath);
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongSigner.selector, address(0), address(0)));
    }

    /// @notice High-s twin: the other form of the agent's signature, logged as such, is refused.
    function test_highSTwin() public {
        Action memory a = transfer(1);
        Oath memory oath = sworn(a);
        oath.s = bytes32(ORDER - uint256(oath.s));
        oath.v = oath.v == 27 ? 28 : 27;
        assertEq(_recovered(a, oath), agent.addr, "the twin recovers the agent");
        oath = logged(log, a, oath);
        refuses(a, oath, abi.encodeWithSelector(Mandate.HighS.selector, oath.s));
    }

    /// @notice A decision that was sworn and never logged is refused: no leaf of the log leads to its seat.
    function test_neverLogged() public {
        log.fill(8);
        log.anchorAll();
        Action memory a = transfer(1);
        Oath memory oath = sworn(a);
        oath.index = 3;
        (oath.seat, oath.path) = log.prove(3);
        _refusesSeat(a, oath);
    }

    /// @notice A decision in the log, not yet anchored, is refused.
    function test_notYetAnchored() public {
        log.fill(2);
        Action memory a = transfer(1);
        Oath memory oath = sworn(a);
        oath.index = log.append(leafOf(a, oath));
        oath.path = Tree.path(log.leaves(), 2, 0, 3);
        oath.seat = SeatRef(0, 0, 3, uint64(vm.getBlockTimestamp()));
        _refusesSeat(a, oath);
        log.anchorAll();
        mandate.execute(a, oath);
    }

    /// @notice Foreign log: a decision truly anchored in another log than the terms name is refused.
    function test_foreignLog() public {
        LogKeeper other = keeper("other.example", 2);
        Action memory a = transfer(1);
        _refusesSeat(a, logged(other, a, sworn(a)));
    }

    /// @notice Weaker policy: the same origin and keys with a lower threshold are another log, refused as any other.
    function test_weakerPolicy() public {
        LogKeeper weaker = keeper("log.example/1", 0);
        Action memory a = transfer(1);
        _refusesSeat(a, logged(weaker, a, sworn(a)));
    }

    /// @notice Truncated, extended and altered paths are refused.
    function test_pathIsExact() public {
        log.fill(5);
        Action memory a = transfer(1);
        Oath memory oath = sworn(a);
        oath.index = log.append(leafOf(a, oath));
        log.fill(11);
        log.anchorAll();
        (oath.seat, oath.path) = log.prove(oath.index);
        bytes32[] memory path = oath.path;
        assertEq(path.length, 4, "path");

        oath.path = new bytes32[](3);
        (oath.path[0], oath.path[1], oath.path[2]) = (path[0], path[1], path[2]);
        refuses(a, oath, abi.encodeWithSelector(Rfc9162.WrongPathLength.selector, 3, uint64(5), uint64(11)));
        oath.path = Tree.append(path, path[3]);
        refuses(a, oath, abi.encodeWithSelector(Rfc9162.WrongPathLength.selector, 5, uint64(5), uint64(11)));
        for (uint256 i; i < 4; ++i) {
            oath.path = Tree.append(new bytes32[](0), path[0]);
            for (uint256 j = 1; j < 4; ++j) {
                oath.path = Tree.append(oath.path, path[j]);
            }
            oath.path[i] ^= bytes32(uint256(1));
            _refusesSeat(a, oath);
        }
        oath.path = path;
        mandate.execute(a, oath);
    }

    /// @notice Index outside the seat: before its first leaf, at its end, and far away.
    function test_indexOutsideSeat() public {
        log.fill(8);
        log.anchorAll();
        log.fill(9);
        Action memory a = transfer(1);
        Oath memory oath = logged(log, a, sworn(a));
        assertTrue(oath.seat.start == 8 && oath.seat.end == 10 && oath.index == 9, "seat");
        uint64[4] memory outside = [uint64(7), 10, 0, type(uint64).max];
        for (uint256 i; i < outside.length; ++i) {
            oath.index = outside[i];
            refuses(a, oath, abi.encodeWithSelector(Mandate.OutsideSeat.selector, outside[i], uint64(8), uint64(10)));
        }
        oath.index = 8;
        _refusesSeat(a, oath);
    }

    /// @notice A seat of which any field is changed is not one that the chain holds.
    function test_alteredSeat() public {
        log.fill(3);
        Action memory a = transfer(1);
        Oath memory oath = logged(log, a, sworn(a));
        oath.seat.count += 1;
        _refusesSeat(a, oath);
        oath.seat.count -= 1;
        oath.seat.time += 1;
        _refusesSeat(a, oath);
        oath.seat.time -= 1;
        // The same leaves, numbered otherwise.
        oath.seat.start += 1;
        oath.seat.end += 1;
        oath.index += 1;
        _refusesSeat(a, oath);
    }

    /// @notice A decision proves against every seat that holds it, not only the one that came with it.
    function test_olderAndNewerSeat() public {
        log.fill(2);
        Action memory a = transfer(1);
        Oath memory oath = logged(log, a, sworn(a));
        log.fill(8);
        log.anchorAll();
        (oath.seat, oath.path) = log.prove(oath.index);
        assertTrue(oath.seat.count == 1 && oath.path.length == 3, "newer seat");
        mandate.execute(a, oath);
    }

    /// @dev Refused because the anchor does not hold the seat to which the proof leads.
    function _refusesSeat(Action memory a, Oath memory oath) private {
        refuses(a, oath, notHeld(leafOf(a, oath), oath));
    }
}
