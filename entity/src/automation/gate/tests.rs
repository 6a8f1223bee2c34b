use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime, TimeDelta, Weekday};
use proptest::prelude::*;

use super::policy::{Cap, Concern, Consent, Hours, Mode, Rules};
use super::*;
use crate::automation::workflow::window::Window;
use crate::marketing::consent::Basis;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    text.parse().unwrap()
}

fn marketing(channel: Channel) -> Sending<'static> {
    Sending { class: Class::Marketing, channel, topic: None }
}

fn vietnam() -> Facts {
    let consent = Word {
        channel: Channel::Email,
        topic: None,
        standing: Standing::Given,
        basis: Basis::Consent,
        at: at("2026-01-01T00:00:00Z"),
    };
    let by_sms = Word { channel: Channel::Sms, ..consent.clone() };
    Facts {
        zones: vec![Tz::Asia__Ho_Chi_Minh],
        country: Some("VN".to_owned()),
        consents: vec![consent, by_sms],
        ..Facts::default()
    }
}

fn policy(own: Rules, mode: Mode) -> Policy {
    let packs = pack::all().iter().map(|pack| (pack.key.as_str(), mode));
    Policy { number: 1, own, packs: packs.collect() }
}

fn until(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Defer { until, reason } => format!("{reason:?} {}", until.to_rfc3339()),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_advertisement_by_text_message_waits_for_the_morning_that_the_law_asks_for() {
    let policy = policy(Rules::default(), Mode::Enforce);
    let late = at("2026-11-03T16:30:00Z");
    let decision = gate(marketing(Channel::Sms), &vietnam(), &policy, late);
    assert_eq!(until(&decision), "LegalWindow 2026-11-04T00:00:00+00:00");
    let legal = decision.trace.iter().find(|looked| looked.rule == Rule::Hours).unwrap();
    assert_eq!(legal.pack.as_deref(), Some("vn-advertising 2020-10"));
    assert_eq!(legal.detail, "from 07:00 to 22:00; it is Tue 23:30 in Asia/Ho_Chi_Minh");
}

#[test]
fn a_law_that_only_warns_lets_it_go_and_says_so() {
    let policy = policy(Rules::default(), Mode::Warn);
    let late = at("2026-11-03T16:30:00Z");
    let decision = gate(marketing(Channel::Sms), &vietnam(), &policy, late);
    assert_eq!(decision.verdict, Verdict::Send);
    assert!(decision.trace.iter().any(|looked| looked.finding == Finding::Warned));
}

#[test]
fn where_the_zone_is_not_known_a_time_has_to_be_right_in_all_that_there_may_be() {
    let hours = Hours {
        concern: Concern::default(),
        window: Window { from: time("09:00:00"), until: time("18:00:00"), days: Vec::new().into() },
    };
    let own = Rules { hours: vec![hours], ..Rules::default() };
    let policy = policy(own, Mode::Off);
    let zones = vec![Tz::Europe__Lisbon, Tz::Europe__Athens];
    let facts = Facts { zones, ..vietnam() };
    // Nine in Lisbon is eleven in Athens; six in Athens is four in Lisbon.
    let early = gate(marketing(Channel::Email), &facts, &policy, at("2026-11-03T07:30:00Z"));
    assert_eq!(until(&early), "QuietHours 2026-11-03T09:00:00+00:00");
    let late = gate(marketing(Channel::Email), &facts, &policy, at("2026-11-03T16:00:00Z"));
    assert_eq!(until(&late), "QuietHours 2026-11-04T09:00:00+00:00");
}

#[test]
fn a_holiday_and_a_weekend_are_waited_out_together() {
    let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    let hours = Hours {
        concern: Concern::default(),
        window: Window {
            from: time("08:00:00"),
            until: time("17:00:00"),
            days: days.to_vec().into(),
        },
    };
    let own = Rules { hours: vec![hours], holidays: vec![Class::Marketing], ..Rules::default() };
    let new_year: Vec<NaiveDate> =
        (8..=12).map(|day| NaiveDate::from_ymd_opt(2027, 2, day).unwrap()).collect();
    let facts = Facts { holidays: new_year, ..vietnam() };
    let policy = policy(own, Mode::Off);
    // Friday evening; then a weekend, five holidays, and a weekend.
    let decision = gate(marketing(Channel::Email), &facts, &policy, at("2027-02-05T12:00:00Z"));
    assert_eq!(until(&decision), "QuietHours 2027-02-15T01:00:00+00:00");
}

#[test]
fn what_answers_to_what_a_customer_did_is_held_back_by_a_dead_address_alone() {
    let policy = policy(Rules::default(), Mode::Enforce);
    let receipt = Sending { class: Class::Receipt, channel: Channel::Email, topic: None };
    let facts = Facts { causes: vec![Cause::UnsubAll, Cause::Complained], ..Facts::default() };
    let night = at("2026-11-03T19:00:00Z");
    assert_eq!(gate(receipt, &facts, &policy, night).verdict, Verdict::Send);
    let facts = Facts { causes: vec![Cause::HardBounced], ..Facts::default() };
    let reason = Reason::HardBounced;
    assert_eq!(gate(receipt, &facts, &policy, night).verdict, Verdict::Suppress { reason });
}

#[test]
fn a_topic_that_was_withdrawn_is_withdrawn_for_service_too_and_the_whole_channel_for_marketing_alone()
 {
    let policy = policy(Rules::default(), Mode::Off);
    let service = |topic| Sending { class: Class::Service, channel: Channel::Email, topic };
    let withdrawn = |topic: Option<&str>| {
        let mut facts = vietnam();
        facts.consents[0].topic = topic.map(str::to_owned);
        facts.consents[0].standing = Standing::Withdrawn;
        facts
    };
    let now = at("2026-11-03T05:00:00Z");
    let tips = withdrawn(Some("tips"));
    let reason = Reason::UnsubTopic;
    assert_eq!(
        gate(service(Some("tips")), &tips, &policy, now).verdict,
        Verdict::Suppress { reason }
    );
    assert_eq!(gate(service(None), &tips, &policy, now).verdict, Verdict::Send);
    let all = withdrawn(None);
    assert_eq!(gate(service(None), &all, &policy, now).verdict, Verdict::Send);
    let reason = Reason::UnsubAll;
    let sending = marketing(Channel::Email);
    assert_eq!(gate(sending, &all, &policy, now).verdict, Verdict::Suppress { reason });
}

/// How little a verdict lets through: the more the less.
fn strictness(verdict: Verdict) -> (u8, Option<DateTime<Utc>>) {
    match verdict {
        Verdict::Send => (0, None),
        Verdict::Defer { until, .. } => (1, Some(until)),
        Verdict::Suppress { .. } => (2, None),
    }
}

fn channels() -> impl Strategy<Value = Channel> {
    prop_oneof![Just(Channel::Email), Just(Channel::Sms), Just(Channel::Phone)]
}

fn classes() -> impl Strategy<Value = Class> {
    prop_oneof![
        Just(Class::Service),
        Just(Class::Marketing),
        Just(Class::Collection),
        Just(Class::Receipt)
    ]
}

fn concerns() -> impl Strategy<Value = Concern> {
    (prop::collection::vec(classes(), 0..3), prop::collection::vec(channels(), 0..2))
        .prop_map(|(classes, channels)| Concern { classes, channels })
}

fn hours() -> impl Strategy<Value = Hours> {
    let week = prop_oneof![
        Just(Vec::new()),
        Just(vec![Weekday::Mon, Weekday::Wed, Weekday::Sun]),
        Just(vec![Weekday::Sat])
    ];
    (concerns(), 0_u32..1_300, 30_u32..600, week).prop_map(|(concern, from, long, days)| {
        let time = |minute: u32| {
            NaiveTime::from_num_seconds_from_midnight_opt(minute.min(1_439) * 60, 0).unwrap()
        };
        let window = Window { from: time(from), until: time(from + long), days: days.into() };
        Hours { concern, window }
    })
}

fn caps() -> impl Strategy<Value = Cap> {
    (concerns(), 1_u32..4, 3_600_i64..700_000).prop_map(|(concern, most, within_s)| Cap {
        concern,
        most,
        within_s,
    })
}

prop_compose! {
    fn rules()(
        hours in prop::collection::vec(hours(), 0..3),
        caps in prop::collection::vec(caps(), 0..3),
        holidays in prop::collection::vec(classes(), 0..2),
        needed in any::<bool>(),
    ) -> Rules {
        let consent = Consent { classes: vec![Class::Marketing], bases: vec![Basis::Consent] };
        Rules { hours, caps, holidays, consent: if needed { vec![consent] } else { Vec::new() } }
    }
}

const NOW: &str = "2026-10-24T20:00:00Z";

fn sents() -> impl Strategy<Value = Sent> {
    (classes(), channels(), 0_i64..1_000_000).prop_map(|(class, channel, ago)| Sent {
        class,
        channel,
        at: at(NOW) - TimeDelta::seconds(ago),
    })
}

fn words() -> impl Strategy<Value = Word> {
    (channels(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(channel, topic, given, strong)| Word {
            channel,
            topic: topic.then(|| "tips".to_owned()),
            standing: if given { Standing::Given } else { Standing::Withdrawn },
            basis: if strong { Basis::Consent } else { Basis::Existing },
            at: at(NOW),
        },
    )
}

prop_compose! {
    fn facts()(
        zone in prop::sample::select(vec![
            Tz::Asia__Ho_Chi_Minh, Tz::Europe__Paris, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::UTC,
        ]),
        country in prop::sample::select(vec![None, Some("VN"), Some("FR"), Some("US"), Some("JP")]),
        bounced in any::<bool>(),
        consents in prop::collection::vec(words(), 0..4),
        sent in prop::collection::vec(sents(), 0..6),
        holidays in prop::collection::vec(0_u64..12, 0..4),
    ) -> Facts {
        let day = at(NOW).date_naive();
        Facts {
            zones: vec![zone],
            country: country.map(str::to_owned),
            causes: if bounced { vec![Cause::Complained] } else { Vec::new() },
            consents,
            sent,
            holidays: holidays.into_iter().map(|days| day + chrono::Days::new(days)).collect(),
        }
    }
}

/// What may be added.
#[derive(Clone, Debug)]
enum More {
    Cause(Cause),
    Withdrawal,
    Sent(Sent),
    Holiday(u64),
    Hours(Hours),
    Cap(Cap),
    Enforced,
}

fn more() -> impl Strategy<Value = More> {
    prop_oneof![
        prop::sample::select(vec![Cause::HardBounced, Cause::UnsubAll, Cause::DncRegister])
            .prop_map(More::Cause),
        Just(More::Withdrawal),
        sents().prop_map(More::Sent),
        (0_u64..12).prop_map(More::Holiday),
        hours().prop_map(More::Hours),
        caps().prop_map(More::Cap),
        Just(More::Enforced),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is added, never more is let through, and nothing earlier.
    #[test]
    fn the_gate_is_monotone(
        facts in facts(),
        own in rules(),
        packs in prop::sample::select(vec![Mode::Off, Mode::Warn, Mode::Enforce]),
        (class, channel, topic) in (classes(), channels(), any::<bool>()),
        more in more(),
    ) {
        let before = policy(own, packs);
        let sending = Sending { class, channel, topic: topic.then_some("tips") };
        let loose = gate(sending, &facts, &before, at(NOW)).verdict;
        let (mut facts, mut policy) = (facts, before);
        match more {
            More::Cause(cause) => facts.causes.push(cause),
            More::Withdrawal => {
                facts.consents.retain(|word| word.channel != channel);
                let (topic, standing) = (None, Standing::Withdrawn);
                facts.consents.push(Word { channel, topic, standing, basis: Basis::Consent, at: at(NOW) });
                let tips = Word { topic: Some("tips".to_owned()), ..facts.consents[facts.consents.len() - 1].clone() };
                facts.consents.push(tips);
            }
            More::Sent(sent) => facts.sent.push(sent),
            More::Holiday(days) => facts.holidays.push(at(NOW).date_naive() + chrono::Days::new(days)),
            More::Hours(hours) => policy.own.hours.push(hours),
            More::Cap(cap) => policy.own.caps.push(cap),
            More::Enforced => policy.packs = policy.packs.keys().map(|key| (*key, Mode::Enforce)).collect::<BTreeMap<_, _>>(),
        }
        let strict = gate(sending, &facts, &policy, at(NOW)).verdict;
        prop_assert!(strictness(strict) >= strictness(loose), "{loose:?} became {strict:?}");
    }

    /// What was put off until a time goes at that time, unless something happens meanwhile.
    #[test]
    fn what_is_put_off_may_go_when_it_comes_back(
        facts in facts(),
        own in rules(),
        (class, channel) in (classes(), channels()),
    ) {
        let policy = policy(own, Mode::Enforce);
        let sending = Sending { class, channel, topic: None };
        if let Verdict::Defer { until, .. } = gate(sending, &facts, &policy, at(NOW)).verdict {
            prop_assert!(until > at(NOW));
            prop_assert_eq!(gate(sending, &facts, &policy, until).verdict, Verdict::Send);
        }
    }
}
