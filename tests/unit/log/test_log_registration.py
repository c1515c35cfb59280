"""The registration policy: each rule by its name, and what stands just on the right side of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from affiant.kernel import body as bodies
from affiant.kernel.body import Reference
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import MalformedError, RegistrationRefused
from affiant.kernel.identity import Ed25519Key
from affiant.log.registration import CLOCK_DRIFT
from affiant.testing import fixed_key
from shop import LIFE, STRANGER, Scribe

NOWHERE = sha256(b"not in this log")


@contextmanager
def refused(scribe: Scribe, reason: str) -> Iterator[None]:
    """Expect the log to refuse by this rule, and to be as it was before."""
    before = scribe.log.head()
    with pytest.raises(RegistrationRefused) as caught:
        yield
    assert caught.value.reason == reason
    assert scribe.log.head() == before


@pytest.fixture
def ready(scribe: Scribe) -> Scribe:
    """Return a scribe with model and observation in the log."""
    return scribe.begin()


def test_statements_by_the_book_are_accepted(ready: Scribe) -> None:
    """A decision, refusals with and without an action, and an outcome are all accepted."""
    decision = ready.decision()
    ready.register(decision, ready.refusal(ready.action()), ready.refusal(None))
    assert ready.register(ready.outcome(decision)) == 7


def test_a_body_comes_before_its_statement(ready: Scribe) -> None:
    """A statement is refused until its body has been handed over."""
    draft = ready.decision()
    with refused(ready, "body-missing"):
        ready.log.register(draft.statement.entry)
    assert ready.log.put_body(draft.body) == draft.statement.body
    ready.log.register(draft.statement.entry)


def test_another_body_does_not_stand_for_the_one_sworn_to(ready: Scribe) -> None:
    """A body is found by its digest only, so a changed one is not the one sworn to."""
    draft = ready.decision()
    ready.log.put_body(draft.body.replace(b"100 are due", b"101 are due"))
    with refused(ready, "body-missing"):
        ready.log.register(draft.statement.entry)


def test_what_is_no_body_is_not_kept(ready: Scribe) -> None:
    """Bytes that are no body of a known kind are refused when they are handed over."""
    for data in (b"", b"{}", ready.seen.body + b" ", ready.seen.body.replace(b"/v1", b"/v9")):
        with pytest.raises(MalformedError):
            ready.log.put_body(data)
        assert ready.log.body(sha256(data)) is None


def test_statement_and_body_name_one_kind(ready: Scribe) -> None:
    """A statement of one kind over a body of another is refused."""
    content = {"did": "did:key:z", "purpose": "none", "effective": 0}
    wrong = ready.swear(bodies.OBSERVATION, NOWHERE, content, kind=bodies.KEY)
    with refused(ready, "kind-mismatch"):
        ready.register(wrong)


def test_statement_and_body_tell_one_time(ready: Scribe) -> None:
    """A body that tells another second than the header is refused."""
    at = bodies.moment(ready.clock.now() + 1)
    content = {"source": "s", "shape": [], "units": "", "kept": "agent"}
    with refused(ready, "time-mismatch"):
        ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, content, at=at))
    ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, content))


def test_a_clock_may_run_ahead_by_a_minute(ready: Scribe) -> None:
    """Sixty seconds ahead of the log's clock are accepted, sixty-one are not."""
    content = {"source": "s", "shape": [], "units": "", "kept": "agent"}
    ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, content, after=CLOCK_DRIFT))
    with refused(ready, "sworn-in-future"):
        ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, content, after=CLOCK_DRIFT + 1))


def test_lineage_leads_to_earlier_entries_of_this_log(ready: Scribe) -> None:
    """`because` may name entries here and anything elsewhere, but nothing that is not here yet."""
    own, content = ready.log.policy.log_id, {"source": "s", "shape": [], "units": "", "kept": ""}
    here = [Reference(own, ready.seen.statement.leaf), Reference(NOWHERE, NOWHERE)]
    ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, content, because=here))
    with refused(ready, "unknown-lineage"):
        ahead = [Reference(own, NOWHERE)]
        ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, content, because=ahead))


@pytest.mark.parametrize("kind", [bodies.POLICY, bodies.KEY])
def test_only_the_log_speaks_for_itself(ready: Scribe, kind: str) -> None:
    """Policy and key statements are the log's own; anybody else's are refused."""
    content = bodies.decode(
        ready.log.body(ready.shop.told()[kind == bodies.KEY].body) or b"", bodies.CORE_KINDS
    ).content
    with refused(ready, "issuer-not-allowed"):
        ready.register(ready.swear(kind, NOWHERE, content))
    ready.register(ready.swear(kind, NOWHERE, content, key=fixed_key("log")))


def test_a_decision_is_about_the_action_it_tells(ready: Scribe) -> None:
    """A decision or refusal whose subject is not the digest of its action is refused."""
    with refused(ready, "subject-mismatch"):
        ready.register(ready.decision(subject=ready.action(nonce=1).digest))
    with refused(ready, "subject-mismatch"):
        ready.register(ready.refusal(ready.action(), subject=NOWHERE))


def test_a_refusal_without_action_is_about_its_first_input(ready: Scribe) -> None:
    """Without an action, a refusal names its first input's subject and no other."""
    ready.register(ready.refusal(None))
    with refused(ready, "subject-mismatch"):
        ready.register(ready.refusal(None, subject=NOWHERE))
    with refused(ready, "subject-mismatch"):
        ready.register(ready.refusal(None, inputs=[]))


def test_mandate_and_model_are_those_of_the_action(ready: Scribe) -> None:
    """A content whose mandate or model is not its action's is refused."""
    with refused(ready, "action-mismatch"):
        ready.register(ready.decision(mandate=to_hex(bytes(20))))
    with refused(ready, "action-mismatch"):
        ready.register(ready.decision(model=to_hex(NOWHERE)))


