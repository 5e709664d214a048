//! The stage of a history: GitHub, the processes of the pool, and everybody who has to do with them.

use crate::acts::{self, Cast};
use crate::checks::Checks;
use crate::coverage::Coverage;
use crate::database::Database;
use crate::face::{Face, Subject, Wrong};
use crate::process::{Call, FromGitHub, LOOPS, Machine, Mishap, Process, Step};
use crate::rows::{LeaseRow, Reader, Rows};
use crate::story::{Line, Outcome, Story, Violation};
use bytes::Bytes;
use http::Request;
use owp_base::clock::Clock;
use owp_engine::Settings;
use owp_pool::Span;
use owp_sandbox::{Sandbox, SandboxConfig, WebhookRequest, generate_private_key};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// Saturday, 21 November 2026, 03:09 UTC.
const START: i64 = 1_795_230_540_000;
/// GitHub's time a day after the beginning.
pub(crate) const A_DAY: i64 = START + 86_400_000;
/// Longest time without a sign of life of any process that is no downtime.
const DOWNTIME_AFTER: Span = Span::hours(1);
/// Longest time that passes between two looks at what is due.
const TICK: Span = Span::minutes(40);

/// A place where a process of the pool runs.
pub(crate) struct Slot {
    pub(crate) process: Option<Process>,
    /// Time since which it gets no turn.
    pub(crate) frozen_at: Option<i64>,
    /// Questions that GitHub has not answered yet, oldest first.
    pub(crate) held: Vec<Held>,
}

/// A question that GitHub does not answer at once.
pub(crate) struct Held {
    pub(crate) call: Call,
    /// Time since which the process waits, by its own timers.
    pub(crate) since: i64,
    /// The answer, once GitHub has given one; the process has not read it.
    pub(crate) answer: Option<FromGitHub>,
}

/// A call of a client that has no answer yet.
pub(crate) struct InFlight {
    pub(crate) slot: usize,
    pub(crate) client: acts::Client,
}

pub(crate) struct World {
    pub(crate) github: Sandbox,
    time: Arc<AtomicI64>,
    clock: Clock,
    /// How far the pool's clock is ahead.
    pub(crate) skew: i64,
    pub(crate) slots: Vec<Slot>,
    pub(crate) face: Face,
    pub(crate) checks: Checks,
    reader: Reader,
    pub(crate) cast: Cast,
    pub(crate) rng: StdRng,
    seed: u64,
    pub(crate) step: usize,
    /// True while nothing goes wrong by itself.
    pub(crate) calm: bool,
    /// True once a step had something to do.
    pub(crate) busy: bool,
    trace: Vec<Line>,
    pub(crate) coverage: Coverage,
    pub(crate) violation: Option<Violation>,
    pub(crate) in_flight: BTreeMap<u64, InFlight>,
    next_work: u64,
    births: u64,
    /// The last answer of status 200.
    pub(crate) answer_seen: Option<Value>,
    /// Last time that a process was held up by more than GitHub.
    pub(crate) held_up_at: i64,
    /// Last time that the pool's clock jumped.
    pub(crate) jumped_at: i64,
    /// The pool's time when the only process started; counts from before it are worth nothing.
    pub(crate) alone_since: Option<i64>,
    /// What this history does more often than others, by choice.
    leanings: BTreeMap<&'static str, Vec<u32>>,
    /// Faults that the next answers about these things will have.
    pub(crate) spoiled: Vec<(Subject, Wrong)>,
    /// What GitHub will not answer at once.
    pub(crate) hushed: Option<Subject>,
    /// Deliveries on their way to the pool.
    pub(crate) mail: Vec<WebhookRequest>,
    database: String,
    settings: Settings,
}

/// Mixes numbers into the seed of a generator.
fn mix(seed: u64, salt: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

/// A key takes a tenth of a second to make, and no trace shows it.
fn private_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| generate_private_key().expect("a key can be made"))
}

