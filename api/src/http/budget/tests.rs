use chrono::TimeDelta;

use super::*;

fn budget(clock: &Clock) -> Budget {
    let allowance = Allowance { account: Some(100), address: Some(10) };
    Budget::new(allowance, clock.clone(), None)
}

fn peer(address: &str) -> Peer {
    Peer(address.parse().unwrap())
}

#[test]
fn a_budget_is_spent_refused_and_whole_again_after_its_minute() {
    let clock = Clock::manual(DateTime::from_timestamp(1_790_000_042, 0).unwrap());
    let budget = budget(&clock);
    let lan = Some(Uuid::from_u128(1));
    let ask = |cost: usize| {
        let meter = budget.meter(lan, peer("192.0.2.1"));
        let charged = meter.charge(cost).is_ok();
        assert_eq!(meter.charge(cost).is_ok(), charged, "one operation is charged once");
        (charged, meter.rate().unwrap().remaining, meter.wait().as_secs())
    };
    let left = 60 - 1_790_000_042_u64 % 60;
    assert_eq!(ask(60), (true, 40, left));
    assert_eq!(ask(41), (false, 40, left));
    assert_eq!(ask(40), (true, 0, left));
    assert_eq!(ask(1), (false, 0, left));
    let refused = budget.meter(lan, peer("192.0.2.1")).charge(1).unwrap_err();
    let reset_at = refused.extensions.unwrap().get("resetAt").unwrap().clone();
    let reset_at = reset_at.into_json().unwrap();
    assert_eq!(reset_at.as_str().unwrap().parse::<DateTime<Utc>>().unwrap().timestamp() % 60, 0);
    clock.advance(TimeDelta::seconds(i64::try_from(left).unwrap()));
    assert_eq!(ask(100), (true, 0, 60));
}

#[test]
fn each_account_and_each_network_has_its_own() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let budget = budget(&clock);
    let ask = |account: Option<u128>, address: &str| {
        budget.meter(account.map(Uuid::from_u128), peer(address)).charge(10).is_ok()
    };
    assert!(ask(None, "192.0.2.1") && !ask(None, "192.0.2.1"));
    assert!(!ask(None, "::ffff:192.0.2.1"), "the same address in other words");
    assert!(ask(None, "192.0.2.2"));
    assert!(ask(None, "2001:db8::1") && !ask(None, "2001:db8::2") && ask(None, "2001:db8:0:1::1"));
    assert!(ask(Some(1), "192.0.2.1") && ask(Some(2), "192.0.2.1"));
    let unlimited = Budget::unlimited(clock).meter(None, peer("192.0.2.1"));
    assert!(unlimited.charge(usize::MAX).is_ok());
    assert_eq!(unlimited.rate(), None);
}