def test_the_model_was_sworn_to_before(scribe: Scribe) -> None:
    """A decision is refused until a model statement about its model is in the log."""
    scribe.register(scribe.seen)
    with refused(scribe, "model-unknown"):
        scribe.register(scribe.decision())
    scribe.register(scribe.model, scribe.decision())


def test_an_observation_about_the_model_is_no_model(scribe: Scribe) -> None:
    """Only a statement of kind model makes a model known."""
    content = {"source": "s", "shape": [], "units": "", "kept": "agent"}
    digest = scribe.shop.model.digest
    scribe.register(scribe.seen, scribe.swear(bodies.OBSERVATION, digest, content))
    with refused(scribe, "model-unknown"):
        scribe.register(scribe.decision())


def test_inputs_are_logged_observations(ready: Scribe) -> None:
    """An input that is not in the log, or is no observation, is refused."""
    with refused(ready, "input-unknown"):
        ready.register(ready.decision(inputs=[to_hex(NOWHERE)]))
    with refused(ready, "input-unknown"):
        ready.register(ready.decision(inputs=[to_hex(ready.model.statement.leaf)]))
    with refused(ready, "input-unknown"):
        ready.register(ready.refusal(None, inputs=[to_hex(NOWHERE)]))


def test_one_open_decision_per_nonce(ready: Scribe) -> None:
    """A second decision for a nonce is refused up to the first one's deadline, and not after."""
    ready.register(ready.decision())
    ready.clock.advance(LIFE)
    with refused(ready, "decision-open"):
        ready.register(ready.decision())
    ready.clock.advance(1)
    ready.register(ready.decision())


@pytest.mark.parametrize("change", [{"nonce": 1}, {"epoch": 1}, {"mandate": b"\x11" * 20}])
def test_another_slot_is_free(ready: Scribe, change: dict[str, int | bytes]) -> None:
    """Another nonce, epoch or mandate is another slot."""
    ready.register(ready.decision(), ready.decision(ready.action(**change)))


def test_another_chain_is_another_slot(ready: Scribe) -> None:
    """The same nonce on another chain is free."""
    ready.register(ready.decision(), ready.decision(replace(ready.action(), chain_id=1)))


def test_a_stranger_cannot_hold_the_agents_slot(ready: Scribe) -> None:
    """A decision by another issuer neither takes the slot nor is kept out by the agent's."""
    ready.register(ready.decision(key=STRANGER), ready.decision())
    with refused(ready, "decision-open"):
        ready.register(ready.decision(ready.action(salt=b"\1" * 32)))


def test_a_refused_decision_holds_nothing(ready: Scribe) -> None:
    """A decision that was refused does not hold the slot."""
    with refused(ready, "input-unknown"):
        ready.register(ready.decision(inputs=[to_hex(NOWHERE)]))
    ready.register(ready.decision())


def test_an_outcome_is_of_a_logged_decision(ready: Scribe) -> None:
    """An outcome of something that is not in the log, or is no decision, is refused."""
    decision = ready.decision()
    with refused(ready, "decision-unknown"):
        ready.register(ready.outcome(decision))
    ready.register(decision, ready.outcome(decision))
    with refused(ready, "decision-unknown"):
        ready.register(ready.outcome(decision, decision=to_hex(ready.seen.statement.leaf)))


def test_only_the_agent_tells_the_outcome(ready: Scribe) -> None:
    """An outcome by another issuer, or about another subject, is refused."""
    decision, other = ready.decision(), ready.decision(ready.action(nonce=1))
    ready.register(decision, other)
    with refused(ready, "subject-mismatch"):
        ready.register(ready.outcome(decision, key=STRANGER))
    with refused(ready, "subject-mismatch"):
        ready.register(ready.outcome(decision, decision=to_hex(other.statement.leaf)))


def test_the_same_entry_again_is_the_same_entry(ready: Scribe) -> None:
    """Registering again gives the same index and no new entry, even where rules now say no."""
    draft = ready.decision()
    index = ready.register(draft)
    ready.clock.advance(10 * LIFE)
    ready.register(ready.decision(ready.action()))
    size = ready.log.head().size
    assert ready.register(draft) == index
    assert ready.log.head().size == size


def test_a_bad_signature_is_never_logged(ready: Scribe) -> None:
    """A statement with another's signature is refused before any rule."""
    draft = ready.decision()
    other = ready.decision(ready.action(nonce=1)).statement.signature
    ready.log.put_body(draft.body)
    with pytest.raises(MalformedError) as caught:
        ready.log.register(replace(draft.statement, signature=other).entry)
    assert caught.value.reason == "bad-signature"


@pytest.mark.parametrize("kind", ["decision", "refusal", "outcome"])
def test_agents_sign_with_a_ledger_key(ready: Scribe, kind: str) -> None:
    """EdDSA signs observations and models, but not what an agent answers for."""
    decision, device = ready.decision(), Ed25519Key(NOWHERE)
    ready.register(decision)
    by_the_book = {
        "decision": ready.decision(ready.action(nonce=1)),
        "refusal": ready.refusal(None),
        "outcome": ready.outcome(decision),
    }[kind]
    told, content = by_the_book.statement, json.loads(by_the_book.body)["content"]
    with refused(ready, "issuer-not-allowed"):
        ready.register(ready.swear(told.kind, told.subject, content, key=device))
    ready.register(by_the_book)
    seen = json.loads(ready.seen.body)["content"]
    ready.register(ready.swear(bodies.OBSERVATION, NOWHERE, seen, key=device))