impl World {
    pub(crate) fn new(story: &Story, database: &Database) -> Self {
        let time = Arc::new(AtomicI64::new(START));
        let shared = Arc::clone(&time);
        let mut config = SandboxConfig::new(Arc::new(move || shared.load(Ordering::Relaxed)));
        config.listen.set_port(80);
        config.seed = story.seed;
        config.private_key = Some(private_key().to_owned());
        config.content_limit = None;
        config.requests_per_hour = 1_000_000;
        let github = Sandbox::quiet(config).expect("the key can be read");
        let mut world = Self {
            face: Face::new(github.clone()),
            github,
            time,
            clock: Clock::manual(START),
            skew: 0,
            slots: Vec::new(),
            checks: Checks::default(),
            reader: Reader::open(database),
            cast: Cast::default(),
            rng: mix(story.seed, u64::MAX),
            seed: story.seed,
            step: 0,
            calm: true,
            busy: false,
            trace: Vec::new(),
            coverage: Coverage::default(),
            violation: None,
            in_flight: BTreeMap::new(),
            next_work: 0,
            answer_seen: None,
            held_up_at: 0,
            jumped_at: 0,
            alone_since: None,
            leanings: BTreeMap::new(),
            births: 0,
            spoiled: Vec::new(),
            hushed: None,
            mail: Vec::new(),
            database: database.url.clone(),
            settings: Settings { downtime_after: DOWNTIME_AFTER, ..Settings::default() },
        };
        acts::stage::set(&mut world);
        world
    }

    /// Plays the steps of a story, and what follows them; returns the step of the first violation.
    pub(crate) fn play(&mut self, story: &Story) -> usize {
        for step in story.played() {
            if self.violation.is_some() {
                return self.step;
            }
            self.step = step;
            self.calm = story.calm.contains(&step);
            self.rng = mix(self.seed, u64::try_from(step).unwrap_or(0));
            acts::step(self);
        }
        if self.violation.is_some() {
            return self.step;
        }
        self.step = story.steps;
        self.calm = true;
        crate::checks::end::check(self);
        story.steps
    }

    pub(crate) fn end(self, last_step: usize) -> Outcome {
        let Self { violation, trace, coverage, .. } = self;
        Outcome { violation, trace, last_step, coverage }
    }

    /// Returns GitHub's time.
    pub(crate) fn now(&self) -> i64 {
        self.time.load(Ordering::Relaxed)
    }

    /// Writes a line of the trace.
    pub(crate) fn say(&mut self, text: impl AsRef<str>) {
        self.write(text.as_ref(), false);
    }

    /// Writes a line that a story can do without.
    pub(crate) fn detail(&mut self, text: impl AsRef<str>) {
        self.write(text.as_ref(), true);
    }

    /// Writes a line of the trace.
    pub(crate) fn write(&mut self, text: &str, is_detail: bool) {
        let at = Span(self.now() - START).0 / 1000;
        let (hours, minutes, seconds) = (at / 3600, at / 60 % 60, at % 60);
        let text = format!("{:>4} {hours:>3}:{minutes:02}:{seconds:02}  {text}", self.step);
        self.trace.push(Line { text, is_detail });
    }

