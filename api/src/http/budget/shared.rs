//! What all processes have counted together.

use std::sync::{Mutex, Weak};
use std::time::Duration;

use entity::text::hex;
use redis::RedisResult;

use super::super::store::Store;
use super::{Payer, WINDOW_S, Window, lock};

/// Between two looks at what the others have counted.
pub const PAUSE: Duration = Duration::from_millis(200);

/// How many counts are told at once.
const TOGETHER: usize = 1_000;

/// Tells what was counted and hears what the others did, until the budget is gone.
pub fn spawn(window: Weak<Mutex<Window>>, store: Store) {
    tokio::spawn(async move {
        let mut look = tokio::time::interval(PAUSE);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let Some(window) = window.upgrade() else { return };
            if let Err(error) = exchange(&window, &store).await {
                tracing::debug!(%error, "the budgets are counted by this process alone for now");
            }
        }
    });
}

async fn exchange(window: &Mutex<Window>, store: &Store) -> RedisResult<()> {
    loop {
        let (number, unsaid) = unsaid(&mut lock(window));
        if unsaid.is_empty() {
            return Ok(());
        }
        let mut calls = redis::pipe();
        for (payer, spent) in &unsaid {
            let key = key(store, number, payer);
            calls.incr(&key, *spent).expire(&key, WINDOW_S * 2).ignore();
        }
        let totals: RedisResult<Vec<u64>> = calls.query_async(&mut store.connection()).await;
        let mut window = lock(window);
        if window.number != number {
            continue;
        }
        match totals {
            Ok(totals) => {
                for ((payer, _), total) in unsaid.iter().zip(totals) {
                    if let Some(spent) = window.spent.get_mut(payer) {
                        spent.total = total + spent.unsaid;
                    }
                }
            }
            Err(error) => {
                // Redis may have counted it all the same; then it is counted twice, which ends with the
                // minute.
                for (payer, told) in unsaid {
                    if let Some(spent) = window.spent.get_mut(&payer) {
                        spent.unsaid += told;
                    }
                }
                return Err(error);
            }
        }
    }
}

/// The next counts that the others do not know.
fn unsaid(window: &mut Window) -> (i64, Vec<(Payer, u64)>) {
    let fresh = window.spent.iter_mut().filter(|(_, spent)| spent.unsaid > 0).take(TOGETHER);
    let fresh = fresh.map(|(payer, spent)| (*payer, std::mem::take(&mut spent.unsaid)));
    let fresh = fresh.collect();
    (window.number, fresh)
}

fn key(store: &Store, number: i64, payer: &Payer) -> String {
    let name = match payer {
        Payer::Account(account) => account.simple().to_string(),
        Payer::Address(address) => hex(address),
        Payer::Crowd => "crowd".to_owned(),
    };
    store.key(&name, &format!("spent:{number}"))
}
