//! Journal and recovery against an oracle in memory, through any order of attempts, answers, crashes and decisions.
use proptest::prelude::*;

use super::*;

/// One step of the model.
#[derive(Debug, Clone)]
enum Step {
    Attempt(Vec<u64>),
    Answer(u8, u8),
    Crash,
    Flush,
    Reopen,
    Decide(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => prop::collection::btree_set(0u64..60, 1..8).prop_map(|rows| Step::Attempt(rows.into_iter().collect())),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(which, what)| Step::Answer(which, what)),
        2 => Just(Step::Crash),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => any::<bool>().prop_map(Step::Decide),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the oracle believes of a row: its state, tries, and whether it is in flight.
#[derive(Debug, Clone, Default, PartialEq)]
struct Belief {
    state: Option<State>,
    attempts: u32,
    in_flight: bool,
}

async fn compare(folder: &RunFolder, oracle: &BTreeMap<u64, Belief>) {
    let (_copy, found) = crash(folder);
    let (_journal, recovery) = Journal::open(&found, nobody()).expect("recovers");
    let mut reader = Reader::open(&found).expect("reads");
    for (&row, belief) in oracle {
        let known = reader.outcome(Position::row(row)).expect("read");
        let state = known.as_ref().map_or(State::Pending, |known| known.state);
        let expected = if belief.in_flight { State::InDoubt } else { belief.state.unwrap_or(State::Pending) };
        assert_eq!(state, expected, "row {row}: {belief:?} {known:?}");
        assert_eq!(recovery.settled.is_settled(Position::row(row)), expected != State::Pending);
        if let Some(known) = known {
            assert_eq!(known.attempts, belief.attempts, "row {row}");
        }
    }
    assert_eq!(recovery.tally, reader.tally().expect("tally"));
    assert_eq!(recovery.settled.count(), recovery.tally.settled());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn journal_and_recovery_agree_with_the_oracle(steps in steps()) {
        let (_dir, folder) = folder();
        run(async {
            let mut journal = Journal::create(&folder, 60, nobody()).expect("create");
            let mut oracle: BTreeMap<u64, Belief> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Attempt(rows) => {
                        let free: Vec<u64> = rows.into_iter()
                            .filter(|row| oracle.get(row).is_none_or(|b| b.state.is_none() && !b.in_flight)).collect();
                        if free.is_empty() { continue; }
                        let tries = free.iter().map(|row| (*row, oracle.get(row).map_or(0, |b| b.attempts) + 1)).collect::<Vec<_>>();
                        journal.attempt(vec![attempt(tries)]).await.expect("durable");
                        for row in free {
                            let belief = oracle.entry(row).or_default();
                            belief.in_flight = true;
                            belief.attempts += 1;
                        }
                    }
                    Step::Answer(which, what) => {
                        let flying: Vec<u64> = oracle.iter().filter(|(_, b)| b.in_flight).map(|(row, _)| *row).collect();
                        if flying.is_empty() { continue; }
                        let row = flying[usize::from(which) % flying.len()];
                        let belief = oracle.get_mut(&row).expect("flying");
                        belief.in_flight = false;
                        let (mark, state) = match what % 5 {
                            0 | 1 => (sent(), Some(State::Sent)),
                            2 => (failed(ErrorKind::BadMessage), Some(State::Failed)),
                            3 => (deferred(), None),
                            _ => { belief.attempts -= 1; (Mark::Pending, None) }
                        };
                        belief.state = state;
                        journal.record(record(row, belief.attempts, mark));
                    }
                    Step::Crash => {
                        journal.flush().await.expect("durable");
                        compare(&folder, &oracle).await;
                    }
                    Step::Flush => journal.flush().await.expect("durable"),
                    Step::Reopen => {
                        journal.close().await.expect("closed");
                        let (again, _) = Journal::open(&folder, nobody()).expect("open");
                        journal = again;
                        for belief in oracle.values_mut().filter(|b| b.in_flight) {
                            belief.in_flight = false;
                            belief.state = Some(State::InDoubt);
                        }
                    }
                    Step::Decide(resend) => {
                        let decision = if resend { Decision::Resend } else { Decision::Skip };
                        journal.decide_in_doubt(decision, None, &mut Recovery::default()).await.expect("decided");
                        if resend {
                            for belief in oracle.values_mut().filter(|b| b.state == Some(State::InDoubt)) {
                                belief.state = None;
                            }
                        }
                    }
                }
            }
            journal.flush().await.expect("durable");
            compare(&folder, &oracle).await;
            journal.close().await.expect("closed");
            compare(&folder, &oracle).await;
        });
    }
}
