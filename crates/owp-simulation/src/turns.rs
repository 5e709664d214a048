//! Turns of the processes: what they ask GitHub, and what they have done.

use crate::acts;
use crate::face::{self, Subject, Wrong};
use crate::process::{Call, Done, Process, Step, Turn};
use crate::world::{Held, World};
use http::Method;

/// Turns after which a process should have come to rest.
const TURNS: usize = 600;
/// Time after which the client gives up on GitHub.
const PATIENCE: i64 = 20_000;
/// Time after which a process that was held up has noticed.
const HELD_UP_FOR: i64 = 180_000;

impl World {
    /// Gives a process turns until it waits for something.
    pub(crate) fn run(&mut self, at: usize) {
        for _ in 0..TURNS {
            let Some(process) = &mut self.slots[at].process else { return };
            let turn = process.turn();
            let dying = process.is_dying();
            match turn {
                Turn::Idle if dying => {
                    self.say(format!("pool {at} dies at a commit"));
                    self.kill(at);
                    return;
                }
                Turn::Idle => {
                    self.look();
                    return;
                }
                // Nobody hears what a dead process says.
                _ if dying => {}
                Turn::Asks(call) => {
                    self.look();
                    self.asked(at, call);
                }
                Turn::Did(id, done) => {
                    self.look();
                    self.did(at, id, done);
                }
            }
            if self.violation.is_some() {
                return;
            }
        }
        self.violate("rest", format!("pool {at} does not come to rest within {TURNS} turns"));
    }

    fn did(&mut self, at: usize, id: u64, done: Done) {
        match done {
            Done::Panicked => self.violate("panic", format!("a piece of work of pool {at} panicked")),
            Done::Step(step, Ok(more)) => {
                self.busy |= more;
                self.coverage.note("steps", step.name());
            }
            Done::Step(step, Err(why)) => {
                self.coverage.note("steps", format!("{} (failed)", step.name()));
                if why.contains("panicked") {
                    self.violate("panic", format!("a change of the {} step panicked", step.name()));
                }
                self.say(format!("pool {at}: the {} step fails: {why}", step.name()));
            }
            Done::Answered(response) => {
                if let Some(call) = self.in_flight.remove(&id) {
                    acts::answered(self, id, call, &response);
                }
                self.checks.call_ends(id);
            }
        }
    }

    /// Answers a question of a process now, later, or wrongly.
    fn asked(&mut self, at: usize, call: Call) {
        self.check_turns(&call);
        let hushed = self.hushed.take_if(|subject| *subject == Subject::of(&call.request)).is_some();
        if hushed || (!self.calm && self.chance(self.cast.silence)) {
            self.say(format!("pool {at}: {} (GitHub does not answer yet)", face::line(&call.request)));
            let now = self.now();
            self.slots[at].held.push(Held { call, since: now, answer: None });
            return;
        }
        self.answer(at, call);
    }

    /// The senders of all processes write one comment at a time.
    fn check_turns(&mut self, call: &Call) {
        let writes =
            |call: &Call| call.request.method() != Method::GET && call.request.uri().path().contains("/comments");
        let now = self.now();
        if !writes(call) || now - self.held_up_at.max(self.jumped_at) < HELD_UP_FOR {
            return;
        }
        let mut held = self.slots.iter().flat_map(|slot| &slot.held);
        let waits = |one: &&Held| writes(&one.call) && one.answer.is_none() && now - one.since < PATIENCE;
        if let Some(other) = held.find(waits) {
            let (line, other) = (face::line(&call.request), face::line(&other.call.request));
            let found = format!("{line} while {other} has no answer");
            self.violate("senders take turns", found);
        }
    }

    fn answer(&mut self, at: usize, call: Call) {
        let now = self.now();
        let is_read = call.request.method() == Method::GET;
        // Writes are rarer than reads, and more can go wrong with them.
        let (of_reads, of_writes) = self.cast.weather;
        // Single comments are rarely asked for.
        let rare = is_read && call.request.uri().path().contains("/issues/comments/");
        let percent = if is_read && !rare { of_reads } else { of_writes };
        let may = !self.calm && self.face.may_be_wrong(&call, now);
        let spoiled = self.spoiled.iter().position(|(subject, _)| may && *subject == Subject::of(&call.request));
        let wrong = match spoiled {
            Some(at) => Some(self.spoiled.remove(at).1),
            None => (may && self.chance(percent)).then(|| self.fault(is_read)),
        };
        let line = face::line(&call.request);
        if let Some(wrong) = wrong {
            self.coverage.note("faults of GitHub", wrong.name());
        }
        let Call { request, answer } = call;
        let (response, done) = self.face.answer(request.clone(), wrong, now);
        if done {
            self.checks.github_did(&request);
        }
        let told = match (&response, wrong) {
            (_, Some(wrong)) => format!("FAULT: {}", wrong.name()),
            (Ok(response), None) => response.status().as_u16().to_string(),
            (Err(error), None) => error.to_string(),
        };
        self.write(&format!("pool {at}: {line} → {told}"), wrong.is_none());
        // A client that gave up hears nothing.
        let _gone = answer.send(response);
    }

