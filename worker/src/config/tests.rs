//! What is refused at start, and what the refusal says.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Process {
    #[command(flatten)]
    stack: Stack,
}

fn stack(arguments: &[&str]) -> Stack {
    let all = ["test"].iter().chain(arguments);
    Process::try_parse_from(all).unwrap().stack
}

const PRODUCTION: [&str; 5] = [
    "--env=production",
    "--database-url=postgres://u:p@db.example/rapport?sslmode=verify-full",
    "--redis-url=redis://:secret@redis.example:6379/0",
    "--smtp-url=smtp://u:p@mail.example:587?tls=required",
    "--public-url=https://crm.example",
];

#[test]
fn without_any_setting_everything_is_embedded() {
    let stack = stack(&[]);
    assert!(stack.check().is_ok());
    assert!(matches!(stack.transport(), Ok(Transport::Files(_))));
    assert_eq!(stack.domain(), "rapport.localhost");
}

#[test]
fn production_refuses_what_is_missing_or_insecure_and_says_what_to_write() {
    assert!(stack(&PRODUCTION).check().is_ok());
    let cases = [
        ("--database-url=sqlite://rapport.db", "DATABASE_URL"),
        ("--database-url=postgres://u:p@db.example/rapport", "DATABASE_URL"),
        ("--database-url=mysql://u:p@db.example/rapport", "DATABASE_URL"),
        ("--redis-url=redis://redis.example:6379/0", "REDIS_URL"),
        ("--public-url=http://crm.example", "PUBLIC_URL"),
    ];
    for (setting, name) in cases {
        let (flag, _) = setting.split_once('=').unwrap();
        let others = PRODUCTION.iter().filter(|other| !other.starts_with(flag));
        let arguments: Vec<_> = others.copied().chain([setting]).collect();
        let refusal = stack(&arguments).check().unwrap_err().to_string();
        assert!(refusal.starts_with(name), "{setting}: {refusal}");
    }
    for flag in ["--database-url", "--redis-url", "--smtp-url"] {
        let others: Vec<_> =
            PRODUCTION.iter().filter(|other| !other.starts_with(flag)).copied().collect();
        assert!(stack(&others).check().is_err(), "without {flag}");
    }
    let local = PRODUCTION.iter().filter(|other| !other.starts_with("--database-url"));
    let local: Vec<_> = local.copied().chain(["--database-url=postgres://u@127.0.0.1/r"]).collect();
    assert!(stack(&local).check().is_ok(), "a database on this machine needs no encryption");
}

#[test]
fn a_signing_key_is_wanted_whole_or_not_at_all() {
    assert!(matches!(stack(&[]).dkim(), Ok(None)));
    assert!(stack(&["--dkim-domain=crm.example"]).dkim().is_err());
    let absent = ["--dkim-domain=a.example", "--dkim-selector=s", "--dkim-key-file=/nowhere"];
    let refusal = stack(&absent).dkim().unwrap_err().to_string();
    assert!(refusal.contains("/nowhere"), "{refusal}");
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    for wrong in ["--lease-s=1", "--senders=0", "--database-pool=1", "--env=staging"] {
        let refused = Process::try_parse_from(["test", wrong]).err().unwrap().to_string();
        let (flag, _) = wrong.split_once('=').unwrap();
        assert!(refused.contains(flag), "{refused}");
    }
}

#[test]
fn links_are_signed_with_a_key_that_production_has_to_be_given() {
    let good = "k".repeat(32);
    let given = format!("--link-key={good}");
    let given: Vec<_> = PRODUCTION.iter().copied().chain([&*given]).collect();
    assert!(stack(&given).links().is_ok());
    let previous = format!("--link-key-previous={good} {good}");
    let all: Vec<_> = given.iter().copied().chain([&*previous]).collect();
    assert!(stack(&all).links().is_ok());
    let short = format!("--link-key-previous={good} short");
    let short: Vec<_> = given.iter().copied().chain([&*short]).collect();
    let refused = |arguments: &[&str]| stack(arguments).links().unwrap_err().to_string();
    assert!(refused(&PRODUCTION).starts_with("LINK_KEY:"));
    assert!(refused(&["--link-key=short"]).starts_with("LINK_KEY:"));
    assert!(refused(&short).starts_with("LINK_KEY_PREVIOUS:"));
}
