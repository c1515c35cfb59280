// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IACPHook} from "./IACPHook.sol";
import {Bargain, Job, Money, Status} from "./Job.sol";
import {Purse} from "./Purse.sol";

/// @title Jobs whose money waits for a verdict (ERC-8183), and verdicts that can be disputed
/// @notice A client funds a job, a provider submits work, an evaluator completes it, which pays the provider, or rejects
/// it, which pays the client back. Once a job has expired, anyone may have the client paid back. No fee is taken.
///
/// Beyond the standard, a job may name an arbiter and two windows. Then a verdict is paid only when the first window has
/// passed in which client or provider may dispute it, and after a dispute the arbiter may divide the money, once, in the
/// second. If the arbiter is silent, the verdict stands. That a job expired although work was submitted counts as a verdict
/// too: an evaluator cheats as well by its silence. Anyone may settle what is due, so every job ends.
///
/// Who can keep whom waiting: each party the other, by a dispute, for both windows at most; the evaluator everyone, until
/// the job expires; the arbiter everyone, for its window. A hook is the client's: it can keep a provider from submitting and
/// an evaluator from completing, so look at it before working. It can keep nobody from a refund, a dispute or its end.
/// @dev In jobs without an arbiter everything is as the standard has it. The standard's text and its sample differ on the
/// arguments of `fund`; here it is `fund(uint256,uint256,bytes)`, whose second argument keeps a provider from raising the
/// budget just before. Hooks are told what the text's table says.
contract JobEscrow is Purse {
    /// @notice No such job.
    error NoJob(uint256 jobId);
    /// @notice A job needs an evaluator.
    error NoEvaluator();
    /// @notice A job must expire in the future, and before year 8.9 million.
    error InvalidExpiry(uint256 expiredAt, uint256 time);
    /// @notice There is no contract at the hook.
    error HookWithoutCode(address hook);
    /// @notice An arbiter goes with two windows of at least a second and at most MAX_WINDOW; no arbiter with none.
    error InvalidBargain(Bargain bargain);
    /// @notice The arbiter is one of those between whom it would decide.
    error NotNeutral(address arbiter);
    /// @notice The job's status does not allow this.
    error WrongStatus(uint256 jobId, Status status);
    /// @notice The job's money is not where this needs it.
    error WrongMoney(uint256 jobId, Money money);
    /// @notice Only the job's client may.
    error NotClient(address caller, address client);
    /// @notice Only the job's provider may.
    error NotProvider(address caller, address provider);
    /// @notice Only the job's evaluator may.
    error NotEvaluator(address caller, address evaluator);
    /// @notice Only the job's arbiter may.
    error NotArbiter(address caller, address arbiter);
    /// @notice Only the job's client or provider may.
    error NotParty(address caller, address client, address provider);
    /// @notice The job has a provider.
    error ProviderKnown(address provider);
    /// @notice The job needs a provider.
    error NoProvider();
    /// @notice The budget is not the one expected, or there is none.
    error WrongBudget(uint256 budget, uint256 expected);
    /// @notice The arbiter divides no more than there is.
    error OverBudget(uint256 amount, uint256 budget);
    /// @notice The time for this has passed.
    error TooLate(uint256 end, uint256 time);
    /// @notice The time for this has not come.
    error TooEarly(uint256 start, uint256 time);
    /// @notice The hook objected with this data.
    error HookRefused(address hook, bytes reason);
    /// @notice The hook would get less gas than it is promised.
    error TooLittleGas(uint256 gas, uint256 needed);

    /// @notice A job was created.
    event JobCreated(
        uint256 indexed jobId,
        address indexed client,
        address indexed provider,
        address evaluator,
        uint256 expiredAt,
        address hook
    );

    /// @notice A job was created under a bargain.
    event JobBound(
        uint256 indexed jobId,
        bytes32 indexed terms,
        address indexed arbiter,
        uint32 disputeWindow,
        uint32 answerWindow
    );

    /// @notice The client named the provider.
    event ProviderSet(uint256 indexed jobId, address indexed provider);

    /// @notice Client or provider set the budget.
    event BudgetSet(uint256 indexed jobId, uint256 amount);

    /// @notice The client paid the budget into escrow.
    event JobFunded(uint256 indexed jobId, address indexed client, uint256 amount);

    /// @notice The provider submitted work.
    event JobSubmitted(uint256 indexed jobId, address indexed provider, bytes32 deliverable);

    /// @notice The evaluator found the work done.
    event JobCompleted(uint256 indexed jobId, address indexed evaluator, bytes32 reason);

    /// @notice The client withdrew the job before it was funded, or the evaluator rejected it.
    event JobRejected(uint256 indexed jobId, address indexed rejector, bytes32 reason);

    /// @notice The job expired and somebody said so.
    event JobExpired(uint256 indexed jobId);

    /// @notice A verdict waits to be disputed.
    /// @param jobId which job
    /// @param dueAt first second in which it can be settled, and no longer be disputed
    event VerdictPending(uint256 indexed jobId, uint256 dueAt);

    /// @notice A verdict was disputed.
    /// @param jobId which job
    /// @param by client or provider
    /// @param reason digest of why
    /// @param dueAt first second in which the verdict stands, because the arbiter was silent
    event JobDisputed(uint256 indexed jobId, address indexed by, bytes32 reason, uint256 dueAt);

    /// @notice The arbiter divided the money.
    event JobResolved(uint256 indexed jobId, address indexed arbiter, uint256 toProvider, uint256 toClient);

    /// @notice The provider was paid.
    event PaymentReleased(uint256 indexed jobId, address indexed provider, uint256 amount);

    /// @notice The client was paid back.
    event Refunded(uint256 indexed jobId, address indexed client, uint256 amount);

    /// @notice A hook failed where it has no say.
    event HookFailed(uint256 indexed jobId, address indexed hook, bytes4 selector);

    /// @notice The gas that a hook gets each time: all of it, and no more.
    uint256 public constant HOOK_GAS = 500_000;

    /// @notice The longest that a window can be, so that no money waits for ever.
    uint32 public constant MAX_WINDOW = 90 days;

    /// @notice How many jobs there are; the last one's id.
    uint256 public jobCount;

    mapping(uint256 jobId => Job) private _jobs;

    /// @param token_ in which every job is paid
    constructor(IERC20 token_) Purse(token_) {}

    // ---------------------------------------------------------------- ERC-8183

    /// @notice Creates a job as the standard has it: a verdict pays at once and nobody can dispute it.
    /// @param provider who does it; 0 to name somebody later
    /// @param evaluator who says whether it was done; may be the client
    /// @param expiredAt first second in which the money can be claimed back
    /// @param description what is to be done; kept on chain, so better short
    /// @param hook what is told of its changes, and may object; 0 for nothing
    /// @return jobId the job
    function createJob(
        address provider,
        address evaluator,
        uint256 expiredAt,
        string calldata description,
        address hook
    ) external returns (uint256 jobId) {
        Bargain memory none;
        return _create(provider, evaluator, expiredAt, description, hook, none);
    }

    /// @notice Creates a job under a bargain: bound to the offer that was agreed on, with an arbiter if one is named.
    /// @param provider who does it; 0 to name somebody later
    /// @param evaluator who says whether it was done; may be the client
    /// @param expiredAt first second in which the money can be claimed back
    /// @param description what is to be done; kept on chain, so better short
    /// @param hook what is told of its changes, and may object; 0 for nothing
    /// @param bargain what was agreed on beyond the standard
    /// @return jobId the job
    function createJobWith(
        address provider,
        address evaluator,
        uint256 expiredAt,
        string calldata description,
        address hook,
        Bargain calldata bargain
    ) external returns (uint256 jobId) {
        bool arbitrated = bargain.arbiter != address(0);
        (uint32 first, uint32 second) = (bargain.disputeWindow, bargain.answerWindow);
        bool sound = arbitrated ? first != 0 && second != 0 : first == 0 && second == 0;
        if (!sound || first > MAX_WINDOW || second > MAX_WINDOW) revert InvalidBargain(bargain);
        if (arbitrated && (bargain.arbiter == msg.sender || bargain.arbiter == evaluator)) {
            revert NotNeutral(bargain.arbiter);
        }
        jobId = _create(provider, evaluator, expiredAt, description, hook, bargain);
        emit JobBound(jobId, bargain.terms, bargain.arbiter, first, second);
    }

    /// @notice Names the provider of a job that has none yet; client only, while it is open.
    /// @param jobId which job
    /// @param provider who does it
    /// @param optParams for the hook
    function setProvider(uint256 jobId, address provider, bytes calldata optParams) external nonReentrant {
        Job storage job = _jobIn(jobId, Status.Open);
        if (msg.sender != job.client) revert NotClient(msg.sender, job.client);
        if (job.provider != address(0)) revert ProviderKnown(job.provider);
        if (provider == address(0)) revert NoProvider();
        if (provider == job.bargain.arbiter) revert NotNeutral(provider);
        bytes memory data = abi.encode(provider, optParams);
        _before(jobId, job, data);
        job.provider = provider;
        emit ProviderSet(jobId, provider);
        _after(jobId, job, data);
    }

    /// @notice Sets the budget; client or provider, while the job is open.
    /// @param jobId which job
    /// @param amount what would be paid
    /// @param optParams for the hook
    function setBudget(uint256 jobId, uint256 amount, bytes calldata optParams) external nonReentrant {
        Job storage job = _jobIn(jobId, Status.Open);
        _requireParty(job);
        bytes memory data = abi.encode(amount, optParams);
        _before(jobId, job, data);
        job.budget = amount;
        emit BudgetSet(jobId, amount);
        _after(jobId, job, data);
    }

    /// @notice Pays the budget into escrow; client only, before the job expires.
    /// @param jobId which job
    /// @param expectedBudget the budget that the client agrees to; with another one it fails
    /// @param optParams for the hook
    function fund(uint256 jobId, uint256 expectedBudget, bytes calldata optParams) external nonReentrant {
        Job storage job = _jobIn(jobId, Status.Open);
        if (msg.sender != job.client) revert NotClient(msg.sender, job.client);
        if (job.provider == address(0)) revert NoProvider();
        if (job.budget == 0 || job.budget != expectedBudget) revert WrongBudget(job.budget, expectedBudget);
        if (block.timestamp >= job.expiredAt) revert TooLate(job.expiredAt, block.timestamp);
        _before(jobId, job, optParams);
        (job.status, job.money) = (Status.Funded, Money.Held);
        _take(msg.sender, expectedBudget);
        emit JobFunded(jobId, msg.sender, expectedBudget);
        _after(jobId, job, optParams);
    }

    /// @notice Submits work; provider only, before the job expires: late work would only put off the refund.
    /// @param jobId which job
    /// @param deliverable digest of the work, or where it is
    /// @param optParams for the hook
    function submit(uint256 jobId, bytes32 deliverable, bytes calldata optParams) external nonReentrant {
        Job storage job = _jobIn(jobId, Status.Funded);
        if (msg.sender != job.provider) revert NotProvider(msg.sender, job.provider);
        if (block.timestamp >= job.expiredAt) revert TooLate(job.expiredAt, block.timestamp);
        bytes memory data = abi.encode(deliverable, optParams);
        _before(jobId, job, data);
        job.status = Status.Submitted;
        emit JobSubmitted(jobId, msg.sender, deliverable);
        _after(jobId, job, data);
    }

    /// @notice Finds the work done; evaluator only. Pays the provider, at once or when it is settled.
    /// @param jobId which job
    /// @param reason digest of why
    /// @param optParams for the hook
    function complete(uint256 jobId, bytes32 reason, bytes calldata optParams) external nonReentrant {
        Job storage job = _jobIn(jobId, Status.Submitted);
        if (msg.sender != job.evaluator) revert NotEvaluator(msg.sender, job.evaluator);
        bytes memory data = abi.encode(reason, optParams);
        _before(jobId, job, data);
        job.status = Status.Completed;
        emit JobCompleted(jobId, msg.sender, reason);
        _decide(jobId, job);
        _after(jobId, job, data);
    }

    /// @notice Gives up an open job, as its client; or rejects one that is funded or submitted, as its evaluator, which pays
    /// the client back, at once or when it is settled. A hook is told, and has no say.
    /// @param jobId which job
    /// @param reason digest of why
    /// @param optParams for the hook
    function reject(uint256 jobId, bytes32 reason, bytes calldata optParams) external nonReentrant {
        Job storage job = _job(jobId);
        Status status = job.status;
        if (status == Status.Open) {
            if (msg.sender != job.client) revert NotClient(msg.sender, job.client);
        } else if (status == Status.Funded || status == Status.Submitted) {
            if (msg.sender != job.evaluator) revert NotEvaluator(msg.sender, job.evaluator);
        } else {
            revert WrongStatus(jobId, status);
        }
        bytes memory data = abi.encode(reason, optParams);
        _tell(jobId, job.hook, abi.encodeCall(IACPHook.beforeAction, (jobId, msg.sig, data)));
        job.status = Status.Rejected;
        emit JobRejected(jobId, msg.sender, reason);
        if (status != Status.Open) _decide(jobId, job);
        _tell(jobId, job.hook, abi.encodeCall(IACPHook.afterAction, (jobId, msg.sig, data)));
    }

    /// @notice Ends a job that is funded or submitted and has expired; anyone. Pays the client back: at once, or, if work was
    /// submitted and there is an arbiter, when it is settled, so that the provider can dispute the evaluator's silence.
    /// @param jobId which job
    function claimRefund(uint256 jobId) external nonReentrant {
        Job storage job = _job(jobId);
        Status status = job.status;
        if (status != Status.Funded && status != Status.Submitted) revert WrongStatus(jobId, status);
        if (block.timestamp < job.expiredAt) revert TooEarly(job.expiredAt, block.timestamp);
        job.status = Status.Expired;
        emit JobExpired(jobId);
        if (status == Status.Submitted) _decide(jobId, job);
        else _release(jobId, job, 0);
    }

    // ---------------------------------------------------------------- disputes

    /// @notice Disputes a verdict that waits; client or provider, once, before it is due. Whom it favours gains nothing by it.
    /// @param jobId which job
    /// @param reason digest of why
    function dispute(uint256 jobId, bytes32 reason) external nonReentrant {
        Job storage job = _job(jobId);
        if (job.money != Money.Pending) revert WrongMoney(jobId, job.money);
        _requireParty(job);
        if (block.timestamp >= job.dueAt) revert TooLate(job.dueAt, block.timestamp);
        (job.money, job.dueAt) = (Money.Disputed, uint48(block.timestamp + job.bargain.answerWindow));
        emit JobDisputed(jobId, msg.sender, reason, job.dueAt);
    }

    /// @notice Divides the money of a disputed job and pays it; arbiter only, once, in its window. The job counts as
    /// completed if the provider gets anything; if nothing, it stays rejected or expired, or becomes rejected.
    /// @param jobId which job
    /// @param toProvider what the provider gets; the client gets the rest
    function resolve(uint256 jobId, uint256 toProvider) external nonReentrant {
        Job storage job = _job(jobId);
        if (job.money != Money.Disputed) revert WrongMoney(jobId, job.money);
        if (msg.sender != job.bargain.arbiter) revert NotArbiter(msg.sender, job.bargain.arbiter);
        if (block.timestamp >= job.dueAt) revert TooLate(job.dueAt, block.timestamp);
        if (toProvider > job.budget) revert OverBudget(toProvider, job.budget);
        if (toProvider != 0) job.status = Status.Completed;
        else if (job.status == Status.Completed) job.status = Status.Rejected;
        emit JobResolved(jobId, msg.sender, toProvider, job.budget - toProvider);
        _release(jobId, job, toProvider);
    }

    /// @notice Pays as the verdict says; anyone, from when it is due; the party it is against, who thereby accepts it, at any
    /// time before.
    /// @param jobId which job
    function settle(uint256 jobId) external nonReentrant {
        Job storage job = _job(jobId);
        if (job.money != Money.Pending && job.money != Money.Disputed) revert WrongMoney(jobId, job.money);
        bool completed = job.status == Status.Completed;
        address loser = completed ? job.client : job.provider;
        if (block.timestamp < job.dueAt && msg.sender != loser) revert TooEarly(job.dueAt, block.timestamp);
        _release(jobId, job, completed ? job.budget : 0);
    }

    // ---------------------------------------------------------------- reading

    /// @notice A job.
    /// @param jobId which
    /// @return the job
    function getJob(uint256 jobId) external view returns (Job memory) {
        return _job(jobId);
    }

    /// @notice Whether a job is over and its provider was paid for it, so that no dispute can change it any more.
    /// @param jobId which
    /// @return whether it is
    function isSettled(uint256 jobId) external view returns (bool) {
        Job storage job = _job(jobId);
        return job.status == Status.Completed && job.money == Money.Paid;
    }

    // ---------------------------------------------------------------- inside

    function _create(
        address provider,
        address evaluator,
        uint256 expiredAt,
        string calldata description,
        address hook,
        Bargain memory bargain
    ) private returns (uint256 jobId) {
        if (evaluator == address(0)) revert NoEvaluator();
        if (expiredAt <= block.timestamp || expiredAt > type(uint48).max) {
            revert InvalidExpiry(expiredAt, block.timestamp);
        }
        if (hook != address(0) && hook.code.length == 0) revert HookWithoutCode(hook);
        if (provider != address(0) && provider == bargain.arbiter) revert NotNeutral(provider);
        jobId = ++jobCount;
        Job storage job = _jobs[jobId];
        (job.client, job.expiredAt) = (msg.sender, uint48(expiredAt));
        (job.provider, job.evaluator, job.hook) = (provider, evaluator, hook);
        job.bargain = bargain;
        job.description = description;
        emit JobCreated(jobId, msg.sender, provider, evaluator, expiredAt, hook);
    }

    function _job(uint256 jobId) private view returns (Job storage job) {
        job = _jobs[jobId];
        if (job.client == address(0)) revert NoJob(jobId);
    }

    function _jobIn(uint256 jobId, Status status) private view returns (Job storage job) {
        job = _job(jobId);
        if (job.status != status) revert WrongStatus(jobId, job.status);
    }

    function _requireParty(Job storage job) private view {
        if (msg.sender != job.client && msg.sender != job.provider) {
            revert NotParty(msg.sender, job.client, job.provider);
        }
    }

    /// @dev A verdict, which the status tells: paid now, or open to dispute.
    function _decide(uint256 jobId, Job storage job) private {
        uint256 window = job.bargain.disputeWindow;
        if (window == 0) {
            _release(jobId, job, job.status == Status.Completed ? job.budget : 0);
            return;
        }
        (job.money, job.dueAt) = (Money.Pending, uint48(block.timestamp + window));
        emit VerdictPending(jobId, job.dueAt);
    }

    /// @dev The one place where money leaves a job, and it leaves it once.
    function _release(uint256 jobId, Job storage job, uint256 toProvider) private {
        uint256 toClient = job.budget - toProvider;
        job.money = Money.Paid;
        if (toProvider != 0) {
            emit PaymentReleased(jobId, job.provider, toProvider);
            _pay(job.provider, toProvider);
        }
        if (toClient != 0) {
            emit Refunded(jobId, job.client, toClient);
            _pay(job.client, toClient);
        }
    }

    function _before(uint256 jobId, Job storage job, bytes memory data) private {
        _ask(job.hook, abi.encodeCall(IACPHook.beforeAction, (jobId, msg.sig, data)));
    }

    function _after(uint256 jobId, Job storage job, bytes memory data) private {
        _ask(job.hook, abi.encodeCall(IACPHook.afterAction, (jobId, msg.sig, data)));
    }

    /// @dev The refusal is wrapped: raw, a hook's data could pass for a refusal of the escrow's own.
    function _ask(address hook, bytes memory data) private {
        if (hook == address(0)) return;
        _requireHookGas();
        (bool agreed, bytes memory reason) = hook.call{gas: HOOK_GAS}(data);
        if (!agreed) revert HookRefused(hook, reason);
    }

    /// @dev What it returns is not even copied: that would cost gas which the hook decides on.
    function _tell(uint256 jobId, address hook, bytes memory data) private {
        if (hook == address(0)) return;
        _requireHookGas();
        uint256 gasForHook = HOOK_GAS;
        bool heard;
        assembly ("memory-safe") {
            heard := call(gasForHook, hook, 0, add(data, 32), mload(data), 0, 0)
        }
        if (!heard) emit HookFailed(jobId, hook, msg.sig);
    }

    /// @dev Otherwise a caller could make a hook fail by sending little gas. A call passes on 63 of 64 parts; what the call
    /// itself costs before that is in the allowance.
    function _requireHookGas() private view {
        uint256 needed = HOOK_GAS * 64 / 63 + 10_000;
        if (gasleft() < needed) revert TooLittleGas(gasleft(), needed);
    }
}
