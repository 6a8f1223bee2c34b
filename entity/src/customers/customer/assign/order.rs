//! In which order users get something: as often as their weights say, and evenly spread.

use std::collections::HashMap;

use crate::id::UserId;

/// Who gets something, and how much room each of them has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Everybody in turn, as often as their weights say.
    round: Vec<UserId>,
    /// Who can get something now, and how many at most.
    room: HashMap<UserId, u64>,
}

impl Order {
    /// An order of `users` with their weights; those that are not in `room` get nothing, and are passed over.
    #[must_use]
    pub fn new(users: &[(UserId, u32)], room: HashMap<UserId, u64>) -> Self {
        let sum: i64 = users.iter().map(|(_, weight)| i64::from(*weight)).sum();
        let mut ahead = vec![0_i64; users.len()];
        let mut round = Vec::new();
        // Who is furthest behind comes next, so that nobody's turns come all at once.
        for _ in 0..sum {
            for (ahead, (_, weight)) in ahead.iter_mut().zip(users) {
                *ahead += i64::from(*weight);
            }
            let next =
                ahead.iter().enumerate().max_by_key(|(index, ahead)| (**ahead, -to_i64(*index)));
            let Some((next, _)) = next else { break };
            ahead[next] -= sum;
            round.push(users[next].0);
        }
        Self { round, room }
    }

    /// Who gets what is at `position`; nobody when nobody has room.
    pub fn pick(&mut self, position: i64) -> Option<UserId> {
        let length = self.round.len();
        let start = usize::try_from(position.rem_euclid(to_i64(length).max(1))).unwrap_or_default();
        let mut users = (0..length).map(|turn| self.round[(start + turn) % length]);
        let next = users.find(|user| self.room.get(user).is_some_and(|room| *room > 0))?;
        self.room.entry(next).and_modify(|room| *room -= 1);
        Some(next)
    }
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn users(weights: &[u32]) -> Vec<(UserId, u32)> {
        let user =
            |(index, weight): (usize, &u32)| (UserId(Uuid::from_u128(index as u128)), *weight);
        weights.iter().enumerate().map(user).collect()
    }

    proptest! {
        /// In a round everybody gets as much as their weight, wherever it begins.
        #[test]
        fn a_round_is_as_fair_as_its_weights(weights in prop::collection::vec(1_u32..20, 1..8), start in 0_i64..1_000) {
            let users = users(&weights);
            let room = users.iter().map(|(user, _)| (*user, u64::MAX)).collect();
            let mut order = Order::new(&users, room);
            let sum = i64::from(weights.iter().sum::<u32>());
            let mut got = HashMap::<UserId, u32>::new();
            for position in start..start + sum {
                *got.entry(order.pick(position).unwrap()).or_default() += 1;
            }
            for (user, weight) in users {
                prop_assert_eq!(got.get(&user), Some(&weight));
            }
        }

        /// Nobody gets more than there is room for, and nothing is left while somebody has room.
        #[test]
        fn nobody_gets_more_than_there_is_room_for(
            rooms in prop::collection::vec(0_u64..5, 1..8), start in 0_i64..1_000, turns in 0_i64..50,
        ) {
            let users = users(&vec![1; rooms.len()]);
            let room: HashMap<_, _> = users.iter().map(|(user, _)| *user).zip(rooms.iter().copied()).collect();
            let mut order = Order::new(&users, room.clone());
            let mut got = HashMap::<UserId, u64>::new();
            for user in (start..start + turns).filter_map(|position| order.pick(position)) {
                *got.entry(user).or_default() += 1;
            }
            let all = got.values().sum::<u64>();
            prop_assert_eq!(all, rooms.iter().sum::<u64>().min(turns.unsigned_abs()));
            prop_assert!(got.iter().all(|(user, number)| number <= &room[user]));
        }
    }
}
