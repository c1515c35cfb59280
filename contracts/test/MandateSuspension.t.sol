// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {Bucket, LeakyBucket} from "../src/core/Bucket.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Oath} from "../src/core/Oath.sol";
import {Rfc9162} from "../src/core/Rfc9162.sol";
import {Suspension} from "../src/core/Suspension.sol";
import {Guardian, Terms} from "../src/core/Terms.sol";
import {Vm} from "./Cheats.sol";
import {House} from "./House.sol";
import {Probe} from "./Probe.sol";
import {Tree} from "./Tree.sol";

/// @dev The terms give the guardian 7,201 seconds in any day: 3,600 at once, and one comes back every 24 seconds.
abstract contract MandateSuspensionTests is House {
    address private constant STRANGER = address(0x57A);
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes private constant OVERFLOW = abi.encodeWithSignature("Panic(uint256)", 0x11);

    /// @dev Seconds in which the agent was kept still: from `from` up to and without `to`.
    struct Stay {
        uint256 from;
        uint256 to;
    }

    // What a suspension does

    /// @notice A suspended agent is refused what it could do before, and free again at exactly the second named.
    function test_suspends() public {
        log.fill(37);
        Action memory a = transfer(1);
        Suspension memory s = stay(600);
        Oath memory oath = oathFor(s);
        vm.expectEmit(address(mandate));
        emit Mandate.Suspended(leafOf(s, oath), 0, s.until);
        mandate.suspend(s, oath);
        (,,, uint40 suspendedUntil) = mandate.state();
        assertEq(suspendedUntil, s.until, "suspended until");
        _watches(1, 0, 3_000);

        Oath memory decision = oathFor(a);
        _refusesSuspended(a, decision, s.until);
        vm.warp(s.until - 1);
        _refusesSuspended(a, decision, s.until);
        vm.warp(s.until);
        mandate.execute(a, decision);
        assertEq(token.balanceOf(supplier), 1, "free again");
    }

    /// @notice Anyone may carry an alert: a stranger, the agent itself, the principal.
    function test_anyoneMayCarry() public {
        address[3] memory carriers = [STRANGER, agent.addr, principal];
        for (uint256 i; i < carriers.length; ++i) {
            Suspension memory s = stay(60 * (i + 1));
            Oath memory oath = oathFor(s);
            vm.prank(carriers[i]);
            mandate.suspend(s, oath);
            (,,, uint40 suspendedUntil) = mandate.state();
            assertEq(suspendedUntil, s.until, "suspended until");
        }
    }

    /// @notice A suspension changes neither nonce nor epoch nor what the buckets let through.
    function test_changesNothingElse() public {
        execute(transfer(6_000));
        execute(call(address(token), 0, abi.encodeCall(token.approve, (supplier, 0))));
        suspend(stay(3_600));
        (bool revoked, uint32 epoch, uint256 nonce_,) = mandate.state();
        assertTrue(!revoked && epoch == 0 && nonce_ == 2, "state");
        assertTrue(mandate.level(0) == 4_000 && mandate.level(1) == 1, "levels");
        vm.prank(principal);
        mandate.resume(0);
        (revoked, epoch, nonce_,) = mandate.state();
        assertTrue(!revoked && epoch == 0 && nonce_ == 2, "state");
        assertTrue(mandate.level(0) == 4_000 && mandate.level(1) == 1, "levels");
    }

    /// @notice While the agent is suspended, money comes in, nonces are given up, and the principal withdraws.
    function test_custodyGoesOn() public {
        suspend(stay(3_600));
        vm.deal(STRANGER, 1 ether);
        vm.prank(STRANGER);
        (bool success,) = address(mandate).call{value: 1 ether}("");
        assertTrue(success, "received");
        vm.prank(agent.addr);
        mandate.cancel(0);
        vm.prank(principal);
        mandate.cancel(1);
        vm.prank(principal);
        mandate.withdraw(address(token), 1_000_000);
        vm.prank(principal);
        mandate.withdraw(address(0), 11 ether);
        assertTrue(token.balanceOf(principal) == 1_000_000 && principal.balance == 11 ether, "withdrawn");
        (,, uint256 nonce_, uint40 suspendedUntil) = mandate.state();
        assertEq(nonce_, 2, "nonce");
        assertEq(suspendedUntil, vm.getBlockTimestamp() + 3_600, "still suspended");
    }

    /// @notice A suspended mandate can be revoked, and says so first; after that there is nothing left to suspend.
    function test_revoked() public {
        suspend(stay(600));
        vm.prank(principal);
        mandate.revoke();
        refuses(transfer(1), abi.encodeWithSelector(Mandate.Revoked.selector, principal));
        refuses(stay(700), abi.encodeWithSelector(Mandate.Revoked.selector, principal));
        vm.prank(principal);
        mandate.resume(0);
        (bool revoked,,, uint40 suspendedUntil) = mandate.state();
        assertTrue(revoked && suspendedUntil == 0, "revoked for ever");
    }

    /// @notice The guardian can do nothing else: it neither acts, cancels, revokes, withdraws nor resumes.
    function test_guardianCanDoNothingElse() public {
        vm.expectRevert(
            abi.encodeWithSelector(Mandate.NotPrincipalOrAgent.selector, guardian.addr, principal, agent.addr)
        );
        vm.prank(guardian.addr);
        mandate.cancel(0);
        bytes[3] memory calls = [
            abi.encodeCall(mandate.revoke, ()),
            abi.encodeCall(mandate.withdraw, (address(token), 1)),
            abi.encodeCall(mandate.resume, (0))
        ];
        for (uint256 i; i < calls.length; ++i) {
            vm.prank(guardian.addr);
            (bool success, bytes memory returned) = address(mandate).call(calls[i]);
            assertTrue(!success, "refused");
            assertEq(
                returned, abi.encodeWithSelector(Mandate.NotPrincipal.selector, guardian.addr, principal), "reason"
            );
        }
        Action memory a = transfer(1);
        bytes32 subject = subjectOf(block.chainid, address(mandate), a);
        Oath memory oath = logged(log, a, swornBy(GUARDIAN_KEY, header(), DECISION, subject));
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongSigner.selector, guardian.addr, agent.addr));
    }

    /// @notice An alert of the guardian's about an action is no decision, even if the guardian is the agent.
    function test_alertIsNoDecision() public {
        Terms memory t = terms();
        t.guardian = Guardian(agent.addr, 100, 1_000, headerOf(agent.addr, AGENT_DID, hex"70", ALERT));
        mandate = Mandate(payable(factory.create(t, keyOf(agent), keyOf(agent), 0)));
        Action memory a = transfer(1);
        bytes memory said = payload(ALERT, subjectOf(block.chainid, address(mandate), a));
        Oath memory oath = swornBy(AGENT_KEY, t.guardian.header, ALERT, subjectOf(block.chainid, address(mandate), a));
        oath = logged(log, leafOf(t.guardian.header, said, oath), oath);
        vm.prank(STRANGER);
        (bool success, bytes memory returned) = address(mandate).call(abi.encodeCall(mandate.execute, (a, oath)));
        assertTrue(!success && bytes4(returned) == Mandate.WrongSigner.selector, "refused");
    }

    // Whose alert it is

    /// @notice An alert that the agent, the principal or a stranger signed, truly logged, is refused.
    function test_wrongSigner() public {
        Terms memory t = terms();
        t.principal = vm.createWallet(0x9121).addr;
        mandate = create(t);
        uint256[3] memory keys = [AGENT_KEY, 0x9121, THIEF_KEY];
        for (uint256 i; i < keys.length; ++i) {
            Suspension memory s = stay(60);
            Oath memory oath = logged(log, s, swornBy(keys[i], alertHeader(), ALERT, subjectOf(s)));
            address signer = vm.createWallet(keys[i]).addr;
            refuses(s, oath, abi.encodeWithSelector(Mandate.WrongSigner.selector, signer, guardian.addr));
        }
    }

    /// @notice Only an alert suspends: no decision, refusal or other statement, and no alert under the agent's name.
    function test_wrongStatement() public {
        bytes memory decision = headerOf(guardian.addr, GUARDIAN_DID, hex"73", DECISION);
        _refusesStatement(GUARDIAN_KEY, decision, DECISION);
        _refusesStatement(GUARDIAN_KEY, decision, ALERT);
        _refusesStatement(GUARDIAN_KEY, alertHeader(), DECISION);
        _refusesStatement(GUARDIAN_KEY, alertHeader(), "affiant/refusal/v1");
        _refusesStatement(AGENT_KEY, headerOf(agent.addr, AGENT_DID, hex"70", ALERT), ALERT);
        _refusesStatement(AGENT_KEY, header(), DECISION);
    }

    /// @notice The alert binds number, end, body and time of oath.
    function test_everyFieldOfAnAlertIsBound() public {
        Suspension memory s = stay(60);
        Oath memory oath = oathFor(s);
        s.until += 1;
        _refusesSigner(s, oath);
        s.until -= 1;
        oath.body = keccak256("other findings");
        _refusesSigner(s, oath);
        oath.body = BODY;
        oath.iat -= 1;
        _refusesSigner(s, oath);
        oath.iat += 1;
        vm.prank(principal);
        mandate.resume(0);
        s.number = 1;
        _refusesSigner(s, oath);
    }

    /// @notice An alert about one mandate is void on another with the same terms.
    function test_otherMandate() public {
        Suspension memory s = stay(60);
        Oath memory oath = oathFor(s);
        Mandate suspended = mandate;
        mandate = create(terms(), keccak256("another"));
        _refusesSigner(s, oath);
        suspended.suspend(s, oath);
    }

    /// @notice An alert on one chain is void on a fork of it.
    function test_otherChain() public {
        Suspension memory s = stay(60);
        Oath memory oath = oathFor(s);
        vm.chainId(31_338);
        _refusesSigner(s, oath);
        vm.chainId(31_337);
        mandate.suspend(s, oath);
    }

    /// @notice The high-s twin of the guardian's signature, logged as such, is refused.
    function test_alertWithHighS() public {
        Suspension memory s = stay(60);
        Oath memory oath = sworn(s);
        oath.s = bytes32(ORDER - uint256(oath.s));
        oath.v = oath.v == 27 ? 28 : 27;
        assertEq(_recovered(s, oath), guardian.addr, "the twin recovers the guardian");
        oath = logged(log, s, oath);
        refuses(s, oath, abi.encodeWithSelector(Mandate.HighS.selector, oath.s));
    }

    /// @notice An alert that was sworn and is in no log, or only in another log, suspends nobody.
    function test_alertNotLogged() public {
        log.fill(8);
        log.anchorAll();
        Suspension memory s = stay(60);
        Oath memory oath = sworn(s);
        oath.index = 3;
        (oath.seat, oath.path) = log.prove(3);
        refuses(s, oath, notHeld(leafOf(s, oath), oath));
        oath = logged(keeper("other.example", 2), s, oath);
        refuses(s, oath, notHeld(leafOf(s, oath), oath));
        oath = logged(keeper("log.example/1", 0), s, oath);
        refuses(s, oath, notHeld(leafOf(s, oath), oath));
        mandate.suspend(s, logged(log, s, oath));
    }

    /// @notice A proof outside its seat, or one node too long, is refused for an alert as for a decision.
    function test_alertsProofIsExact() public {
        log.fill(5);
        Suspension memory s = stay(60);
        Oath memory oath = oathFor(s);
        (uint64 index, bytes32[] memory path) = (oath.index, oath.path);
        oath.index = 6;
        refuses(s, oath, abi.encodeWithSelector(Mandate.OutsideSeat.selector, uint64(6), uint64(0), uint64(6)));
        oath.index = index;
        oath.path = Tree.append(path, path[0]);
        refuses(s, oath, abi.encodeWithSelector(Rfc9162.WrongPathLength.selector, path.length + 1, index, uint64(6)));
        oath.path = path;
        mandate.suspend(s, oath);
    }

    // Which suspension, and when

    /// @notice An alert suspends once: carried again, or sworn for any other number than the next, it is refused.
    function test_wrongNumber() public {
        Suspension memory s = stay(60);
        s.number = 1;
        refuses(s, abi.encodeWithSelector(Mandate.WrongSuspension.selector, uint32(1), uint32(0)));
        s.number = 0;
        Oath memory oath = suspend(s);
        refuses(s, oath, abi.encodeWithSelector(Mandate.WrongSuspension.selector, uint32(0), uint32(1)));
        s = stay(120);
        assertEq(s.number, 1, "next");
        suspend(s);
    }

    /// @notice A clock may be a minute ahead of the chain's, no more.
    function test_alertSwornInFuture() public {
        uint256 time = vm.getBlockTimestamp();
        Suspension memory s = stay(600);
        Oath memory oath = _oathAt(s, time + 61);
        refuses(s, oath, abi.encodeWithSelector(Mandate.SwornInFuture.selector, uint32(time + 61), time));
        mandate.suspend(s, _oathAt(s, time + 60));
    }

    /// @notice Alerts cannot be hoarded: an end later after the oath than half the guardian's limit is refused.
    function test_hoardedAlert() public {
        uint40 latest = uint40(vm.getBlockTimestamp() + 3_600);
        Suspension memory s = Suspension(0, latest + 1);
        refuses(s, abi.encodeWithSelector(Mandate.LivesTooLong.selector, uint64(latest + 1), latest));
        s.until = type(uint40).max;
        refuses(s, abi.encodeWithSelector(Mandate.LivesTooLong.selector, uint64(type(uint40).max), latest));
        s.until = latest;
        Oath memory oath = oathFor(s);
        vm.warp(latest);
        refuses(s, oath, abi.encodeWithSelector(Mandate.SuspendsNothing.selector, latest, latest));
        vm.warp(latest - 1);
        mandate.suspend(s, oath);
        _watches(1, 0, 3_599);
    }

    /// @notice A suspension that would end no later than now, or than the one in force, is refused.
    function test_suspendsNothing() public {
        uint40 time = uint40(vm.getBlockTimestamp());
        Suspension memory s = Suspension(0, time);
        refuses(s, abi.encodeWithSelector(Mandate.SuspendsNothing.selector, time, time));
        s.until = time - 1;
        refuses(s, abi.encodeWithSelector(Mandate.SuspendsNothing.selector, time - 1, time));
        s.until = time + 100;
        suspend(s);
        s = Suspension(1, time + 100);
        refuses(s, abi.encodeWithSelector(Mandate.SuspendsNothing.selector, time + 100, time + 100));
        s.until = time + 99;
        refuses(s, abi.encodeWithSelector(Mandate.SuspendsNothing.selector, time + 99, time + 100));
        s.until = time + 101;
        suspend(s);
        _watches(2, 0, 3_499);
    }

    /// @notice A suspension that extends one in force is charged only for the seconds that it adds.
    function test_extension() public {
        uint256 time = vm.getBlockTimestamp();
        suspend(stay(1_000));
        _watches(1, 0, 2_600);
        vm.warp(time + 240);
        _watches(1, 0, 2_610);
        suspend(stay(1_260));
        (,,, uint40 suspendedUntil) = mandate.state();
        assertEq(suspendedUntil, time + 1_500, "extended");
        _watches(2, 0, 2_110);
    }

    /// @notice One second more than the guardian has left is refused; what it has spent comes back by the window.
    function test_budget() public {
        uint256 time = vm.getBlockTimestamp();
        suspend(stay(3_600));
        _watches(1, 0, 0);
        vm.warp(time + 23);
        Suspension memory s = Suspension(1, uint40(time + 3_601));
        refuses(s, abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(255), 1, 0));
        vm.warp(time + 24);
        _watches(1, 0, 1);
        suspend(s);
        vm.warp(time + 24_000);
        s = stay(1_000);
        refuses(s, abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(255), 1_000, 999));
        s.until -= 1;
        suspend(s);
        vm.warp(time + 5 days);
        _watches(3, 0, 3_600);
        // A clock that is ahead gains nothing.
        s = stay(3_601);
        Oath memory oath = _oathAt(s, vm.getBlockTimestamp() + 60);
        refuses(s, oath, abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(255), 3_601, 3_600));
    }

    // What the principal does about it

    /// @notice The principal ends a suspension at once; what the guardian has spent stays spent.
    function test_resume() public {
        suspend(stay(3_600));
        vm.expectEmit(address(mandate));
        emit Mandate.Resumed(2, 7);
        vm.prank(principal);
        mandate.resume(7);
        _watches(2, 7, 0);
        (,,, uint40 suspendedUntil) = mandate.state();
        assertEq(suspendedUntil, 0, "not suspended");
        execute(transfer(1));
        refuses(stay(1), abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(255), 1, 0));
        vm.warp(vm.getBlockTimestamp() + 24);
        suspend(stay(1));
    }

    /// @notice After a resumption a suspension begins now, not where the one that was ended would have ended.
    function test_suspendsAnewAfterResume() public {
        suspend(stay(1_000));
        vm.prank(principal);
        mandate.resume(0);
        Suspension memory s = stay(500);
        suspend(s);
        _watches(3, 0, 2_100);
        _refusesSuspended(transfer(1), oathFor(transfer(1)), s.until);
    }

    /// @notice Nobody but the principal resumes: not the agent, not the guardian, not a stranger.
    function test_onlyThePrincipalResumes() public {
        suspend(stay(600));
        address[3] memory callers = [agent.addr, guardian.addr, STRANGER];
        for (uint256 i; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Mandate.NotPrincipal.selector, callers[i], principal));
            vm.prank(callers[i]);
            mandate.resume(0);
        }
        _watches(1, 0, 3_000);
    }

    /// @notice A resumption voids the alert that was sworn for the next suspension and not yet carried.
    function test_resumeVoidsAlerts() public {
        Suspension memory s = stay(600);
        Oath memory oath = oathFor(s);
        vm.prank(principal);
        mandate.resume(0);
        refuses(s, oath, abi.encodeWithSelector(Mandate.WrongSuspension.selector, uint32(0), uint32(1)));
        suspend(stay(600));
    }

    /// @notice Resuming what is not suspended bumps the number and charges nothing.
    function test_resumeWithoutSuspension() public {
        execute(transfer(1));
        vm.expectEmit(address(mandate));
        emit Mandate.Resumed(1, 0);
        vm.prank(principal);
        mandate.resume(0);
        _watches(1, 0, 3_600);
        execute(transfer(1));
    }

    /// @notice A silenced guardian is refused until exactly the second named, and may be heard again sooner.
    function test_silence() public {
        uint40 time = uint40(vm.getBlockTimestamp());
        vm.prank(principal);
        mandate.resume(time + 100);
        Suspension memory s = stay(600);
        Oath memory oath = oathFor(s);
        refuses(s, oath, abi.encodeWithSelector(Mandate.GuardianSilenced.selector, time + 100, time));
        vm.warp(time + 99);
        refuses(s, oath, abi.encodeWithSelector(Mandate.GuardianSilenced.selector, time + 100, time + 99));
        vm.warp(time + 100);
        mandate.suspend(s, oath);
        _watches(2, time + 100, 3_100);

        vm.prank(principal);
        mandate.resume(type(uint40).max);
        refuses(
            stay(1), abi.encodeWithSelector(Mandate.GuardianSilenced.selector, type(uint40).max, uint256(time) + 100)
        );
        vm.prank(principal);
        mandate.resume(0);
        suspend(stay(1));
    }

    /// @notice Without a guardian nobody suspends, not even by a signature that recovers nobody.
    function test_noGuardian() public {
        Terms memory t = terms();
        t.guardian = Guardian(address(0), 0, 0, "");
        mandate = create(t);
        token.mint(address(mandate), 1);
        _watches(0, 0, 0);
        Suspension memory s = stay(60);
        Oath memory oath = oathFor(s);
        refuses(s, oath, abi.encodeWithSelector(Mandate.NoGuardian.selector));
        vm.prank(principal);
        mandate.resume(0);
        execute(transfer(1));

        t.guardian = Guardian(address(0), 7_201, 1 days, alertHeader());
        mandate = rawClone(t);
        oath = sworn(s);
        oath.v = 29;
        oath = logged(log, s, oath);
        refuses(s, oath, abi.encodeWithSelector(Mandate.NoGuardian.selector));
    }

    // At once with an execution

    /// @notice A suspension that the target of an execution carries meanwhile is kept, and so is what was executed.
    function test_suspendDuringExecution() public {
        execute(transfer(6));
        Action memory a = look(5);
        Suspension memory s = stay(600);
        Oath memory alert = oathFor(s);
        probe.plan(abi.encodeCall(mandate.suspend, (s, alert)));
        Oath memory decision = oathFor(a);
        vm.expectEmit(address(mandate));
        emit Mandate.Executed(leafOf(a, decision), subjectOf(block.chainid, address(mandate), a), 0, 1);
        vm.expectEmit(address(mandate));
        emit Mandate.Suspended(leafOf(s, alert), 0, s.until);
        mandate.execute(a, decision);
        assertEq(probe.received(), 5, "executed");
        uint256 mark = 10_000 * vm.getBlockTimestamp() + 11 * 1 days;
        _holds(_packed(0, 0, 2, s.until, mark));
        assertEq(mandate.level(0), 9_989, "metered");
        _watches(1, 0, 3_000);
        _refusesSuspended(transfer(1), oathFor(transfer(1)), s.until);
    }

    /// @notice An alert carried during an execution that fails suspends nobody yet, and can be carried again.
    function test_suspendDuringFailedExecution() public {
        Suspension memory s = stay(600);
        Oath memory alert = oathFor(s);
        probe.plan(abi.encodeCall(mandate.suspend, (s, alert)));
        Action memory a = call(address(probe), 1, abi.encodeCall(probe.look, (13)));
        bytes memory inner = abi.encodeWithSelector(Probe.Deliberate.selector, 13);
        refuses(a, abi.encodeWithSelector(Mandate.CallFailed.selector, inner));
        _holds(0);
        mandate.suspend(s, alert);
        _refusesSuspended(transfer(1), oathFor(transfer(1)), s.until);
    }

    /// @notice Between two actions in one transaction a suspension stops the second.
    function test_suspendBetweenActions() public {
        bytes[] memory calls = new bytes[](3);
        Action memory a = transfer(1);
        Suspension memory s = stay(600);
        calls[1] = abi.encodeCall(mandate.suspend, (s, oathFor(s)));
        calls[0] = abi.encodeCall(mandate.execute, (a, oathFor(a)));
        a.nonce = 1;
        calls[2] = abi.encodeCall(mandate.execute, (a, oathFor(a)));
        vm.expectRevert(abi.encodeWithSelector(Probe.Deliberate.selector, 2));
        probe.carry(address(mandate), calls);
        calls[2] = abi.encodeCall(mandate.state, ());
        probe.carry(address(mandate), calls);
        assertEq(token.balanceOf(supplier), 1, "the first only");
    }

    // How the state is packed

    /// @notice The last nonce is refused rather than wrapped into its neighbours, by execution and by cancellation.
    function test_lastNonce() public {
        uint256 last = type(uint40).max;
        vm.store(address(mandate), 0, _packed(0, 0, last - 1, 1, 1));
        execute(transfer(1));
        uint256 mark = 10_000 * vm.getBlockTimestamp() + 1 days;
        _holds(_packed(0, 0, last, 1, mark));
        refuses(transfer(1), OVERFLOW);
        vm.expectRevert(OVERFLOW);
        vm.prank(agent.addr);
        mandate.cancel(last);
        _holds(_packed(0, 0, last, 1, mark));
        suspend(stay(60));
        _holds(_packed(0, 0, last, vm.getBlockTimestamp() + 60, mark));
    }

    /// @notice The largest bucket, filled at the last second that an oath can reach, changes nothing beside its mark.
    function test_largestMarkDoesNotSpill() public {
        Terms memory t = terms();
        t.buckets[0] = Bucket(type(uint96).max, type(uint32).max);
        t.rules[1].cap = type(uint128).max;
        (t.validUntil, t.longestLife) = (type(uint64).max, type(uint32).max);
        mandate = create(t);
        token.mint(address(mandate), type(uint96).max);
        uint256 rate = type(uint96).max / 2;
        // An oath tells its time in 32 bits, and a decision lives no longer than 32 bits of seconds.
        (uint256 iat, uint256 time) = (type(uint32).max, 2 * uint256(type(uint32).max));
        bytes32 before = _packed(0, type(uint32).max, type(uint40).max - 1, time, 1);
        vm.store(address(mandate), 0, before);
        Action memory a = transfer(rate);
        (a.epoch, a.deadline) = (type(uint32).max, uint64(time));
        vm.warp(iat);
        Oath memory oath = sworn(a);
        vm.warp(time);
        mandate.execute(a, logged(log, a, oath));
        _holds(_packed(0, type(uint32).max, type(uint40).max, time, rate * (time + type(uint32).max)));
        assertEq(mandate.level(0), 0, "full");
    }

    /// @notice The longest suspension, late, changes nothing beside its field: neither does ending it.
    function test_longestSuspensionDoesNotSpill() public {
        Terms memory t = terms();
        (t.guardian.limit, t.guardian.window) = (type(uint32).max - 1, type(uint32).max);
        mandate = create(t);
        (uint256 epoch, uint256 last, uint256 mark) = (type(uint32).max, type(uint40).max, type(uint136).max);
        vm.store(address(mandate), 0, _packed(0, epoch, last, 0, mark));
        vm.warp(type(uint32).max);
        _watches(0, 0, type(uint32).max / 2);
        Suspension memory s = stay(type(uint32).max / 2);
        suspend(s);
        _watches(1, 0, 0);
        assertTrue(s.until > type(uint32).max, "33 bits");
        _holds(_packed(0, epoch, last, s.until, mark));

        // The largest mark of the guardian's bucket, of 65 bits: filled again, later than an oath can tell.
        vm.prank(principal);
        mandate.resume(0);
        vm.warp(uint256(type(uint32).max) + 60);
        s = stay(29);
        mandate.suspend(s, _oathAt(s, type(uint32).max));
        _watches(3, 0, 0);
        _holds(_packed(0, epoch, last, s.until, mark));

        vm.prank(principal);
        mandate.revoke();
        _holds(_packed(1, epoch, last, s.until, mark));
        vm.prank(principal);
        mandate.resume(type(uint40).max);
        _holds(_packed(1, epoch, last, 0, mark));
        _watches(4, type(uint40).max, 0);
    }

    /// @notice The last number of a suspension is refused rather than wrapped, by suspension and by resumption.
    function test_lastNumber() public {
        vm.store(address(mandate), bytes32(uint256(1)), bytes32(uint256(type(uint32).max - 1)));
        suspend(stay(60));
        Suspension memory s = stay(61);
        assertEq(s.number, type(uint32).max, "last");
        refuses(s, OVERFLOW);
        vm.expectRevert(OVERFLOW);
        vm.prank(principal);
        mandate.resume(0);
    }

    // The bound

    /// @notice Whatever a guardian swears and a principal answers, no window of time sees more seconds of suspension
    /// than the limit; and the agent acts exactly when it is not suspended.
    function testFuzz_noWindowSeesMoreThanTheLimit(uint256 seed) public {
        Terms memory t = terms();
        t.guardian.window = uint32(within(seed >> 8, 3, seed % 2 == 0 ? 40 : 100_000));
        t.guardian.limit = uint32(within(seed >> 64, seed % 3 == 0 ? t.guardian.window - 1 : 2, t.guardian.window - 1));
        mandate = create(t);
        Stay[] memory stays = new Stay[](14);
        uint256 count;
        uint256 time = vm.getBlockTimestamp();
        for (uint256 i; i < stays.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 end = count == 0 ? 0 : stays[count - 1].to;
            time = _nextTime(seed, time, end, t.guardian);
            vm.warp(time);
            if (seed % 8 == 0) {
                vm.prank(principal);
                mandate.resume(uint40(time + (seed >> 32) % (t.guardian.limit / 2) - t.guardian.limit / 4));
                if (end > time) stays[count - 1].to = time;
            } else {
                uint256 until = _swearsAnything(seed >> 16, end, t.guardian);
                if (until != 0 && end > time) stays[count - 1].to = until;
                else if (until != 0) stays[count++] = Stay(time, until);
            }
            _actsUnlessSuspended(count == 0 ? 0 : stays[count - 1].to);
        }
        _requireBound(stays, count, t.guardian.limit, t.guardian.window);
    }

    /// @dev Often the edge of the suspension in force, often the bound's: half a limit or a window later.
    function _nextTime(uint256 seed, uint256 time, uint256 end, Guardian memory g) private pure returns (uint256) {
        uint256 choice = (seed >> 240) % 6;
        if (choice == 0 && end > time) return end;
        if (choice == 1 && end > time) return end - 1;
        if (choice == 2) return time + g.window - g.limit / 2;
        if (choice == 3) return time;
        return time + (seed >> 200) % (choice == 4 ? g.limit : g.window / 4 + 2);
    }

    /// @dev Swears, logs and carries an alert: as much as the bucket holds, or a second more, or whatever, at whatever
    /// time. Returns the end of the suspension, or 0 if it was refused.
    function _swearsAnything(uint256 seed, uint256 end, Guardian memory g) private returns (uint256) {
        uint256 time = vm.getBlockTimestamp();
        (uint32 number, uint40 silentUntil, uint256 room) = mandate.watch();
        uint256 begins = end > time ? end : time;
        Suspension memory s = Suspension(number, uint40(begins + room));
        uint256 iat = time;
        uint256 whim = seed % 8;
        if (whim == 0) s.number = uint32(number + (seed >> 8) % 3);
        if (whim == 1) s.until += 1;
        if (whim == 2) s.until = uint40(time + (seed >> 8) % (2 * uint256(g.limit)));
        if (whim == 3) iat = time + (seed >> 8) % 62;
        if (whim == 4) iat = time - (seed >> 8) % g.limit;
        if (whim == 5) (iat, s.until) = (time + 60, s.until + 60);
        Oath memory oath = _oathAt(s, iat);
        (bool success,) = address(mandate).call(abi.encodeCall(mandate.suspend, (s, oath)));
        // All that is left is the guardian's for the asking, and not a second more.
        if (s.number == number && silentUntil <= time && iat == time && room != 0 && s.until == begins + room) {
            assertTrue(success, "within the bound");
        }
        if (s.until > begins + room || s.number != number || silentUntil > time) assertTrue(!success, "beyond it");
        return success ? s.until : 0;
    }

    function _actsUnlessSuspended(uint256 end) private {
        uint256 time = vm.getBlockTimestamp();
        Action memory a = transfer(0);
        Oath memory oath = oathFor(a);
        (bool success, bytes memory returned) = address(mandate).call(abi.encodeCall(mandate.execute, (a, oath)));
        assertTrue(success == (time >= end), "acts exactly when it is not suspended");
        if (!success) {
            assertEq(returned, abi.encodeWithSelector(Mandate.AgentSuspended.selector, end, time), "reason");
        }
    }

    /// @dev The fullest window begins where a suspension begins, or ends where one ends.
    function _requireBound(Stay[] memory stays, uint256 count, uint256 limit, uint256 window) private pure {
        for (uint256 i; i < count; ++i) {
            assertAtMost(_secondsIn(stays, count, stays[i].from, stays[i].from + window), limit, "from a beginning");
            assertAtMost(_secondsIn(stays, count, stays[i].to - window, stays[i].to), limit, "to an end");
        }
    }

    function _secondsIn(Stay[] memory stays, uint256 count, uint256 from, uint256 to)
        private
        pure
        returns (uint256 sum)
    {
        for (uint256 i; i < count; ++i) {
            uint256 low = stays[i].from > from ? stays[i].from : from;
            uint256 high = stays[i].to < to ? stays[i].to : to;
            if (high > low) sum += high - low;
        }
    }

    // Helpers

    function _watches(uint32 number, uint40 silentUntil, uint256 remaining) private view {
        (uint32 number_, uint40 silentUntil_, uint256 remaining_) = mandate.watch();
        assertEq(number_, number, "number");
        assertEq(silentUntil_, silentUntil, "silent until");
        assertEq(remaining_, remaining, "remaining");
    }

    function _refusesSuspended(Action memory a, Oath memory oath, uint40 until) private {
        refuses(a, oath, abi.encodeWithSelector(Mandate.AgentSuspended.selector, until, vm.getBlockTimestamp()));
    }

    /// @dev Refused because some other signer, or nobody, is recovered.
    function _refusesSigner(Suspension memory s, Oath memory oath) private {
        address recovered = _recovered(s, oath);
        assertTrue(recovered != guardian.addr, "it is the guardian's signature");
        refuses(s, oath, abi.encodeWithSelector(Mandate.WrongSigner.selector, recovered, guardian.addr));
    }

    /// @dev A statement about the next suspension, truly signed and logged, which is no alert of the guardian's.
    function _refusesStatement(uint256 key, bytes memory head, string memory kind) private {
        Suspension memory s = stay(60);
        Oath memory oath = swornBy(key, head, kind, subjectOf(s));
        _refusesSigner(s, logged(log, leafOf(head, payload(kind, subjectOf(s)), oath), oath));
    }

    function _recovered(Suspension memory s, Oath memory oath) private view returns (address) {
        bytes memory said = abi.encodePacked(keccak256(bytes(ALERT)), subjectOf(s), oath.body);
        return ecrecover(signed(alertHeader(), oath.iat, said), oath.v, oath.r, oath.s);
    }

    /// @dev Sworn at another time than now, and logged now.
    function _oathAt(Suspension memory s, uint256 iat) private returns (Oath memory oath) {
        uint256 time = vm.getBlockTimestamp();
        vm.warp(iat);
        oath = sworn(s);
        vm.warp(time);
        return logged(log, s, oath);
    }

    /// @dev The one slot of a mandate's state, as it is laid out.
    function _packed(uint256 revoked, uint256 epoch, uint256 nonce_, uint256 suspendedUntil, uint256 mark)
        private
        pure
        returns (bytes32)
    {
        return bytes32(mark << 120 | suspendedUntil << 80 | nonce_ << 40 | epoch << 8 | revoked);
    }

    function _holds(bytes32 slot) private view {
        assertEq(vm.load(address(mandate), 0), slot, "slot");
    }
}
