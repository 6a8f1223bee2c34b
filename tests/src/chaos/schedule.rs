//! Which fault strikes when: a pure function of the seed.
//!
//! Invariant: two faults never overlap on the same target, and every fault is over when the time
//! is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::stack::sink::{Mishap, Weather};

/// Something that can be struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Target {
    /// One of the two `rapport serve`.
    Api(usize),
    /// One of the two `rapport-worker`.
    Worker(usize),
    /// The conveyor.
    Redis,
    /// The truth.
    Postgres,
    /// The world outside.
    Mail,
}

/// What strikes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Blow {
    /// `kill -9`, and a new start when the time is over.
    Kill,
    /// `SIGSTOP`, and `SIGCONT` when the time is over: longer than a lease, it makes a zombie.
    Freeze,
    /// A graceful stop, and a new start when the time is over.
    Restart,
    /// Redis forgets everything.
    Flush,
    /// The mail server misbehaves while the time lasts.
    Weather(Weather),
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// When it strikes, from the start of the run.
    pub at: Duration,
    /// How long its effect lasts.
    pub lasts: Duration,
    /// What it hits.
    pub target: Target,
    /// What it does.
    pub blow: Blow,
}

/// All faults of a run of `length`, in the order in which they strike.
#[must_use]
pub fn schedule(seed: u64, length: Duration) -> Vec<Fault> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut busy_until: BTreeMap<Target, Duration> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut at = Duration::from_secs(2);
    loop {
        at += milliseconds(&mut chance, 700, 3500);
        if at >= length {
            return faults;
        }
        let (target, blow, lasts) = fault(&mut chance);
        let free = busy_until.get(&target).is_none_or(|until| *until < at);
        if free && at + lasts < length {
            // A struck process gets a moment to stand up before it is struck again.
            busy_until.insert(target, at + lasts + Duration::from_millis(500));
            faults.push(Fault { at, lasts, target, blow });
        }
    }
}

fn fault(chance: &mut StdRng) -> (Target, Blow, Duration) {
    let which = chance.random_range(0..2);
    match chance.random_range(0..100) {
        0..22 => (Target::Worker(which), Blow::Kill, milliseconds(chance, 0, 2000)),
        22..34 => (Target::Api(which), Blow::Kill, milliseconds(chance, 0, 2000)),
        34..44 => (Target::Worker(which), Blow::Freeze, milliseconds(chance, 500, 9000)),
        44..50 => (Target::Api(which), Blow::Freeze, milliseconds(chance, 500, 6000)),
        50..57 => (Target::Worker(which), Blow::Restart, milliseconds(chance, 0, 1000)),
        57..62 => (Target::Api(which), Blow::Restart, milliseconds(chance, 0, 1000)),
        62..70 => (Target::Redis, Blow::Flush, Duration::ZERO),
        70..76 => (Target::Redis, Blow::Kill, milliseconds(chance, 0, 4000)),
        76..79 => (Target::Redis, Blow::Freeze, milliseconds(chance, 500, 4000)),
        79..81 => (Target::Redis, Blow::Restart, milliseconds(chance, 0, 1000)),
        81..86 => (Target::Postgres, Blow::Kill, milliseconds(chance, 0, 2000)),
        86..88 => (Target::Postgres, Blow::Restart, milliseconds(chance, 0, 1000)),
        _ => (Target::Mail, Blow::Weather(weather(chance)), milliseconds(chance, 3000, 10_000)),
    }
}