    pub(crate) fn violate(&mut self, check: &'static str, found: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation { check, found: found.into() });
        }
    }

    /// Returns true with this chance in percent.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end < 2 { 0 } else { self.rng.random_range(0..end) }
    }

    /// Chooses by weight. Each history has leanings of its own, so that it goes deep into some corner.
    pub(crate) fn choose(&mut self, what: &'static str, weights: &[u32]) -> usize {
        const FACTORS: [u32; 5] = [1, 1, 2, 4, 8];
        let seed = self.seed;
        let leaning = self.leanings.entry(what).or_insert_with(|| {
            let salt = what.bytes().fold(7_u64, |salt, byte| salt.wrapping_mul(31).wrapping_add(u64::from(byte)));
            let mut rng = mix(seed, salt);
            weights.iter().map(|weight| weight * FACTORS[rng.random_range(0..FACTORS.len())]).collect()
        });
        let mut left = self.rng.random_range(0..leaning.iter().sum::<u32>().max(1));
        for (at, weight) in leaning.iter().enumerate() {
            if left < *weight {
                return at;
            }
            left -= weight;
        }
        0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() {
            return None;
        }
        let at = self.below(from.len());
        Some(from[at].clone())
    }

    /// Returns the slots whose process can run.
    pub(crate) fn awake(&self) -> Vec<usize> {
        let runs = |slot: &Slot| slot.process.is_some() && slot.frozen_at.is_none();
        (0..self.slots.len()).filter(|at| runs(&self.slots[*at])).collect()
    }

    /// Returns the slot of a process that can run.
    pub(crate) fn one_awake(&mut self) -> Option<usize> {
        let awake = self.awake();
        self.pick(&awake)
    }

    /// Returns a lease that has not ended.
    pub(crate) fn live_lease(&mut self) -> Option<LeaseRow> {
        let live: Vec<_> = self.checks.last().live().cloned().collect();
        self.pick(&live)
    }

    /// Starts a process in a slot.
    pub(crate) fn start(&mut self, at: usize) {
        self.births += 1;
        let entropy = self.seed.wrapping_mul(1_000_003).wrapping_add(self.births);
        let (webhook_secret, api_url) = (self.github.webhook_secret(), self.github.api_url());
        let machine = Machine {
            database: &self.database,
            alone: self.slots.len() == 1,
            clock: &self.clock,
            entropy,
            app_id: self.github.app_id(),
            private_key: private_key(),
            webhook_secret: &webhook_secret,
            api_url: &api_url,
            settings: &self.settings,
        };
        match Process::start(&machine) {
            Ok(process) => {
                let alone = self.slots.iter().all(|slot| slot.process.is_none());
                self.alone_since = alone.then_some(self.now() + self.skew);
                self.slots[at].process = Some(process);
                self.slots[at].frozen_at = None;
                self.look();
            }
            Err(why) => self.violate("start", format!("pool {at} does not start: {why}")),
        }
    }

    pub(crate) fn add_slot(&mut self) {
        self.slots.push(Slot { process: None, frozen_at: None, held: Vec::new() });
    }

    /// Kills a process: whatever it was doing ends, and its callers get no answer.
    pub(crate) fn kill(&mut self, at: usize) {
        self.slots[at].process = None;
        self.slots[at].frozen_at = None;
        self.slots[at].held.clear();
        let gone: Vec<u64> = self.in_flight.iter().filter(|(_, one)| one.slot == at).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(call) = self.in_flight.remove(&id) {
                acts::no_answer(self, call);
            }
        }
        self.look();
    }

    /// Runs a step of a loop in a process, as far as it goes; returns false if it cannot begin.
    pub(crate) fn run_step(&mut self, at: usize, step: Step) -> bool {
        self.next_work += 1;
        let id = self.next_work;
        let begun = self.slots[at].process.as_mut().is_some_and(|process| process.begin_step(id, step));
        if begun {
            self.run(at);
        }
        begun
    }

    /// Runs every loop of a process until none has anything to do.
    pub(crate) fn run_loops(&mut self, at: usize) {
        for round in 0..40 {
            let mut busy = false;
            for (step, _) in LOOPS {
                // One is hourly; others have nothing new to do because a step did something.
                let is_due = match step {
                    Step::Installations => false,
                    Step::Watch | Step::Missed | Step::Expiry => round == 0,
                    _ => true,
                };
                if is_due && self.slots[at].process.is_some() {
                    self.busy = false;
                    self.run_step(at, step);
                    busy |= self.busy;
                }
            }
            if self.violation.is_some() || !busy {
                return;
            }
        }
    }

    /// Sends a call of a client to a process, and runs it as far as it goes.
    pub(crate) fn call(&mut self, at: usize, client: acts::Client, request: Request<Bytes>) {
        self.next_work += 1;
        let id = self.next_work;
        let Some(process) = &mut self.slots[at].process else { return };
        process.begin_call(id, request);
        self.checks.call_begins(id);
        self.in_flight.insert(id, InFlight { slot: at, client });
        self.run(at);
    }

    /// A process gets no turns any more.
    pub(crate) fn freeze(&mut self, at: usize) {
        self.coverage.note("faults of processes", "frozen");
        self.slots[at].frozen_at = Some(self.now());
    }

    pub(crate) fn has_held(&self, at: usize) -> bool {
        !self.slots[at].held.is_empty()
    }

    /// Checks what the processes committed.
    pub(crate) fn look(&mut self) {
        if self.violation.is_some() {
            return;
        }
        let commits: u32 = self.slots.iter().filter_map(|slot| slot.process.as_ref()).map(Process::commits).sum();
        if !self.checks.has_news(commits, self.births) || !self.reader.has_changed() {
            return;
        }
        let rows = self.reader.read(false);
        crate::checks::after_commit(self, rows);
    }

    /// Reads everything, for the checks in the end.
    pub(crate) fn look_at_everything(&mut self) -> Rows {
        let rows = self.reader.read(true);
        crate::checks::after_commit(self, rows.clone());
        rows
    }

    /// Lets time pass. The processes run meanwhile, as far as their timers are concerned.
    pub(crate) fn pass(&mut self, span: Span) {
        let mut left = span;
        while left.0 > 0 && self.violation.is_none() {
            let tick = left.min(TICK);
            left = Span(left.0 - tick.0);
            self.time.fetch_add(tick.0, Ordering::Relaxed);
            self.clock.advance_ms(tick.0);
            self.answer_the_patient();
            for at in self.awake() {
                if let Some(process) = &mut self.slots[at].process {
                    process.pass(tick);
                }
                self.run(at);
                self.give_up_waiting(at);
                // No database lets a transaction wait for so long.
                if tick > Span::minutes(10) && self.is_waiting(at) {
                    self.say(format!("pool {at}: the transaction that waited begins"));
                    self.release(at);
                }
            }
            if left.0 > 0 {
                for at in self.awake() {
                    self.run_step(at, Step::Expiry);
                    self.run_step(at, Step::Installations);
                }
            }
        }
    }

    /// Sets the pool's clock so far ahead of GitHub's.
    pub(crate) fn set_skew(&mut self, skew: i64) {
        self.run_timers();
        self.clock.advance_ms(skew - self.skew);
        self.jumped_at = self.now();
        self.alone_since = None;
        self.skew = skew;
        self.run_timers();
    }

    /// The timers run every second, and again after a failure: before a jump of the clock, and after it.
    fn run_timers(&mut self) {
        for _ in 0..2 {
            for at in self.awake() {
                self.run_step(at, Step::Expiry);
            }
        }
    }

    /// Plans a mishap at one of the next commits of a process.
    pub(crate) fn plan_mishap(&mut self, at: usize, before: u32, mishap: Mishap) {
        if let Some(process) = &self.slots[at].process {
            process.plan(before, mishap);
        }
    }

    /// Takes what GitHub has queued for the pool.
    pub(crate) fn collect_mail(&mut self) {
        let taken = self.github.take_deliveries();
        self.mail.extend(taken);
    }

    /// Asks a process something and returns its answer; a refusal is a violation.
    pub(crate) fn ask(&mut self, at: usize, client: acts::Client) -> Option<Value> {
        let told = client.told();
        self.answer_seen = None;
        acts::call(self, at, client);
        let answer = self.answer_seen.take();
        if answer.is_none() {
            self.violate("answers", format!("{told} got no good answer at rest"));
        }
        answer
    }

    /// Verifies the chains of events.
    pub(crate) fn verify(&mut self, at: usize) -> Result<(), String> {
        self.slots[at].process.as_mut().map_or(Ok(()), Process::verify)
    }

    /// Nothing goes wrong in a process any more.
    pub(crate) fn calm_down(&mut self, at: usize) {
        if let Some(process) = &self.slots[at].process {
            process.plan_nothing();
        }
    }
}
