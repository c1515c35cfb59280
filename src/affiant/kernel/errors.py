"""The one error tree. Every error says what was wrong, with which value, and what to do.

AffiantError
├── InputError          what the user gave cannot be used             (exit code 2)
├── SetupError          this machine lacks something Affiant needs    (exit code 2)
├── MalformedError      bytes that are not in the one accepted form   (`reason` names the rule)
├── RegistrationRefused the log does not accept this statement        (`reason` names the rule)
├── MandateRefused      the terms do not allow this action            (`rule` names it as on chain)
├── DeliveryError      what was to be told to another system did not arrive there
├── IntegrityError      stored data is not what was signed or logged
└── LedgerError         the chain could not be reached or answered wrongly
    ├── MandateUnknown  the address is no mandate of this chain's factory
    └── CallReverted    a contract refused the call                   (`error` = its custom error)
"""


class AffiantError(Exception):
    """Root of the tree: a message with the offending value, and a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}"


class InputError(AffiantError):
    """What the user gave cannot be used; nothing was changed."""


class SetupError(AffiantError):
    """This machine lacks something Affiant needs, or holds it in a wrong state."""


class MalformedError(AffiantError):
    """Bytes that are not in the one accepted encoding. `reason` is stable and machine-readable."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}", "Do not use these bytes; ask their sender again")
        self.reason = reason


class RegistrationRefused(AffiantError):
    """The log does not accept the statement. `reason` is stable and machine-readable."""

    def __init__(self, reason: str, message: str, remedy: str) -> None:
        super().__init__(f"{reason}: {message}", remedy)
        self.reason = reason


class MandateRefused(AffiantError):
    """The terms do not allow the action. `rule` is the name of the contract's custom error."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(
            f"{rule}: {message}",
            "Change the action, or ask the principal for a mandate that allows it",
        )
        self.rule = rule


class DeliveryError(AffiantError):
    """Another system, such as a SIEM, did not take what was to be told to it."""


class IntegrityError(AffiantError):
    """Stored data is not what was signed, logged or journalled."""


class LedgerError(AffiantError):
    """The chain could not be reached, or its answer cannot be used."""


class MandateUnknown(LedgerError):
    """The address is no mandate of the factory on this chain."""


class CallReverted(LedgerError):
    """A contract refused the call. `error` is the name of its custom error."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(
            f"the contract refused the call: {error}{detail}",
            "See the error of that name in contracts/README.md",
        )
        self.error = error