fn weather(chance: &mut StdRng) -> Weather {
    match chance.random_range(0..8) {
        0 => Weather::only(Mishap::DeferRecipient, 0.3),
        1 => Weather::only(Mishap::CutBeforeData, 0.4),
        2 => Weather::only(Mishap::ShutDown, 0.4),
        3 => Weather::only(Mishap::SilentConnection, 0.5),
        4 => Weather {
            mails: vec![(Mishap::RefuseRecipient, 0.03), (Mishap::RefuseBody, 0.02)],
            ..Weather::default()
        },
        5 => Weather {
            mails: vec![(Mishap::CutInData, 0.15), (Mishap::CutAfterStore, 0.15)],
            ..Weather::default()
        },
        6 => Weather {
            mails: vec![(Mishap::SilentStored, 0.1), (Mishap::SilentUnstored, 0.1)],
            ..Weather::default()
        },
        _ => Weather {
            mails: vec![
                (Mishap::DeferRecipient, 0.3),
                (Mishap::RefuseRecipient, 0.02),
                (Mishap::ShutDown, 0.1),
                (Mishap::CutBeforeData, 0.1),
                (Mishap::CutInData, 0.05),
                (Mishap::CutAfterStore, 0.05),
                (Mishap::SilentStored, 0.02),
            ],
            silent_connections: 0.1,
            ..Weather::default()
        },
    }
}

fn milliseconds(chance: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(chance.random_range(from..=to))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(which) => write!(f, "api {which}"),
            Self::Worker(which) => write!(f, "worker {which}"),
            Self::Redis => f.write_str("redis"),
            Self::Postgres => f.write_str("postgres"),
            Self::Mail => f.write_str("mail"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:7.2} s  {:9} ", self.target.to_string())?;
        match &self.blow {
            Blow::Kill => write!(f, "kill -9, down {lasts:.1} s"),
            Blow::Freeze => write!(f, "frozen for {lasts:.1} s"),
            Blow::Restart => write!(f, "stopped gracefully, down {lasts:.1} s"),
            Blow::Flush => f.write_str("FLUSHALL"),
            Blow::Weather(weather) => {
                write!(f, "for {lasts:.1} s:")?;
                if weather.silent_connections > 0.0 {
                    write!(f, " SilentConnection {:.0} %", weather.silent_connections * 100.0)?;
                }
                for (mishap, probability) in &weather.mails {
                    write!(f, " {mishap:?} {:.0} %", probability * 100.0)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_MINUTES: Duration = Duration::from_mins(2);

    #[test]
    fn a_seed_replays_its_faults_and_another_seed_has_others() {
        assert_eq!(schedule(7, TWO_MINUTES), schedule(7, TWO_MINUTES));
        assert_ne!(schedule(7, TWO_MINUTES), schedule(8, TWO_MINUTES));
    }

    #[test]
    fn a_longer_run_begins_like_a_shorter_one() {
        let (short, long) = (schedule(7, TWO_MINUTES), schedule(7, 2 * TWO_MINUTES));
        // Only a fault that would outlast the short run can be missing from it.
        let early = |faults: Vec<Fault>| {
            let limit = Duration::from_secs(100);
            faults.into_iter().filter(|fault| fault.at < limit).collect::<Vec<_>>()
        };
        assert_eq!(early(short), early(long));
    }

    #[test]
    fn faults_on_one_target_never_overlap_and_end_in_time() {
        for seed in 0..50 {
            let mut until: BTreeMap<Target, Duration> = BTreeMap::new();
            for fault in schedule(seed, TWO_MINUTES) {
                assert!(until.get(&fault.target).is_none_or(|until| *until < fault.at), "{fault}");
                assert!(fault.at + fault.lasts < TWO_MINUTES, "{fault}");
                until.insert(fault.target, fault.at + fault.lasts);
            }
        }
    }

    #[test]
    fn a_few_seeds_strike_everything_in_every_way() {
        let mut seen: BTreeMap<(Target, &'static str), u32> = BTreeMap::new();
        for fault in (0..20).flat_map(|seed| schedule(seed, TWO_MINUTES)) {
            let blow = match fault.blow {
                Blow::Kill => "kill",
                Blow::Freeze => "freeze",
                Blow::Restart => "restart",
                Blow::Flush => "flush",
                Blow::Weather(_) => "weather",
            };
            *seen.entry((fault.target, blow)).or_default() += 1;
        }
        // Two apis and two workers in three ways each, Redis in four, PostgreSQL in two, the mail
        // in one.
        assert_eq!(seen.len(), 19, "{seen:?}");
    }
}
