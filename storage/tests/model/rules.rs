//! The rules of the protocol, each with a switch: a test switches one off and shows what breaks.

/// Declares the rules: variant, stable id (the one in `docs/guarantees.md`), and the rule in a sentence.
macro_rules! rules {
    ($($rule:ident = $id:literal, $text:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Rule { $(#[doc = $text] $rule,)* }

        impl Rule {
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            pub fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)* }
            }

            pub fn text(self) -> &'static str {
                match self { $(Self::$rule => $text,)* }
            }
        }
    };
}

rules! {
    // Putting a version.
    LinkIsExclusive = "link-is-exclusive", "the name of a version is taken once (link, not rename)";
    CompareTxnId = "compare-txn-id", "after EEXIST or an error the txnId tells our own commit from another";
    SyncBeforeAcknowledge = "sync-before-acknowledge", "the folder is synced before a commit is acknowledged";
    SyncBeforeLink = "sync-before-link", "the folder is synced before a version is linked on top of others";
    CheckAfterLink = "check-after-link", "after link and sync the checkpoints are looked at";
    StandsBelow = "stands-below",
        "while the version that was read last stands, nothing above it was cleaned: no checkpoint is looked at";
    DoubtAboveSecond = "doubt-above-second",
        "only a second newest checkpoint above the version makes it doubtful, and nothing is unlinked";
    OwnNumberDecides = "own-number-decides", "after a doubt the own number in the state means: committed";
    ReopenOnNewer = "reopen-on-newer",
        "who reads forward lists afterwards; a checkpoint above the start: read again from it";
    SyncBeforeAnswer = "sync-before-answer",
        "the folder is synced before an answer follows from what was read";
    // Checkpoints and cleaning.
    CleanBelowSecond = "clean-below-second",
        "names are cleaned below the second newest checkpoint, not the newest";
    CleanOldestFirst = "clean-oldest-first", "names are cleaned oldest first";
    SyncCheckpoint = "sync-checkpoint", "a checkpoint is durable before names are cleaned";
    SyncBeforeClean = "sync-before-clean",
        "the folder is synced after the look at the checkpoints, before a name is cleaned";
    SyncBeforeCheckpoint = "sync-before-checkpoint", "the folder is synced before a checkpoint is linked";
    DropLateCheckpoint = "drop-late-checkpoint", "who finds a newer checkpoint drops its own";
    // Loads.
    NewestClaim = "newest-claim", "a load commits only while its claim is the newest of its label";
    LoadOnce = "load-once", "a load commits only while its label is not loaded";
    ClaimByRun = "claim-by-run", "a claim is (run, attempt): a passed or closed run cannot claim";
    CancelClaims = "cancel-claims", "a cancel closes the run by a claim, it does not only look";
    CloseOnFailure = "close-on-failure", "a run that failed for good is closed before CANCELLED is said";
    ResolveCloses = "resolve-closes", "resolve closes the run before CANCELLED is said";
    FirstReportWins = "first-report-wins", "a task's report is put by link: the first one wins";
    AdoptSameRequest = "adopt-same-request", "a task is adopted only under the same request digest";
    AdoptWithinRun = "adopt-within-run", "a task is adopted only from an earlier attempt of the same run";
    AdoptSameFiles = "adopt-same-files", "a task is adopted only with the same frozen list of files";
    AdoptSameSchema = "adopt-same-schema",
        "a task is adopted only if it was written for the columns of the new plan";
    // What a commit does to what stands.
    MergeAgain = "merge-again", "a keyed merge merges again if its tablet changed since it was read";
    RemovesAgain = "removes-again", "an overwrite computes what it removes at the version it goes on";
    CompactionInputs = "compaction-inputs", "a compaction is dropped if one of its inputs was removed";
    CompactionSameSchema = "compaction-same-schema", "a compaction is dropped if the columns changed";
    AppendFitsSchema = "append-fits-schema",
        "rows are committed only if they fit the columns at that version, else planned again";
    SchemaAgain = "schema-again", "a schema change is computed on the columns of the version it goes on";
    SameNameSameType = "same-name-same-type", "a column that stands with another type makes the change fail";
    NewerNumberTellsNothing = "newer-number-tells-nothing",
        "a compaction that came into doubt under a newer one's number deletes nothing";
    // Vacuum.
    VacuumAsksOwner = "vacuum-asks-owner", "the log says whether the owner of a file is over";
    VacuumSparesNamed = "vacuum-spares-named", "vacuum spares what the version names";
    VacuumByOutcome = "vacuum-by-outcome",
        "a newer attempt is not enough: the run is closed or passed, or the label loaded";
    SyncBeforeDelete = "sync-before-delete", "the folder is synced before vacuum deletes";
    MaintenanceEpoch = "maintenance-epoch",
        "a compaction commits only under the maintenance epoch that vacuum raises";
    // Pipes.
    NewestEpoch = "newest-epoch", "a batch commits only under the newest epoch";
    NumberGoesUp = "number-goes-up", "the number of a batch is above the one in the log";
    NumberAboveFiles = "number-above-files",
        "the next number is above every batch file, not above the log alone";
    EpochBeforeLedger = "epoch-before-ledger", "ledger and log are read after the own epoch stands";
    LedgerFromLog = "ledger-from-log", "the ledger is completed from the log";
    EpochInBatchName = "epoch-in-batch-name",
        "a batch file carries its epoch; one of another epoch is never adopted";
    ConfirmByCommit = "confirm-by-commit", "a batch is confirmed by its own commit, not by a number above it";
    RecordCountsWhenNamed = "record-counts-when-named", "a history record counts only when a commit names it";
}

/// Which rules are obeyed.
#[derive(Debug, Clone, Copy)]
pub struct Rules(u64);

impl Rules {
    /// The protocol as it is designed.
    pub fn all() -> Self {
        Self((1 << Rule::ALL.len()) - 1)
    }

    /// All these, but for one.
    pub fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u8))
    }

    pub fn obeys(self, rule: Rule) -> bool {
        self.0 >> rule as u8 & 1 == 1
    }
}