    /// Chooses a fault that GitHub could show.
    fn fault(&mut self, is_read: bool) -> Wrong {
        let status = Wrong::ERRORS[self.choose("errors of GitHub", &[1; Wrong::ERRORS.len()])];
        let at = match is_read {
            true => self.choose("faults of reads", &Wrong::OF_READS),
            false => self.choose("faults of writes", &Wrong::OF_WRITES),
        };
        Wrong::kind(at, status, &mut self.rng)
    }

    /// Answers a question that was held back.
    pub(crate) fn answer_held(&mut self, at: usize) {
        if self.slots[at].held.is_empty() || self.slots[at].frozen_at.is_some() {
            return;
        }
        let Held { call, since, answer } = self.slots[at].held.remove(0);
        let in_time = self.now() - since < PATIENCE;
        match answer {
            Some(answer) if in_time => {
                self.say(format!("pool {at}: {} → an answer that waited to be read", face::line(&call.request)));
                let _gone = call.answer.send(answer);
            }
            None if in_time => self.answer(at, call),
            _ => {
                self.say(format!("pool {at}: {} → FAULT: no answer in time", face::line(&call.request)));
                let _gone = call.answer.send(Err(face::too_late()));
            }
        }
        self.run(at);
    }

    /// Answers all that was held back.
    pub(crate) fn answer_all_held(&mut self, at: usize) {
        while self.has_held(at) && self.violation.is_none() {
            self.answer_held(at);
        }
    }

    /// GitHub gets to all that has waited for long, or never does: also to what a frozen process asked.
    pub(crate) fn answer_the_patient(&mut self) {
        let now = self.now();
        for at in 0..self.slots.len() {
            for held in 0..self.slots[at].held.len() {
                let Held { call, since, answer } = &self.slots[at].held[held];
                if answer.is_some() || now - since < PATIENCE {
                    continue;
                }
                let request = call.request.clone();
                let answer = if self.chance(50) {
                    let (answer, done) = self.face.answer(request.clone(), None, now);
                    if done {
                        self.checks.github_did(&request);
                    }
                    answer
                } else {
                    Err(face::too_late())
                };
                self.slots[at].held[held].answer = Some(answer);
            }
        }
    }

    /// A process gives up on questions that have had no answer for long.
    pub(crate) fn give_up_waiting(&mut self, at: usize) {
        let now = self.now();
        let overdue = |held: &Held| now - held.since >= PATIENCE;
        while let Some(since) = self.slots[at].held.first().filter(|held| overdue(held)).map(|held| held.since) {
            if self.violation.is_some() {
                return;
            }
            if now - since >= HELD_UP_FOR {
                // Its timers were as late as the answer.
                self.held_up_at = now;
            }
            self.answer_held(at);
        }
    }

    /// GitHub will be wrong in its next answer about something.
    pub(crate) fn spoil(&mut self, subject: Subject, wrong: Wrong) {
        self.spoiled.push((subject, wrong));
    }

    /// GitHub will let a process wait for its next answer about something.
    pub(crate) fn hush(&mut self, subject: Subject) {
        self.hushed = Some(subject);
    }

    /// What did not happen yet does not happen any more.
    pub(crate) fn forget_plans(&mut self) {
        self.spoiled.clear();
        self.hushed = None;
    }

    /// Plans that a transaction of a process waits before it begins.
    pub(crate) fn plan_hold(&mut self, at: usize, before: u32) {
        if let Some(process) = &self.slots[at].process {
            process.plan_hold(before);
        }
    }

    /// Returns true while a transaction of a process waits.
    pub(crate) fn is_waiting(&self, at: usize) -> bool {
        self.slots[at].process.as_ref().is_some_and(Process::is_held)
    }

    /// Lets the transaction that waits go on.
    pub(crate) fn release(&mut self, at: usize) {
        if self.is_waiting(at) {
            self.held_up_at = self.now();
        }
        if let Some(process) = &self.slots[at].process {
            process.release();
        }
        self.run(at);
        // Its timers run every second, and could not while the transaction waited.
        if self.slots[at].frozen_at.is_none() {
            self.run_step(at, Step::Expiry);
        }
    }
}
